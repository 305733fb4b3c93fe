//! What holds of any input.
#![allow(clippy::unwrap_used, reason = "a refusal of what the strategy made right fails the test")]

use mps_core::card::DiscountRule;
use mps_core::payment_code::{Handle, MasterKey, Step, offline_code, online_code};
use mps_core::price::{CorporateDiscount, DiscountSource};
use mps_core::refund::clawback_total;
use mps_core::{CardType, Discount, IdempotencyKey, Levels, Money, PaymentCode, PriceRequest, quote};
use proptest::prelude::*;

fn money_of(hundredths: u64) -> Money {
    Money::parse(&format!("{}.{:02}", hundredths / 100, hundredths % 100)).unwrap()
}

fn discounts() -> impl Strategy<Value = Discount> {
    (0..=1000_u32).prop_map(|thousandths| Discount::from_thousandths(thousandths).unwrap())
}

proptest! {
    #[test]
    fn an_amount_is_read_back_from_its_own_text(hundredths in 0..100_000_000_000_000_u64) {
        let money = money_of(hundredths);
        prop_assert_eq!(Money::parse(&money.to_string()), Ok(money));
        prop_assert_eq!(money.hundredths(), hundredths);
        prop_assert_eq!(Money::try_from_decimal(money.as_decimal()), Ok(money));
    }

    #[test]
    fn text_is_an_amount_exactly_when_the_written_rule_says_so(text in "[0-9.+eE,٣ -]{0,16}") {
        let (integer, fraction) = text.split_once('.').unwrap_or((&text, "00"));
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        let is_amount = digits(integer) && digits(fraction)
            && (1..=12).contains(&integer.len()) && (1..=2).contains(&fraction.len());
        prop_assert_eq!(Money::parse(&text).is_ok(), is_amount);
    }

    #[test]
    fn a_discount_never_raises_a_price_and_errs_by_half_a_hundredth_at_most(
        hundredths in 0..100_000_000_000_000_u64, discount in discounts(),
    ) {
        let raw = money_of(hundredths);
        let paid = discount.of(raw);
        let error = paid.as_decimal() - raw.as_decimal() * discount.as_decimal();
        prop_assert!(paid <= raw);
        prop_assert!(error.abs() <= rust_decimal::Decimal::new(5, 3));
    }

    #[test]
    fn a_standard_card_pays_with_the_lowest_multiplier_whatever_their_order(
        points in 0..20_000_u64, corporate in prop::collection::vec((discounts(), 0..99_999_999_u32), 0..5),
    ) {
        let numbers: Vec<String> = corporate.iter().map(|(_, number)| format!("COR{number:08}")).collect();
        let cards: Vec<CorporateDiscount<'_>> = numbers.iter().zip(&corporate)
            .map(|(card_no, (discount, _))| CorporateDiscount { card_no, discount: *discount }).collect();
        let reversed: Vec<_> = cards.iter().rev().copied().collect();
        let levels = Levels::house();
        let priced = |corporate_discounts| quote(&PriceRequest {
            rules: CardType::Standard.default_rules(), raw_amount: money_of(12_345), points, fixed_discount: None,
            corporate_discounts, levels: &levels,
        }).unwrap();
        let level = levels.level_for(points).discount;
        let lowest = cards.iter().map(|card| card.discount).fold(level, Ord::min);
        prop_assert_eq!(priced(&cards).discount, lowest);
        prop_assert_eq!(priced(&cards), priced(&reversed));
        prop_assert_eq!(priced(&cards).discount_source == DiscountSource::Level, lowest == level);
    }

    #[test]
    fn points_are_earned_only_by_types_that_earn_and_only_when_something_is_paid(
        hundredths in 1..5_000_000_u64, fixed in discounts(),
    ) {
        for card_type in CardType::ALL {
            let levels = Levels::house();
            let rules = card_type.default_rules();
            let quote = quote(&PriceRequest {
                rules, raw_amount: money_of(hundredths), points: 0, fixed_discount: Some(fixed),
                corporate_discounts: &[], levels: &levels,
            }).unwrap();
            let earns = rules.earns_points && !quote.final_amount.is_zero();
            prop_assert_eq!(quote.points_earned, if earns { hundredths / 100 } else { 0 });
            let pays_in_full = rules.discount == DiscountRule::FullPrice;
            prop_assert!(!pays_in_full || quote.final_amount == quote.raw_amount);
        }
    }

    #[test]
    fn a_claw_back_grows_with_the_refunds_and_ends_with_everything(
        points in 0..50_000_u64, paid in 1..5_000_000_u64, cut in 0.0..1.0_f64,
    ) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "any number below `paid` will do")]
        let part = (paid as f64 * cut) as u64;
        let total = |refunded| clawback_total(points, money_of(refunded), money_of(paid));
        prop_assert!(total(part) <= total(part + 1));
        prop_assert_eq!(total(paid), points);
        prop_assert_eq!(total(0), 0);
    }

    #[test]
    fn a_drawn_code_parses_and_no_two_neighbours_can_be_swapped_but_09(random in prop::array::uniform32(0..250_u8)) {
        let code = online_code(&random).unwrap();
        prop_assert_eq!(PaymentCode::parse(code.reveal()), Ok(code.clone()));
        for at in 0..23 {
            let mut bytes = code.reveal().as_bytes().to_vec();
            bytes.swap(at, at + 1);
            let (left, right) = (bytes[at], bytes[at + 1]);
            let is_luhn_blind = left == right || matches!((left, right), (b'0', b'9') | (b'9', b'0'));
            let swapped = PaymentCode::parse(&String::from_utf8(bytes).unwrap());
            prop_assert!(swapped.is_err() || is_luhn_blind, "{:?} {}", swapped, at);
        }
    }

    #[test]
    fn an_offline_code_parses_and_differs_from_step_to_step(seconds in 0..4_102_444_800_u64, key in any::<[u8; 32]>()) {
        let handle = Handle::parse("4242424242").unwrap();
        let device_key = MasterKey::new(key).device_key(&handle);
        let code = |seconds| offline_code(&handle, &device_key, Step::at(seconds), None);
        prop_assert_eq!(PaymentCode::parse(code(seconds).reveal()), Ok(code(seconds)));
        prop_assert_eq!(code(seconds), code(seconds / 30 * 30));
        prop_assert_ne!(code(seconds), code(seconds + 30));
    }

    #[test]
    fn any_printable_key_is_the_same_key_quoted(key in "[ !#-~][ -~]{0,254}") {
        let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
        let bare = IdempotencyKey::parse(&key).unwrap();
        prop_assert_eq!(bare.as_str(), &key);
        prop_assert_eq!(IdempotencyKey::parse(&quoted), Ok(bare));
    }
}
