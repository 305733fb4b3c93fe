//! What a type of card may do: data, with the house's defaults (DOMAIN, "Cards").

use std::fmt;
use std::str::FromStr;

use crate::error::ErrorCode;

/// The four types of card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CardType {
    /// Every member's own card; its discount follows its points.
    Standard,
    /// A card with money on it that a household shares.
    Prepaid,
    /// A company's card; its discount also serves its people's standard cards.
    Corporate,
    /// Pays once; what is left over is forfeited.
    Voucher,
}

/// How often a card pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pays {
    /// Not at all.
    Never,
    /// One payment, then the card is closed.
    Once,
    /// As long as its balance lasts.
    Repeatedly,
}

/// Where a card's multiplier comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiscountRule {
    /// The lowest of its level's and the active corporate cards' of the payer.
    LevelOrCorporate,
    /// Its own fixed one, else its level's.
    FixedOrLevel,
    /// Its own fixed one, else the full price.
    FixedOrFullPrice,
    /// The full price.
    FullPrice,
}

/// What a type of card may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CardTypeRules {
    /// How often it pays.
    pub pays: Pays,
    /// Whether it is recharged; by whom, says the binding role.
    pub is_rechargeable: bool,
    /// Whether others may be bound to it, with its password.
    pub is_shareable: bool,
    /// Whether payments earn points.
    pub earns_points: bool,
    /// Where its multiplier comes from.
    pub discount: DiscountRule,
}

impl CardType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Prepaid, Self::Corporate, Self::Voucher];

    /// `"standard"`, `"prepaid"`, `"corporate"`, `"voucher"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Prepaid => "prepaid",
            Self::Corporate => "corporate",
            Self::Voucher => "voucher",
        }
    }

    /// The house's defaults.
    pub const fn default_rules(self) -> CardTypeRules {
        let (pays, is_rechargeable, is_shareable, earns_points, discount) = match self {
            Self::Standard => (Pays::Repeatedly, true, false, true, DiscountRule::LevelOrCorporate),
            Self::Prepaid => (Pays::Repeatedly, true, true, true, DiscountRule::FixedOrLevel),
            Self::Corporate => (Pays::Repeatedly, true, true, false, DiscountRule::FixedOrFullPrice),
            Self::Voucher => (Pays::Once, false, false, false, DiscountRule::FullPrice),
        };
        CardTypeRules { pays, is_rechargeable, is_shareable, earns_points, discount }
    }
}

impl fmt::Display for CardType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CardType {
    type Err = ErrorCode;

    fn from_str(text: &str) -> Result<Self, ErrorCode> {
        Self::ALL.into_iter().find(|card_type| card_type.as_str() == text).ok_or(ErrorCode::MalformedArgument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_its_own_text() {
        for card_type in CardType::ALL {
            assert_eq!(card_type.to_string().parse(), Ok(card_type));
        }
        assert_eq!("Standard".parse::<CardType>(), Err(ErrorCode::MalformedArgument));
    }

    #[test]
    fn the_types_may_do_what_the_table_of_the_domain_says() {
        use DiscountRule::{FixedOrFullPrice, FixedOrLevel, FullPrice, LevelOrCorporate};
        let rows = [
            ("standard", Pays::Repeatedly, "recharge", "own", "points", LevelOrCorporate),
            ("prepaid", Pays::Repeatedly, "recharge", "shared", "points", FixedOrLevel),
            ("corporate", Pays::Repeatedly, "recharge", "shared", "-", FixedOrFullPrice),
            ("voucher", Pays::Once, "-", "own", "-", FullPrice),
        ];
        for (name, pays, recharge, shared, points, discount) in rows {
            let rules = name.parse().map(CardType::default_rules);
            let expected = CardTypeRules {
                pays,
                is_rechargeable: recharge == "recharge",
                is_shareable: shared == "shared",
                earns_points: points == "points",
                discount,
            };
            assert_eq!(rules, Ok(expected), "{name}");
        }
    }
}
