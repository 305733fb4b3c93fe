//! The key a client gives a request, so that sending it twice does it once.

use std::fmt;

use crate::error::ErrorCode;
use crate::limits::idempotency::KEY_CHARS_MAX;

/// 1 to 255 printable ASCII characters (space to tilde).
///
/// The header is a Structured Field string in draft-ietf-httpapi-idempotency-key-header: `"abc"`. Many clients send it
/// bare: `abc`. Both are the same key.
///
/// ```
/// use mps_core::IdempotencyKey;
/// assert_eq!(IdempotencyKey::parse("\"abc\"")?, IdempotencyKey::parse("abc")?);
/// # Ok::<(), mps_core::ErrorCode>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key, bare or quoted; the bounds count what is inside the quotes.
    ///
    /// # Errors
    /// [`ErrorCode::IdempotencyKeyInvalid`], also for text that begins with a quote but is no RFC 9651 string.
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let key = match text.strip_prefix('"') {
            Some(quoted) => unquote(quoted).ok_or(ErrorCode::IdempotencyKeyInvalid)?,
            None => text.to_owned(),
        };
        let is_printable = key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !(1..=KEY_CHARS_MAX as usize).contains(&key.len()) || !is_printable {
            return Err(ErrorCode::IdempotencyKeyInvalid);
        }
        Ok(Self(key))
    }

    /// The key without quotes, as the database knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The rest of an RFC 9651 string after its first quote: `\"` and `\\` are the only escapes, nothing follows the end.
fn unquote(quoted: &str) -> Option<String> {
    let mut chars = quoted.chars();
    let mut key = String::with_capacity(quoted.len());
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(key),
            '\\' => key.push(chars.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            plain => key.push(plain),
        }
    }
}

/// Shows the length only: a key belongs to its client.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({} chars)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<String, ErrorCode> {
        IdempotencyKey::parse(text).map(|key| key.as_str().to_owned())
    }

    #[test]
    fn a_quoted_key_and_a_bare_one_are_the_same_key() {
        assert_eq!(key("abc"), Ok("abc".into()));
        assert_eq!(key(r#""abc""#), Ok("abc".into()));
        assert_eq!(key(r#""a\"b\\c""#), Ok(r#"a"b\c"#.into()));
        assert_eq!(key(r#"a"b\c"#), Ok(r#"a"b\c"#.into()));
    }

    #[test]
    fn a_key_has_one_to_255_printable_ascii_characters() {
        for printable in ' '..='~' {
            let text = format!("k{printable}");
            assert_eq!(key(&text), Ok(text.clone()));
        }
        assert_eq!(key(&"k".repeat(255)), Ok("k".repeat(255)));
        assert_eq!(key(&format!("\"{}\"", "k".repeat(255))), Ok("k".repeat(255)));
        for text in ["", "\"\"", "\u{1f}", "a\tb", "a\u{7f}", "é", "鍵", "a\0", &"k".repeat(256)] {
            assert_eq!(key(text), Err(ErrorCode::IdempotencyKeyInvalid), "{text:?}");
        }
    }

    #[test]
    fn a_broken_quote_is_refused() {
        for text in [r#"""#, r#""abc"#, r#""abc"x"#, r#""abc";a=1"#, r#""a\bc""#, r#""abc\""#] {
            assert_eq!(key(text), Err(ErrorCode::IdempotencyKeyInvalid), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_not_shown_in_a_log() {
        assert_eq!(format!("{:?}", IdempotencyKey::parse("secret")), "Ok(IdempotencyKey(6 chars))");
    }
}
