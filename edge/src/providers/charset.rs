//! Chinese text in another encoding than UTF-8, as far as we look at it: every field that we read is ASCII. So what is beyond ASCII is
//! masked, byte for byte, and no table of characters is in the Worker. Signatures are over the bytes as they came.

/// How a provider says that its text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    /// GBK and its kin: GB 2312 is a part of it, and GB 18030 only adds to it.
    Gbk,
}

impl Charset {
    /// By its label, as the WHATWG's Encoding Standard has them; UTF-8 where there is none.
    pub(super) fn named(label: &str) -> Option<Self> {
        match label.trim().to_ascii_lowercase().as_str() {
            "" | "utf-8" | "utf8" => Some(Self::Utf8),
            "gbk" | "gb2312" | "gb18030" | "chinese" | "csgb2312" | "x-gbk" => Some(Self::Gbk),
            _ => None,
        }
    }

    /// The text with `?` for every byte beyond ASCII: each other byte is where it was. `None` when it is no text of this charset.
    pub(super) fn masked(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => {
                let text = std::str::from_utf8(bytes).ok()?;
                Some(text.bytes().map(|byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect())
            }
            Self::Gbk => mask_gbk(bytes),
        }
    }
}

/// The second byte of a character may look like ASCII, even like a quote or a backslash: whole characters are masked.
fn mask_gbk(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let length = match rest {
            [] => return Some(text),
            [0..=0x7f, ..] => {
                text.push(char::from(rest[0]));
                rest = &rest[1..];
                continue;
            }
            [0x80, ..] => 1,
            [0x81..=0xfe, 0x40..=0x7e | 0x80..=0xfe, ..] => 2,
            [0x81..=0xfe, b'0'..=b'9', 0x81..=0xfe, b'0'..=b'9', ..] => 4,
            _ => return None,
        };
        text.extend(std::iter::repeat_n('?', length));
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_characters_are_masked_and_all_else_stays_where_it_was() {
        // 会员 in GBK; 乗, whose second byte is a backslash; a character of four bytes of GB 18030.
        for (bytes, masked) in [
            (&b"a\xbb\xe1\xd4\xb1b"[..], "a????b"),
            (&b"\"\x81\x5c\""[..], "\"??\""),
            (&b"\x81\x30\x81\x30=1"[..], "????=1"),
            (&b"\x80"[..], "?"),
        ] {
            assert_eq!(Charset::Gbk.masked(bytes).as_deref(), Some(masked));
        }
        assert_eq!(Charset::Utf8.masked("a会b".as_bytes()).as_deref(), Some("a???b"));
    }

    #[test]
    fn what_is_no_text_of_the_charset_is_refused() {
        for bytes in [&b"\x81"[..], b"\x81\x20", b"\xff\x41", b"\x81\x30\x81", b"a\x81\x7f"] {
            assert_eq!(Charset::Gbk.masked(bytes), None, "{bytes:?}");
        }
        assert_eq!(Charset::Utf8.masked(b"\xbb\xe1"), None);
    }

    #[test]
    fn a_charset_is_known_by_its_labels() {
        for (label, charset) in [
            ("", Some(Charset::Utf8)),
            ("UTF-8", Some(Charset::Utf8)),
            ("GBK", Some(Charset::Gbk)),
            ("gb2312", Some(Charset::Gbk)),
            ("GB18030", Some(Charset::Gbk)),
            ("utf-16", None),
            ("big5", None),
        ] {
            assert_eq!(Charset::named(label), charset, "{label}");
        }
    }
}
