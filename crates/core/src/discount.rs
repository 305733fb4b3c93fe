//! The multiplier a price is paid with: 0.000 to 1.000, three decimals; the lower, the better for the payer.

use std::fmt;

use rust_decimal::Decimal;

use crate::error::ErrorCode;
use crate::limits::money::DISCOUNT_SCALE_DIGITS;
use crate::money::Money;

/// A multiplier from `0.000` (free) to `1.000` (full price).
///
/// ```
/// use mps_core::{Discount, Money};
/// let silver = Discount::parse("0.95")?;
/// assert_eq!(silver.to_string(), "0.950");
/// assert_eq!(silver.of(Money::parse_price("299.00")?), Money::parse("284.05")?);
/// # Ok::<(), mps_core::ErrorCode>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Discount(Decimal);

impl Discount {
    /// `1.000`: the full price.
    pub const FULL_PRICE: Self = Self::from_thousandths_const(1000);

    const fn from_thousandths_const(thousandths: u32) -> Self {
        Self(Decimal::from_parts(thousandths, 0, 0, false, DISCOUNT_SCALE_DIGITS))
    }

    /// `950` → `0.950`; `None` above 1000.
    pub const fn from_thousandths(thousandths: u32) -> Option<Self> {
        if thousandths <= 1000 { Some(Self::from_thousandths_const(thousandths)) } else { None }
    }

    /// Reads `0` or `1`, then at most one point with one to three ASCII digits after it; at most `1.000`.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let (whole, fraction): (_, &[u8]) = match text.as_bytes() {
            [whole @ (b'0' | b'1')] => (whole, &[]),
            [whole @ (b'0' | b'1'), b'.', fraction @ ..] if !fraction.is_empty() => (whole, fraction),
            _ => return Err(ErrorCode::MalformedArgument),
        };
        if fraction.len() > DISCOUNT_SCALE_DIGITS as usize || !fraction.iter().all(u8::is_ascii_digit) {
            return Err(ErrorCode::MalformedArgument);
        }
        let digit = |at: usize| fraction.get(at).map_or(0, |digit| u32::from(digit - b'0'));
        let thousandths = u32::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2);
        Self::from_thousandths(thousandths).ok_or(ErrorCode::MalformedArgument)
    }

    /// A multiplier that a database gave: its value must fit, its trailing zeros do not matter.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`] outside 0…1 or with a fourth decimal.
    pub fn try_from_decimal(value: Decimal) -> Result<Self, ErrorCode> {
        let plain = value.normalize();
        let is_in_bounds = plain >= Decimal::ZERO && plain <= Decimal::ONE;
        if !is_in_bounds || plain.scale() > DISCOUNT_SCALE_DIGITS {
            return Err(ErrorCode::MalformedArgument);
        }
        let mut plain = plain.abs();
        plain.rescale(DISCOUNT_SCALE_DIGITS);
        Ok(Self(plain))
    }

    /// The value, with scale 3.
    pub const fn as_decimal(self) -> Decimal {
        self.0
    }

    /// `0.950` → 950.
    pub fn thousandths(self) -> u32 {
        // At most a thousand.
        u32::try_from(self.0.mantissa()).unwrap_or_default()
    }

    /// `round(raw × multiplier, 2)`, halves away from zero; never above `raw`, so it always fits.
    #[must_use]
    pub fn of(self, raw: Money) -> Money {
        // Fourteen digits times a thousand fit; halves go up since nothing is negative.
        Money::from_hundredths((raw.hundredths() * u64::from(self.thousandths()) + 500) / 1000)
    }
}

/// Always three decimals.
impl fmt::Display for Discount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Discount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Discount({self})")
    }
}

#[cfg(feature = "serde")]
mod serde_text {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Discount;

    impl Serialize for Discount {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Discount {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn a_multiplier_is_shown_with_three_decimals() {
        for (text, shown) in
            [("0", "0.000"), ("1", "1.000"), ("0.9", "0.900"), ("0.95", "0.950"), ("1.0", "1.000")]
        {
            assert_eq!(Discount::parse(text).map(|discount| discount.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn a_multiplier_is_from_zero_to_one_with_at_most_three_decimals() {
        for text in [
            "1.001", "2", "0.9501", "0.9500", "-0.1", "+1", ".9", "1.", "00.9", "1e0", "", "NaN", "0.9 ", "9",
        ] {
            assert_eq!(Discount::parse(text), Err(ErrorCode::MalformedArgument), "{text:?}");
        }
        assert_eq!(Discount::from_thousandths(1001), None);
    }

    #[test]
    fn a_databases_trailing_zeros_do_not_matter() -> Result<(), rust_decimal::Error> {
        let discount = |text: &str| Decimal::from_str(text).map(Discount::try_from_decimal);
        assert_eq!(discount("0.950000")?, Discount::parse("0.95"));
        assert_eq!(discount("0.9501")?, Err(ErrorCode::MalformedArgument));
        assert_eq!(discount("1.0001")?, Err(ErrorCode::MalformedArgument));
        assert_eq!(discount("-0.001")?, Err(ErrorCode::MalformedArgument));
        Ok(())
    }

    /// Integer arithmetic is the second opinion: hundredths × thousandths, half up at 10⁻².
    #[test]
    fn every_small_price_with_every_multiplier_rounds_halves_away_from_zero() {
        for hundredths in 0..=1050_u32 {
            let raw = Money::try_from_decimal(Decimal::new(i64::from(hundredths), 2));
            for thousandths in 0..=1000_u32 {
                let expected = Decimal::new(i64::from((hundredths * thousandths + 500) / 1000), 2);
                let discount = Discount::from_thousandths(thousandths);
                let paid = raw.ok().zip(discount).map(|(raw, discount)| discount.of(raw).as_decimal());
                assert_eq!(paid, Some(expected), "{hundredths} x {thousandths}");
            }
        }
    }
}
