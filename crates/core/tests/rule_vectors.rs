//! Amounts, prices, levels, claw-back, terminals' codes and fingerprints against spec/vectors.
#![allow(clippy::unwrap_used, reason = "a vector file that does not read fails the test")]

use mps_core::card::{CardTypeRules, DiscountRule};
use mps_core::payment_code::TerminalCode;
use mps_core::refund::RefundablePayment;
use mps_core::{CardType, Discount, ErrorCode, Fingerprint, Levels, Money, PriceRequest, quote};
use serde_json::Value;

fn cases(vectors: &str, group: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let cases = vectors[group].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{case} has no {key}"))
}

fn money(case: &Value, key: &str) -> Money {
    Money::parse(text(case, key)).unwrap()
}

fn count(case: &Value, key: &str) -> u64 {
    text(case, key).parse().unwrap()
}

#[test]
fn a_price_is_rounded_away_from_zero_and_earns_its_whole_units() {
    for case in cases(include_str!("../../../spec/vectors/price.json"), "cases") {
        let fixed = Discount::parse(text(&case, "discount")).unwrap();
        // A type that pays with exactly this multiplier and earns.
        let rules =
            CardTypeRules { discount: DiscountRule::FixedOrLevel, ..CardType::Standard.default_rules() };
        let outcome = Money::parse_price(text(&case, "raw_amount")).and_then(|raw_amount| {
            let levels = Levels::house();
            let (points, corporate_discounts) = (0, &[][..]);
            let request = PriceRequest {
                rules,
                raw_amount,
                points,
                fixed_discount: Some(fixed),
                corporate_discounts,
                levels: &levels,
            };
            quote(&request).map(|quote| (quote.final_amount.to_string(), quote.points_earned))
        });
        let expected = match case["err"].as_str() {
            Some(code) => Err(code.parse().unwrap()),
            None => Ok((text(&case, "final_amount").to_owned(), count(&case, "points"))),
        };
        assert_eq!(outcome, expected, "{case}");
    }
}

#[test]
fn the_text_of_an_amount_is_a_plain_decimal() {
    for case in cases(include_str!("../../../spec/vectors/amount-text.json"), "cases") {
        let shown = Money::parse_price(text(&case, "text")).map(|money| money.to_string());
        let expected = match case["err"].as_str() {
            Some(code) => Err(code.parse::<ErrorCode>().unwrap()),
            None => Ok(text(&case, "shown").to_owned()),
        };
        assert_eq!(shown, expected, "{case}");
    }
}

#[test]
fn the_levels_of_the_house_are_those_of_the_vectors() {
    let vectors = cases(include_str!("../../../spec/vectors/level.json"), "levels");
    let house = Levels::house();
    assert_eq!(house.as_slice().len(), vectors.len());
    for (level, row) in house.as_slice().iter().zip(&vectors) {
        assert_eq!(level.level.to_string(), text(row, "level"));
        assert_eq!(level.name, text(row, "name"));
        assert_eq!(level.points_min, count(row, "points_min"));
        assert_eq!(level.points_max.map(|max| max.to_string()).as_deref(), row["points_max"].as_str());
        assert_eq!(level.discount.to_string(), text(row, "discount"));
    }
}

#[test]
fn points_give_a_level_and_a_way_to_the_next() {
    let house = Levels::house();
    for case in cases(include_str!("../../../spec/vectors/level.json"), "cases") {
        let standing = house.standing(count(&case, "points"));
        assert_eq!(standing.level.level.to_string(), text(&case, "level"), "{case}");
        assert_eq!(standing.level.discount.to_string(), text(&case, "discount"), "{case}");
        let next = standing.next.map(|next| next.points_min.to_string());
        assert_eq!(next.as_deref(), case["next_level_points"].as_str(), "{case}");
        let missing = standing.points_to_next.map(|points| points.to_string());
        assert_eq!(missing.as_deref(), case["points_to_next"].as_str(), "{case}");
    }
}

#[test]
fn refunds_take_points_back_in_proportion() {
    for case in cases(include_str!("../../../spec/vectors/level.json"), "clawback") {
        let mut payment = RefundablePayment {
            final_amount: money(&case, "final_amount"),
            points_earned: count(&case, "points_earned"),
            refunded_before: Money::ZERO,
            points_taken_before: 0,
        };
        for step in case["steps"].as_array().unwrap() {
            let refund = money(step, "refund");
            let preview = payment.refund_preview(refund, u64::MAX).unwrap();
            assert_eq!(preview.points_taken, count(step, "points_taken"), "{case}");
            payment.refunded_before = payment.refunded_before.checked_add(refund).unwrap();
            payment.points_taken_before += preview.points_taken;
        }
        assert_eq!(payment.refunded_before, payment.final_amount, "{case}");
        assert_eq!(payment.points_taken_before, payment.points_earned, "{case}");
    }
}

#[test]
fn a_terminals_code_is_six_of_digits_and_capitals() {
    let vectors = include_str!("../../../spec/vectors/terminal-code.json");
    for valid in cases(vectors, "valid") {
        let text = valid.as_str().unwrap();
        assert_eq!(TerminalCode::parse(text).unwrap().as_str(), text);
    }
    for case in cases(vectors, "invalid") {
        assert_eq!(
            TerminalCode::parse(text(&case, "text")),
            Err(text(&case, "err").parse().unwrap()),
            "{case}"
        );
    }
}

#[test]
fn a_request_has_the_fingerprint_of_its_fields() {
    for case in cases(include_str!("../../../spec/vectors/fingerprint.json"), "cases") {
        let fields: Vec<Option<&str>> =
            case["fields"].as_array().unwrap().iter().map(Value::as_str).collect();
        let fingerprint = Fingerprint::of(text(&case, "rpc"), &fields).unwrap();
        let hex = text(&case, "sha256");
        let expected: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        assert_eq!(fingerprint.as_bytes().as_slice(), expected, "{case}");
    }
}
