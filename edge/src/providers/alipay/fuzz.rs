//! Alipay's parsers for tests/fuzz: each believes nobody, and is then led on as if somebody had signed.

use std::sync::LazyLock;

use super::{Alipay, AlipayAccount, Arc, AskError, Money, Notice, Price, PublicKey, SigningKey, Standing};
use super::{decoded, form, read_contents};
use crate::fuzz::{PUBLIC_KEY, Still, hold_lost, hold_payment};
use crate::platform::native::at_once;

const ORDER_NO: &str = "ORD0000000001";

static OURS: LazyLock<Alipay> = LazyLock::new(|| {
    let key = PublicKey::parse(PUBLIC_KEY).unwrap_or_else(|_| unreachable!("it is written there"));
    let account = AlipayAccount {
        app_id: "2021000000000001".to_owned(),
        seller_id: "2088000000000001".to_owned(),
        key: SigningKey::none(),
        public_keys: vec![key],
        gateway_url: "https://alipay.example/gateway.do".to_owned(),
        notify_url: "https://pay.example/api/webhooks/alipay".to_owned(),
    };
    Alipay::new(account, Arc::new(Still))
});

/// A notification: the form.
pub(crate) fn notice(data: &[u8]) {
    assert!(at_once(OURS.read_notice(data)).is_err(), "nobody signed it");
    let Ok(fields) = form(data).and_then(|form| decoded(&form)) else { return };
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    if let Ok(Notice::Paid(payment) | Notice::Contradicted(_, Some(payment))) = OURS.read_form(&field) {
        hold_payment(&payment);
        assert_eq!((field("app_id"), field("seller_id")), ("2021000000000001", "2088000000000001"));
        assert_eq!(
            (field("out_trade_no"), field("trade_no")),
            (&*payment.order_no, &*payment.provider_tx_id)
        );
        assert!(matches!(field("trade_status"), "TRADE_SUCCESS" | "TRADE_FINISHED"));
        let hundredths = |text: &str| Money::parse(text).map_or(0, Money::hundredths);
        let rest = hundredths(field("total_amount")) - hundredths(field("refund_fee"));
        assert_eq!(hundredths(payment.amount.as_str()), rest);
    }
}

/// What the gateway answers to a query or a close: all of it, and then the same bytes as the contents alone.
pub(crate) fn answer(data: &[u8]) {
    for node in ["alipay_trade_query_response", "alipay_trade_close_response"] {
        let answer = at_once(OURS.read_answer(node, data));
        assert!(answer.is_err_and(|error| matches!(error, AskError::Lost(_))));
    }
    match read_contents(&String::from_utf8_lossy(data)) {
        Ok(answer) => match answer.standing_of(ORDER_NO) {
            Ok(Standing::Paid(payment)) => {
                hold_payment(&payment);
                assert_eq!((&*payment.order_no, &payment.provider_tx_id), (ORDER_NO, &answer.trade_no));
                assert_eq!(Price::parse(&answer.total_amount), Ok(payment.amount));
            }
            Ok(Standing::Open | Standing::Over | Standing::Refunded { .. }) => {}
            Err(error) => hold_lost(error),
        },
        Err(error) => hold_lost(error),
    }
}
