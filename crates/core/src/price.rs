//! What a payment costs and earns (DOMAIN, "Price"): the multiplier, where it comes from, the final amount, the points.

use crate::card::{CardTypeRules, DiscountRule, Pays};
use crate::discount::Discount;
use crate::error::ErrorCode;
use crate::level::Levels;
use crate::money::Money;

/// An active, unexpired corporate card with a fixed multiplier on which the payer is owner, admin or member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorporateDiscount<'a> {
    /// Breaks ties: the lowest wins.
    pub card_no: &'a str,
    /// The card's fixed multiplier.
    pub discount: Discount,
}

/// All that a price depends on.
#[derive(Clone, Copy, Debug)]
pub struct PriceRequest<'a> {
    /// What the card's type may do.
    pub rules: CardTypeRules,
    /// What the goods cost; above zero.
    pub raw_amount: Money,
    /// The card's own points at the moment of payment.
    pub points: u64,
    /// The card's own fixed multiplier.
    pub fixed_discount: Option<Discount>,
    /// The payer's corporate discounts, in any order.
    pub corporate_discounts: &'a [CorporateDiscount<'a>],
    /// The levels in force.
    pub levels: &'a Levels,
}

/// Where the multiplier came from; stored with the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscountSource<'a> {
    /// The level of the card's points.
    Level,
    /// The card's own fixed multiplier.
    Card,
    /// A corporate card of the payer.
    Corporate {
        /// Which one.
        card_no: &'a str,
    },
    /// Nothing: the full price.
    None,
}

impl DiscountSource<'_> {
    /// `"level"`, `"card"`, `"corporate"` or `"none"`, as RPCs and routes say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Card => "card",
            Self::Corporate { .. } => "corporate",
            Self::None => "none",
        }
    }
}

/// What a payment costs and earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote<'a> {
    /// What the goods cost.
    pub raw_amount: Money,
    /// What it is multiplied by.
    pub discount: Discount,
    /// Where that came from.
    pub discount_source: DiscountSource<'a>,
    /// What is paid; `0.00` is allowed.
    pub final_amount: Money,
    /// Whole units of the raw amount, for types that earn, unless nothing is paid.
    pub points_earned: u64,
}

/// Prices a payment. Balance, limits and the code are the database's to check.
///
/// ```
/// use mps_core::{CardType, Levels, Money, PriceRequest, quote};
/// let quote = quote(&PriceRequest {
///     rules: CardType::Standard.default_rules(),
///     raw_amount: Money::parse_price("299.00")?,
///     points: 1200,
///     fixed_discount: None,
///     corporate_discounts: &[],
///     levels: &Levels::house(),
/// })?
/// .final_amount;
/// assert_eq!(quote.to_string(), "284.05");
/// # Ok::<(), mps_core::ErrorCode>(())
/// ```
///
/// # Errors
/// [`ErrorCode::InvalidPrice`] when the amount is zero,
/// [`ErrorCode::UnsupportedCardTypeForPayment`] when the type never pays.
pub fn quote<'a>(request: &PriceRequest<'a>) -> Result<Quote<'a>, ErrorCode> {
    if request.raw_amount.is_zero() {
        return Err(ErrorCode::InvalidPrice);
    }
    if request.rules.pays == Pays::Never {
        return Err(ErrorCode::UnsupportedCardTypeForPayment);
    }
    let (discount, discount_source) = discount_of(request);
    let final_amount = discount.of(request.raw_amount);
    let earns = request.rules.earns_points && !final_amount.is_zero();
    let points_earned = if earns { points_for(request.raw_amount) } else { 0 };
    Ok(Quote { raw_amount: request.raw_amount, discount, discount_source, final_amount, points_earned })
}

/// Points of a payment by a type that earns: whole units of the raw amount.
pub fn points_for(raw_amount: Money) -> u64 {
    raw_amount.whole_units()
}

fn discount_of<'a>(request: &PriceRequest<'a>) -> (Discount, DiscountSource<'a>) {
    let level = || (request.levels.level_for(request.points).discount, DiscountSource::Level);
    let fixed = request.fixed_discount.map(|discount| (discount, DiscountSource::Card));
    match request.rules.discount {
        DiscountRule::LevelOrCorporate => lowest(level(), request.corporate_discounts),
        DiscountRule::FixedOrLevel => fixed.unwrap_or_else(level),
        DiscountRule::FixedOrFullPrice => fixed.unwrap_or((Discount::FULL_PRICE, DiscountSource::None)),
        DiscountRule::FullPrice => (Discount::FULL_PRICE, DiscountSource::None),
    }
}

/// Ties go to the level, then to the lowest card number.
fn lowest<'a>(
    level: (Discount, DiscountSource<'a>),
    corporate: &[CorporateDiscount<'a>],
) -> (Discount, DiscountSource<'a>) {
    let best = corporate.iter().min_by_key(|card| (card.discount, card.card_no));
    match best {
        Some(card) if card.discount < level.0 => {
            (card.discount, DiscountSource::Corporate { card_no: card.card_no })
        }
        _ => level,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::CardType;

    type Paid = (String, &'static str, String, u64);

    fn price(
        card_type: CardType,
        raw: &str,
        points: u64,
        fixed: Option<&str>,
        corporate: &[(&str, &str)],
    ) -> Result<Paid, ErrorCode> {
        let corporate = corporate
            .iter()
            .map(|(card_no, discount)| {
                Ok(CorporateDiscount { card_no, discount: Discount::parse(discount)? })
            })
            .collect::<Result<Vec<_>, ErrorCode>>()?;
        let levels = Levels::house();
        let quote = quote(&PriceRequest {
            rules: card_type.default_rules(),
            raw_amount: Money::parse(raw)?,
            points,
            fixed_discount: fixed.map(Discount::parse).transpose()?,
            corporate_discounts: &corporate,
            levels: &levels,
        })?;
        let source = quote.discount_source.as_str();
        Ok((quote.discount.to_string(), source, quote.final_amount.to_string(), quote.points_earned))
    }

    fn paid(discount: &str, source: &'static str, amount: &str, points: u64) -> Paid {
        (discount.to_owned(), source, amount.to_owned(), points)
    }

    #[test]
    fn a_standard_card_pays_with_the_level_of_its_points() {
        assert_eq!(
            price(CardType::Standard, "299.00", 999, None, &[]),
            Ok(paid("1.000", "level", "299.00", 299))
        );
        assert_eq!(
            price(CardType::Standard, "299.00", 1000, None, &[]),
            Ok(paid("0.950", "level", "284.05", 299))
        );
    }

    #[test]
    fn a_standard_card_pays_with_a_corporate_discount_only_when_it_is_better() {
        let card = |corporate: &[(&str, &str)]| price(CardType::Standard, "100", 1000, None, corporate);
        assert_eq!(card(&[("COR00000001", "0.951")]), Ok(paid("0.950", "level", "95.00", 100)));
        assert_eq!(card(&[("COR00000001", "0.950")]), Ok(paid("0.950", "level", "95.00", 100)));
        assert_eq!(card(&[("COR00000001", "0.949")]), Ok(paid("0.949", "corporate", "94.90", 100)));
        let ignored = price(CardType::Standard, "100", 1000, Some("0.1"), &[]);
        assert_eq!(ignored, Ok(paid("0.950", "level", "95.00", 100)));
    }

    #[test]
    fn of_equal_corporate_discounts_the_lowest_card_number_is_the_source() -> Result<(), ErrorCode> {
        let card =
            |card_no, discount| Ok(CorporateDiscount { card_no, discount: Discount::parse(discount)? });
        let cards = [card("COR00000003", "0.8")?, card("COR00000002", "0.8")?, card("COR00000001", "0.9")?];
        let levels = Levels::house();
        let quote = quote(&PriceRequest {
            rules: CardType::Standard.default_rules(),
            raw_amount: Money::parse("1")?,
            points: 0,
            fixed_discount: None,
            corporate_discounts: &cards,
            levels: &levels,
        })?;
        assert_eq!(quote.discount_source, DiscountSource::Corporate { card_no: "COR00000002" });
        Ok(())
    }

    #[test]
    fn a_prepaid_card_pays_with_its_fixed_discount_else_with_its_level() {
        let corporate = [("COR00000001", "0.100")];
        assert_eq!(
            price(CardType::Prepaid, "100", 0, Some("0.9"), &corporate),
            Ok(paid("0.900", "card", "90.00", 100))
        );
        assert_eq!(
            price(CardType::Prepaid, "100", 5000, Some("1"), &[]),
            Ok(paid("1.000", "card", "100.00", 100))
        );
        assert_eq!(
            price(CardType::Prepaid, "100", 5000, None, &corporate),
            Ok(paid("0.900", "level", "90.00", 100))
        );
    }

    #[test]
    fn a_corporate_card_pays_with_its_fixed_discount_else_in_full_and_earns_nothing() {
        assert_eq!(
            price(CardType::Corporate, "100", 5000, Some("0.8"), &[]),
            Ok(paid("0.800", "card", "80.00", 0))
        );
        assert_eq!(
            price(CardType::Corporate, "100", 5000, None, &[]),
            Ok(paid("1.000", "none", "100.00", 0))
        );
    }

    #[test]
    fn a_voucher_pays_in_full_and_earns_nothing() {
        let corporate = [("COR00000001", "0.100")];
        assert_eq!(
            price(CardType::Voucher, "100", 5000, Some("0.8"), &corporate),
            Ok(paid("1.000", "none", "100.00", 0))
        );
    }

    #[test]
    fn a_payment_of_nothing_earns_nothing() {
        assert_eq!(price(CardType::Prepaid, "100", 0, Some("0"), &[]), Ok(paid("0.000", "card", "0.00", 0)));
    }

    #[test]
    fn a_price_of_zero_is_refused() {
        assert_eq!(price(CardType::Standard, "0.00", 0, None, &[]), Err(ErrorCode::InvalidPrice));
    }

    #[test]
    fn a_type_that_never_pays_is_refused() -> Result<(), ErrorCode> {
        let levels = Levels::house();
        let refused = quote(&PriceRequest {
            rules: CardTypeRules { pays: Pays::Never, ..CardType::Voucher.default_rules() },
            raw_amount: Money::parse("1")?,
            points: 0,
            fixed_discount: None,
            corporate_discounts: &[],
            levels: &levels,
        });
        assert_eq!(refused, Err(ErrorCode::UnsupportedCardTypeForPayment));
        Ok(())
    }
}
