//! Amounts of the house currency: never a float, never negative, always two decimals.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::error::ErrorCode;
use crate::limits::money::{INTEGER_DIGITS_MAX, SCALE_DIGITS};

/// An amount from `0.00` to `999999999999.99`: SQL's `numeric(14,2)` without the negative half.
///
/// ```
/// use mps_core::Money;
/// let price = Money::parse_price("299.9")?;
/// assert_eq!(price.to_string(), "299.90");
/// # Ok::<(), mps_core::ErrorCode>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

impl Money {
    /// `0.00`.
    pub const ZERO: Self = Self(Decimal::from_parts(0, 0, 0, false, SCALE_DIGITS));

    /// Reads a plain decimal: one to twelve ASCII digits, then at most one point with one or two digits after it.
    ///
    /// Refused: signs, exponents, grouping, spaces, other scripts' digits, `.5`, `5.`, more than two decimals (even
    /// zeros) and more than twelve digits before the point (leading zeros count; otherwise they mean nothing).
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        parse_plain_decimal(text).ok_or(ErrorCode::MalformedArgument)
    }

    /// Reads a price: as [`Money::parse`], and above zero.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPrice`].
    pub fn parse_price(text: &str) -> Result<Self, ErrorCode> {
        parse_plain_decimal(text).filter(|amount| !amount.is_zero()).ok_or(ErrorCode::InvalidPrice)
    }

    /// An amount that a database or a computation gave: its value must fit, its trailing zeros do not matter.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedArgument`] when negative, with a third decimal, or above the largest amount.
    pub fn try_from_decimal(value: Decimal) -> Result<Self, ErrorCode> {
        let plain = value.normalize();
        let is_in_bounds = plain >= Decimal::ZERO && plain < Decimal::from(10_u64.pow(INTEGER_DIGITS_MAX));
        if !is_in_bounds || plain.scale() > SCALE_DIGITS {
            return Err(ErrorCode::MalformedArgument);
        }
        let mut plain = plain.abs();
        plain.rescale(SCALE_DIGITS);
        Ok(Self(plain))
    }

    /// `28405` → `284.05`; the caller knows that it fits.
    pub(crate) const fn from_hundredths(hundredths: u64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
        let (low, high) = (hundredths as u32, (hundredths >> 32) as u32);
        Self(Decimal::from_parts(low, high, 0, false, SCALE_DIGITS))
    }

    /// The value, with scale 2.
    pub const fn as_decimal(self) -> Decimal {
        self.0
    }

    /// Whether it is `0.00`.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The sum, or `None` above the largest amount.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::try_from_decimal(self.0.checked_add(other.0)?).ok()
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::try_from_decimal(self.0.checked_sub(other.0)?).ok()
    }

    /// Whole units, the rest cut off: `299.99` → 299.
    pub fn whole_units(self) -> u64 {
        self.hundredths() / 10_u64.pow(SCALE_DIGITS)
    }

    /// The amount in hundredths: `284.05` → 28405.
    pub fn hundredths(self) -> u64 {
        // Fourteen digits always fit.
        u64::try_from(self.0.mantissa()).unwrap_or(u64::MAX)
    }
}

fn parse_plain_decimal(text: &str) -> Option<Money> {
    let (integer, fraction) = match text.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (text, None),
    };
    let has_digits = |part: &str, most: u32| {
        (1..=most as usize).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !has_digits(integer, INTEGER_DIGITS_MAX) || !fraction.is_none_or(|part| has_digits(part, SCALE_DIGITS))
    {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    let digits = integer.bytes().chain(fraction.bytes()).chain(std::iter::repeat(b'0'));
    let digits = digits.take(integer.len() + SCALE_DIGITS as usize);
    Some(Money::from_hundredths(digits.fold(0, |all, digit| all * 10 + u64::from(digit - b'0'))))
}

/// Always two decimals: `284.05`, `0.00`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

impl FromStr for Money {
    type Err = ErrorCode;

    fn from_str(text: &str) -> Result<Self, ErrorCode> {
        Self::parse(text)
    }
}

#[cfg(feature = "serde")]
mod serde_text {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Money;

    /// A decimal string.
    impl Serialize for Money {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    /// A decimal string, by the rules of [`Money::parse`]; a number is refused, it has been through a float.
    impl<'de> Deserialize<'de> for Money {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_shown_with_two_decimals() {
        for (text, shown) in
            [("0", "0.00"), ("5", "5.00"), ("5.1", "5.10"), ("007.50", "7.50"), ("0.01", "0.01")]
        {
            assert_eq!(Money::parse(text).map(|money| money.to_string()), Ok(shown.to_owned()), "{text}");
        }
        assert_eq!(Money::ZERO.to_string(), "0.00");
    }

    #[test]
    fn text_that_is_not_a_plain_decimal_is_refused() {
        for text in [
            "", ".", ".5", "5.", "5..0", "1.005", "1.000", "+1", "-1", "-0", "1e3", "1E3", "1,000", "1_000",
            " 1", "1 ", "NaN", "nan", "Infinity", "inf", "0x10", "٣", "１", "1.٣", "1\n", "1\0", "1.0.0",
            "$1", "½",
        ] {
            assert_eq!(Money::parse(text), Err(ErrorCode::MalformedArgument), "{text:?}");
            assert_eq!(Money::parse_price(text), Err(ErrorCode::InvalidPrice), "{text:?}");
        }
    }

    #[test]
    fn an_amount_has_at_most_twelve_digits_before_the_point() {
        assert_eq!(
            Money::parse("999999999999.99").map(|money| money.to_string()),
            Ok("999999999999.99".into())
        );
        assert_eq!(Money::parse("1000000000000"), Err(ErrorCode::MalformedArgument));
        assert_eq!(Money::parse("0000000000001"), Err(ErrorCode::MalformedArgument));
        assert_eq!(Money::parse_price("99999999999999"), Err(ErrorCode::InvalidPrice));
    }

    #[test]
    fn zero_is_a_balance_but_no_price() {
        for text in ["0", "0.0", "0.00", "000"] {
            assert_eq!(Money::parse(text), Ok(Money::ZERO));
            assert_eq!(Money::parse_price(text), Err(ErrorCode::InvalidPrice));
        }
    }

    #[test]
    fn a_decimal_counts_by_its_value_not_by_its_zeros() -> Result<(), rust_decimal::Error> {
        let money =
            |text: &str| Ok::<_, rust_decimal::Error>(Money::try_from_decimal(Decimal::from_str(text)?));
        assert_eq!(money("284.0500")?.map(|money| money.to_string()), Ok("284.05".into()));
        assert_eq!(money("-0")?, Ok(Money::ZERO));
        assert_eq!(money("284.051")?, Err(ErrorCode::MalformedArgument));
        assert_eq!(money("284.0501")?, Err(ErrorCode::MalformedArgument));
        assert_eq!(money("-0.01")?, Err(ErrorCode::MalformedArgument));
        assert_eq!(money("1000000000000")?, Err(ErrorCode::MalformedArgument));
        Ok(())
    }

    #[test]
    fn sums_and_differences_stay_within_the_bounds() -> Result<(), ErrorCode> {
        let (small, large) = (Money::parse("0.01")?, Money::parse("999999999999.99")?);
        assert_eq!(large.checked_add(small), None);
        assert_eq!(small.checked_sub(large), None);
        assert_eq!(large.checked_sub(large), Some(Money::ZERO));
        assert_eq!(small.checked_add(small), Money::parse("0.02").ok());
        assert_eq!(large.whole_units(), 999_999_999_999);
        Ok(())
    }
}
