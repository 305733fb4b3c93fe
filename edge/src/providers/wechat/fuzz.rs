//! WeChat's parsers for tests/fuzz: each believes nobody, and is then led on as if somebody had signed.

use std::sync::LazyLock;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use axum::http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{
    Arc, BTreeMap, Base64, Created, Encoding, HeaderMap, Notice, PublicKey, SigningKey, Standing, Wechat,
    WechatAccount,
};
use super::{notice, read, refused};
use crate::fuzz::{PUBLIC_KEY, Still, hold_lost, hold_payment};
use crate::platform::native::at_once;
use crate::providers::Payment;

const ORDER_NO: &str = "ORD0000000001";
const API_V3_KEY: &[u8; 32] = b"an-api-v3-key-has-thirty-two-let";

/// Names for the kinds of events that are told apart.
const EVENTS: [&str; 4] =
    ["TRANSACTION.SUCCESS", "TRANSACTION.FAIL", "REFUND.SUCCESS", "transaction.success"];

static OURS: LazyLock<Wechat> = LazyLock::new(|| {
    let key = PublicKey::parse(PUBLIC_KEY).unwrap_or_else(|_| unreachable!("it is written there"));
    let account = WechatAccount {
        mchid: "1900007291".to_owned(),
        appid: "wxd678efh567hg6787".to_owned(),
        serial_no: "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB".to_owned(),
        key: SigningKey::none(),
        api_v3_keys: vec![*API_V3_KEY],
        public_keys: BTreeMap::from([("PUB_KEY_ID_1".to_owned(), key)]),
        base_url: "https://wechat.example".to_owned(),
        notify_url: "https://pay.example/api/webhooks/wechat".to_owned(),
    };
    Wechat::new(account, Arc::new(Still))
});

/// A notification: headers, a line each as `name: value`, an empty line, the body.
pub(crate) fn notice(data: &[u8]) {
    let end = data.windows(2).position(|bytes| bytes == b"\n\n").unwrap_or(data.len());
    let body = data.get(end + 2..).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in data[..end].split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        let header = HeaderName::from_bytes(&line[..colon]).ok().zip(HeaderValue::from_bytes(value).ok());
        headers.extend(header);
    }
    assert!(at_once(OURS.read_notice(&headers, body)).is_err(), "nobody signed it");
    if let Ok(Notice::Paid(payment)) = notice::read(&OURS.account, body) {
        hold_payment(&payment);
    }
}

/// What a notification is about: a byte that chooses the event, and the contents before they were encrypted.
pub(crate) fn contents(data: &[u8]) {
    let [event, plain @ ..] = data else { return };
    let event = EVENTS[usize::from(*event) % EVENTS.len()];
    let nonce = "nonce-of-12-";
    let sealed = Aes256Gcm::new(API_V3_KEY.into()).encrypt(Nonce::from_slice(nonce.as_bytes()), plain);
    let ciphertext = Base64::encode_string(&sealed.unwrap_or_default());
    let resource = json!({"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "ciphertext": ciphertext});
    let body = json!({"event_type": event, "resource": resource}).to_string();
    match notice::read(&OURS.account, body.as_bytes()) {
        Ok(Notice::Paid(payment)) => {
            assert_eq!(event, EVENTS[0]);
            hold(&payment, plain);
        }
        Ok(Notice::Contradicted(_, rest)) => assert!(event == EVENTS[2] && rest.is_none()),
        read => assert!(event == EVENTS[0] || event == EVENTS[2] || read == Ok(Notice::Other)),
    }
}

/// What WeChat answers to an order, a query, a close.
pub(crate) fn answer(data: &[u8]) {
    assert!(at_once(OURS.check_signature(&HeaderMap::new(), data)).is_err(), "nobody signed it");
    match OURS.standing(ORDER_NO, data) {
        Ok(Standing::Paid(payment)) => {
            assert_eq!(payment.order_no, ORDER_NO);
            hold(&payment, data);
        }
        Ok(Standing::Open | Standing::Over | Standing::Refunded { .. }) => {}
        Err(error) => hold_lost(error),
    }
    if let Err(error) = read::<Created>(data) {
        hold_lost(error);
    }
    hold_lost(refused(data));
}

/// The payment is what the JSON says, read in another way, which minds what stands in fields that do not count.
fn hold(payment: &Payment, json: &[u8]) {
    hold_payment(payment);
    let Ok(told) = serde_json::from_str::<Value>(&String::from_utf8_lossy(json)) else { return };
    for (name, value) in [
        ("mchid", &OURS.account.mchid),
        ("appid", &OURS.account.appid),
        ("out_trade_no", &payment.order_no),
        ("transaction_id", &payment.provider_tx_id),
    ] {
        assert_eq!(told[name], json!(value), "{name}");
    }
    assert_eq!(told["trade_state"], "SUCCESS");
    let hundredths = payment.amount.as_str().replace('.', "");
    assert_eq!(told["amount"]["total"].as_u64(), hundredths.parse().ok());
}
