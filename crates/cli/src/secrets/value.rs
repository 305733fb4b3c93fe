//! A secret's text. It is zeroed when it is dropped, and its type has no `Debug`: nothing prints it by accident.

use anyhow::{Result, anyhow};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// As many bits as HMAC-SHA-256 has, and more than anybody guesses.
const GENERATED_BYTES: usize = 32;

/// No secret in JSON is longer.
const JSON_BYTES: usize = 1 << 17;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// 43 letters, digits, `-` and `_`: they need quoting nowhere.
    pub(crate) fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0_u8; GENERATED_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| anyhow!("no random bytes: {error}"))?;
        Ok(Self::new(Base64UrlUnpadded::encode_string(bytes.as_slice())))
    }

    /// The text as base64 or base64url, which is the same secret.
    pub(crate) fn encoded<E: Encoding>(&self) -> Self {
        Self::new(E::encode_string(self.0.as_bytes()))
    }

    /// As JSON on one line.
    pub(crate) fn of_json(value: &impl Serialize) -> Result<Self> {
        let cannot = |_| anyhow!("it cannot be written as JSON");
        let mut text = Zeroizing::new(Vec::with_capacity(JSON_BYTES));
        serde_json::to_writer(&mut *text, value).map_err(cannot)?;
        Ok(Self::new(std::str::from_utf8(&text)?.to_owned()))
    }

    /// Named so that every place that reads it is found.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A text that holds secrets, written piece by piece. It has room from the start: one that grows leaves a copy behind.
pub(crate) struct SecretText(Zeroizing<Vec<u8>>);

impl SecretText {
    pub(crate) fn with_room_for(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    pub(crate) fn line(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.extend_from_slice(part.as_bytes());
        }
        self.0.push(b'\n');
    }

    /// Not by way of a `serde_json::Value`, which zeroes nothing.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        // What serde says may quote it.
        serde_json::to_writer_pretty(&mut *self.0, value)
            .map_err(|_| anyhow!("it cannot be written as JSON"))?;
        self.line(&[]);
        Ok(())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_long_different_each_time_and_needs_no_quotes() -> Result<()> {
        let (one, other) = (Secret::generate()?, Secret::generate()?);
        assert!(one != other);
        assert_eq!(one.expose().len(), 43);
        assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        Ok(())
    }
}
