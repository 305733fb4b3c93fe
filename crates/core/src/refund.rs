//! What a refund leaves of a payment and which points it takes back (DOMAIN, "Claw-back").

use crate::error::ErrorCode;
use crate::money::Money;

/// A payment and what earlier refunds did to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundablePayment {
    /// What was paid.
    pub final_amount: Money,
    /// The points it earned.
    pub points_earned: u64,
    /// What earlier refunds gave back.
    pub refunded_before: Money,
    /// The points earlier refunds really took.
    pub points_taken_before: u64,
}

/// What one more refund does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundPreview {
    /// What is left to refund after it.
    pub remaining: Money,
    /// The points it takes.
    pub points_taken: u64,
}

impl RefundablePayment {
    /// Computes one more refund of `amount` while the card has `points_left`: after it, the total taken back is
    /// `floor(points_earned × Σ refunds ÷ final)`; this refund takes the difference, at most the points left.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRefundAmount`] when zero, [`ErrorCode::RefundExceedsRemaining`] when above what is left.
    pub fn refund_preview(&self, amount: Money, points_left: u64) -> Result<RefundPreview, ErrorCode> {
        if amount.is_zero() {
            return Err(ErrorCode::InvalidRefundAmount);
        }
        let refunded = self.refunded_before.checked_add(amount);
        let remaining = refunded.and_then(|refunded| self.final_amount.checked_sub(refunded));
        let (Some(refunded), Some(remaining)) = (refunded, remaining) else {
            return Err(ErrorCode::RefundExceedsRemaining);
        };
        let total = clawback_total(self.points_earned, refunded, self.final_amount);
        let points_taken = total.saturating_sub(self.points_taken_before).min(points_left);
        Ok(RefundPreview { remaining, points_taken })
    }
}

/// `floor(points_earned × refunded ÷ final)`: everything at full refund, nothing of a payment of nothing.
pub fn clawback_total(points_earned: u64, refunded: Money, final_amount: Money) -> u64 {
    let total = u128::from(points_earned) * u128::from(refunded.hundredths());
    match total.checked_div(u128::from(final_amount.hundredths())) {
        // More than was earned is never taken, even if the caller's sums are wrong.
        Some(total) => u64::try_from(total).unwrap_or(u64::MAX).min(points_earned),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(paid: &str, points_earned: u64) -> Result<RefundablePayment, ErrorCode> {
        let final_amount = Money::parse(paid)?;
        Ok(RefundablePayment {
            final_amount,
            points_earned,
            refunded_before: Money::ZERO,
            points_taken_before: 0,
        })
    }

    #[test]
    fn the_total_taken_back_is_rounded_down_until_the_full_refund_takes_all() -> Result<(), ErrorCode> {
        // 299 points for 284.05: 299 × 100 ÷ 284.05 = 105.26…, 299 × 284.04 ÷ 284.05 = 298.98…
        let paid = Money::parse("284.05")?;
        for (refunded, points) in
            [("0.00", 0), ("0.01", 0), ("100.00", 105), ("284.04", 298), ("284.05", 299)]
        {
            assert_eq!(clawback_total(299, Money::parse(refunded)?, paid), points, "{refunded}");
        }
        assert_eq!(clawback_total(299, Money::ZERO, Money::ZERO), 0);
        Ok(())
    }

    #[test]
    fn a_refund_takes_the_difference_to_what_was_taken_before() -> Result<(), ErrorCode> {
        let mut payment = payment("284.05", 299)?;
        let first = payment.refund_preview(Money::parse("100.00")?, 500)?;
        assert_eq!(first, RefundPreview { remaining: Money::parse("184.05")?, points_taken: 105 });
        payment.refunded_before = Money::parse("100.00")?;
        payment.points_taken_before = first.points_taken;
        let second = payment.refund_preview(first.remaining, 395)?;
        assert_eq!(second, RefundPreview { remaining: Money::ZERO, points_taken: 194 });
        Ok(())
    }

    #[test]
    fn a_refund_takes_at_most_the_points_left() -> Result<(), ErrorCode> {
        assert_eq!(payment("100", 100)?.refund_preview(Money::parse("100")?, 7)?.points_taken, 7);
        Ok(())
    }

    #[test]
    fn a_refund_is_above_zero_and_never_above_what_is_left() -> Result<(), ErrorCode> {
        let mut payment = payment("10.00", 10)?;
        let refund =
            |payment: RefundablePayment, amount| payment.refund_preview(amount, 10).map(|it| it.remaining);
        assert_eq!(refund(payment, Money::ZERO), Err(ErrorCode::InvalidRefundAmount));
        assert_eq!(refund(payment, Money::parse("10.01")?), Err(ErrorCode::RefundExceedsRemaining));
        payment.refunded_before = Money::parse("9.99")?;
        assert_eq!(refund(payment, Money::parse("0.02")?), Err(ErrorCode::RefundExceedsRemaining));
        assert_eq!(refund(payment, Money::parse("0.01")?), Ok(Money::ZERO));
        payment.refunded_before = Money::parse("10.00")?;
        assert_eq!(refund(payment, Money::parse("999999999999.99")?), Err(ErrorCode::RefundExceedsRemaining));
        Ok(())
    }
}
