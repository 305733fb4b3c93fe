//! Reading PostgREST's values: numbers from their text and never through a float, instants of PostgreSQL.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use mps_core::{Discount, ErrorCode, Money};
use rust_decimal::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::argument::two_places;

/// A JSON number or a JSON string with a plain decimal; extra zeros after the point do not count.
fn decimal_from_json(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_plain =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let shortest = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    if is_plain { Decimal::from_str_exact(shortest).ok() } else { None }
}

fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    decimal_from_json(raw.get()).ok_or_else(|| D::Error::custom("no plain decimal"))
}

pub(crate) fn money<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
    Money::try_from_decimal(decimal(deserializer)?).map_err(D::Error::custom)
}

pub(crate) fn discount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Discount, D::Error> {
    Discount::try_from_decimal(decimal(deserializer)?).map_err(D::Error::custom)
}

/// Types of the core that are written and read as their text.
pub(crate) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A moment in UTC; RFC 3339 with `Z` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(DateTime<Utc>);

impl Instant {
    /// Reads RFC 3339, and PostgreSQL's own form with a space and a short offset (`2026-11-23 01:06:00+00`). A year that RFC 3339
    /// cannot write, as its own offset may make one, is none.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
            .ok()?
            .to_utc();
        (0..=9999).contains(&moment.year()).then_some(Self(moment))
    }

    /// Whole seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// Whole milliseconds since 1970.
    pub fn unix_millis(self) -> i64 {
        self.0.timestamp_millis()
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(ErrorCode::MalformedArgument))
    }
}

/// An amount of the house as a reply has it: two decimals, below zero with a minus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(Decimal);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Amount {
    /// As an amount of the core; `None` below zero.
    pub fn to_money(self) -> Option<Money> {
        Money::try_from_decimal(self.0).ok()
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        two_places(decimal(deserializer)?).map(Self).ok_or_else(|| D::Error::custom("no amount"))
    }
}

/// A multiplier from 0 to 1 with three decimals, as an argument and in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier(Discount);

impl Serialize for Multiplier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Multiplier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let value = decimal_from_json(raw.get()).and_then(|value| Discount::try_from_decimal(value).ok());
        value.map(Self).ok_or_else(|| D::Error::custom(ErrorCode::MalformedArgument))
    }
}

/// Any JSON, as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub Box<RawValue>);

/// `p_` before each name, as the SQL functions have them. What is null is left out, so that the function's own default
/// counts, unless null is a value of its own there.
pub(crate) fn arguments<T: Serialize>(call: &T, keeps_nulls: bool) -> Option<String> {
    let plain = serde_json::to_string(call).ok()?;
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&plain).ok()?;
    let named: BTreeMap<String, Box<RawValue>> = fields
        .into_iter()
        .filter(|(_, value)| keeps_nulls || value.get() != "null")
        .map(|(name, value)| (format!("p_{name}"), value))
        .collect();
    serde_json::to_string(&named).ok()
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    macro_rules! schema {
        ($name:ident, $($json:tt)+) => {
            impl JsonSchema for super::$name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($($json)+)
                }
            }
        };
    }

    schema!(Instant, {"type": "string", "format": "date-time"});
    schema!(Amount, {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"});
    schema!(Multiplier, {"type": "string", "pattern": r"^[01]\.[0-9]{3}$"});
    schema!(Json, {});
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Deserialize)]
    struct Row {
        #[serde(deserialize_with = "money")]
        amount: Money,
    }

    fn amount(json: &str) -> Option<String> {
        serde_json::from_str::<Row>(&format!(r#"{{"amount":{json}}}"#)).ok().map(|row| row.amount.to_string())
    }

    #[test]
    fn an_amount_counts_by_its_value_not_by_its_text() {
        for (json, shown) in [
            ("284.05", "284.05"),
            ("284.0500", "284.05"),
            ("\"284.050\"", "284.05"),
            ("284.05000000000000000000000000000000000000", "284.05"),
            ("0", "0.00"),
            ("200", "200.00"),
            ("999999999999.99", "999999999999.99"),
        ] {
            assert_eq!(amount(json).as_deref(), Some(shown), "{json}");
        }
    }

    #[test]
    fn what_is_no_amount_of_the_house_is_drift_and_never_rounded() {
        for json in [
            "284.051",
            "-1",
            "1e3",
            "null",
            "true",
            "\"NaN\"",
            "\"\"",
            "\"-\"",
            "[]",
            "1000000000000",
            "\".\"",
        ] {
            assert_eq!(amount(json), None, "{json}");
        }
    }

    #[test]
    fn instants_of_postgrest_and_of_postgresql_are_one_moment_in_utc() {
        for (text, shown) in [
            ("2026-11-23T09:06:00.123456+08:00", "2026-11-23T01:06:00.123456Z"),
            ("2026-11-23T01:06:00+00:00", "2026-11-23T01:06:00Z"),
            ("2026-11-23T01:06:00.5Z", "2026-11-23T01:06:00.500Z"),
            ("2026-11-23 01:06:00.123456+00", "2026-11-23T01:06:00.123456Z"),
            ("2026-11-23 09:06:00+08", "2026-11-23T01:06:00Z"),
        ] {
            assert_eq!(
                Instant::parse(text).map(|moment| moment.to_string()).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for text in [
            "",
            "now",
            "2026-11-23",
            "2026-13-01T00:00:00Z",
            "2026-11-23 01:06:00",
            "9999-12-31T23:59:59-23:59",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_postgrest_with_any_extra_zeros(hundredths in 0_u64..100_000_000_000_000, zeros in 0_usize..30) {
            let shown = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let printed = format!("{shown}{}", "0".repeat(zeros));
            prop_assert_eq!(amount(&printed), Some(shown.clone()));
            prop_assert_eq!(amount(&format!("\"{printed}\"")), Some(shown));
        }

        #[test]
        fn a_third_decimal_is_never_swallowed(whole in 0_u64..1_000_000_000_000, third in 1_u8..=9) {
            let printed = format!("{whole}.00{third}");
            prop_assert_eq!(amount(&printed), None);
        }

        #[test]
        fn no_text_at_all_panics_the_readers(text in ".*") {
            let _ = decimal_from_json(&text);
            let _ = Instant::parse(&text);
        }
    }
}
