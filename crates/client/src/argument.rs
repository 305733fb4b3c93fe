//! Arguments that a route reads from its request: amounts from their text and never through a float, secrets. A text that is
//! none is refused with the code of that argument, as the message of the error that serde reports.

use std::fmt;
use std::str::FromStr;

use mps_core::limits::tag::BYTES_MAX;
use mps_core::{ErrorCode, Money};
use rust_decimal::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The contents of a JSON string, or a JSON number's own text.
fn amount_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let text = raw.get();
    if text.starts_with('"') {
        return serde_json::from_str(text).map_err(D::Error::custom);
    }
    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(D::Error::custom("an amount is a string or a number"))
}

/// The schema of an amount's text. Above zero, one of its digits is none: a second pattern says so, which programs that make up requests
/// understand better than a look ahead.
#[cfg(feature = "schema")]
pub fn amount_schema(pattern: &str, may_be_zero: bool) -> schemars::Schema {
    if may_be_zero {
        return schemars::json_schema!({"type": "string", "pattern": pattern});
    }
    schemars::json_schema!({"type": "string", "pattern": pattern, "allOf": [{"pattern": "[1-9]"}]})
}

/// The text of an amount that is not below zero.
#[cfg(feature = "schema")]
pub const PLAIN_AMOUNT: &str = r"^[0-9]{1,12}(\.[0-9]{1,2})?$";

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $code:ident, $parse:expr, $pattern:expr, $may_be_zero:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct $name(String);

        impl $name {
            /// Reads it from its text.
            ///
            /// # Errors
            #[doc = concat!("[`ErrorCode::", stringify!($code), "`].")]
            pub fn parse(text: &str) -> Result<Self, ErrorCode> {
                let parse: fn(&str) -> Option<String> = $parse;
                parse(text).map(Self).ok_or(ErrorCode::$code)
            }

            /// With two decimals.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&amount_text(deserializer)?).map_err(D::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                amount_schema($pattern, $may_be_zero)
            }
        }
    };
}

fn positive(text: &str) -> Option<String> {
    Money::parse_price(text).ok().map(|amount| amount.to_string())
}

amount! {
    /// A price: a plain decimal above zero with at most two decimals.
    Price, InvalidPrice, positive, PLAIN_AMOUNT, false
}
amount! {
    /// What goes back: as a price.
    RefundAmount, InvalidRefundAmount, positive, PLAIN_AMOUNT, false
}
amount! {
    /// What is put onto a card: as a price.
    RechargeAmount, InvalidRechargeAmount, positive, PLAIN_AMOUNT, false
}
amount! {
    /// What a new card begins with: as a price, or zero.
    InitialBalance, InvalidPrice, |text| Money::parse(text).ok().map(|amount| amount.to_string()), PLAIN_AMOUNT, true
}
amount! {
    /// What an admin credits, or debits when it begins with a minus; never zero.
    AdjustmentAmount, InvalidPrice, adjustment, r"^-?[0-9]{1,12}(\.[0-9]{1,2})?$", false
}

fn adjustment(text: &str) -> Option<String> {
    match text.strip_prefix('-') {
        Some(debit) => positive(debit).map(|amount| format!("-{amount}")),
        None => positive(text),
    }
}

/// A password. `Debug` does not show it, and it is zeroed when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct Secret(#[cfg_attr(feature = "schema", schemars(with = "String"))] Zeroizing<String>);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Deeper JSON is nobody's tag, and PostgreSQL reads it by recursion.
const DEPTH_MAX: usize = 32;

/// How deep it nests at its deepest.
fn depth(json: &str) -> usize {
    let (mut now, mut most, mut is_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !is_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// A JSON object of the merchant's, as it was written: at most 4096 bytes, 32 levels deep.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Tag(Box<RawValue>);

impl Tag {
    /// Reads it from its text.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        serde_json::from_str(text).map_err(|_| ErrorCode::MalformedArgument)
    }

    /// Its own text.
    pub fn raw(&self) -> &RawValue {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let is_tag = text.starts_with('{') && text.len() <= BYTES_MAX as usize && depth(text) <= DEPTH_MAX;
        if is_tag { Ok(Self(raw)) } else { Err(D::Error::custom(ErrorCode::MalformedArgument)) }
    }
}

/// A JSON array, as it was written, at most 32 levels deep. Null is none: it would be taken for left out.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct JsonArray(Box<RawValue>);

impl<'de> Deserialize<'de> for JsonArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('[') && depth(raw.get()) <= DEPTH_MAX {
            Ok(Self(raw))
        } else {
            Err(D::Error::custom("no array"))
        }
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    macro_rules! schema {
        ($name:ident, $type:literal) => {
            impl JsonSchema for super::$name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({"type": $type})
                }
            }
        };
    }

    schema!(Tag, "object");
    schema!(JsonArray, "array");
}

/// The schema of a field that must be there and may be null: left out, it would be taken for null.
#[cfg(feature = "schema")]
pub(crate) fn nullable<T: schemars::JsonSchema>(
    generator: &mut schemars::SchemaGenerator,
) -> schemars::Schema {
    generator.subschema_for::<Option<T>>()
}

/// A decimal with two places, whatever zeros were printed; `None` when it has more.
pub(crate) fn two_places(value: Decimal) -> Option<Decimal> {
    let mut plain = value.normalize();
    if plain.scale() > 2 {
        return None;
    }
    plain.rescale(2);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_amount_is_read_from_its_text_with_the_code_of_that_amount() {
        for json in ["\"10\"", "10", "10.00", "\"10.0\""] {
            assert_eq!(read::<Price>(json).map(|price| price.0), Ok("10.00".to_owned()), "{json}");
        }
        for json in ["0", "-1", "1e3", "\"\"", "\"1.001\"", "\"NaN\""] {
            assert!(read::<Price>(json).is_err_and(|message| message.starts_with("INVALID_PRICE")), "{json}");
            let refund = read::<RefundAmount>(json);
            assert!(refund.is_err_and(|message| message.starts_with("INVALID_REFUND_AMOUNT")), "{json}");
        }
        assert_eq!(read::<InitialBalance>("0").map(|amount| amount.0), Ok("0.00".to_owned()));
        assert_eq!(read::<AdjustmentAmount>("\"-5\"").map(|amount| amount.0), Ok("-5.00".to_owned()));
        for json in ["\"--5\"", "\"-0\"", "0", "\"-\""] {
            assert!(read::<AdjustmentAmount>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_tag_is_an_object_of_bounded_length_and_depth() {
        let nested =
            |levels: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(levels - 1), "}".repeat(levels - 1));
        let long = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        let deceptive = format!(r#"{{"a":"{}\"{}"}}"#, "[".repeat(100), "{".repeat(100));
        for json in ["{}", r#"{ "n": 1.10 }"#, &nested(32), &long(4096), &deceptive] {
            assert_eq!(read::<Tag>(json).map(|tag| tag.raw().get().to_owned()), Ok(json.to_owned()));
        }
        let array = format!(r#"{{"a":{}{}}}"#, "[".repeat(32), "]".repeat(32));
        for json in ["[]", "1", "\"{}\"", &nested(33), &nested(6000), &array, &long(4097)] {
            let refusal = read::<Tag>(json).err().unwrap_or_default();
            assert!(refusal.starts_with("MALFORMED_ARGUMENT"), "{refusal}");
        }
        assert_eq!(read::<Option<Tag>>("null").map(|tag| tag.is_none()), Ok(true));
        assert!(read::<JsonArray>(&format!("{}{}", "[".repeat(33), "]".repeat(33))).is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        let secret: Result<Secret, String> = read("\"hush-hush\"");
        assert_eq!(secret.map(|secret| format!("{secret:?}")), Ok("Secret(…)".to_owned()));
    }
}
