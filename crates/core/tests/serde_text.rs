//! Amounts and multipliers in JSON are decimal strings.
#![cfg(feature = "serde")]

use mps_core::{Discount, ErrorCode, Money};
use serde_json::{from_str, to_string};

#[test]
fn an_amount_in_json_is_a_decimal_string() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(to_string(&Money::parse("284.05")?)?, r#""284.05""#);
    assert_eq!(from_str::<Money>(r#""284.5""#)?, Money::parse("284.50")?);
    assert_eq!(from_str::<Money>(r#""\u0032""#)?, Money::parse("2")?);
    assert_eq!(to_string(&Discount::parse("0.95")?)?, r#""0.950""#);
    assert_eq!(from_str::<Discount>(r#""1""#)?, Discount::FULL_PRICE);
    Ok(())
}

#[test]
fn a_json_number_is_no_amount_it_has_been_through_a_float() {
    for json in ["284.05", "284", "null", r#""1e3""#, r#""-1""#, r#""1.001""#] {
        assert!(from_str::<Money>(json).is_err(), "{json}");
    }
    for json in ["0.95", "1", r#""1.001""#] {
        assert!(from_str::<Discount>(json).is_err(), "{json}");
    }
}

#[test]
fn a_code_in_json_is_its_text() -> Result<(), serde_json::Error> {
    assert_eq!(to_string(&ErrorCode::InvalidQr)?, r#""INVALID_QR""#);
    Ok(())
}
