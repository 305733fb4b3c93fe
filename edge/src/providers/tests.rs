//! Providers without a network: keys made when the tests run, and whoever signs with them or would like to.

mod alipay;
mod keys;
mod wechat;

use std::sync::{Arc, LazyLock};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use axum::http::HeaderMap;
use base64ct::{Base64, Encoding};
use rand_core_06::OsRng;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value, json};

use super::{Contradiction, Distrust, Notice, PayableOrder, Payment, Provider, Providers};
use crate::config::ProviderConfig;
use crate::platform::native::at_once;
use crate::routes::tests::bench::{NOW, TestHost};

pub(crate) const API_V3_KEY: &str = "an-api-v3-key-has-thirty-two-let";
pub(crate) const SERIAL: &str = "PUB_KEY_ID_0114232134912410000000000001";
pub(crate) const OLD_SERIAL: &str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";

/// Both halves of a key, as their owners have them.
pub(crate) struct Pair {
    pub(crate) private: RsaPrivateKey,
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
}

impl Pair {
    fn new() -> Self {
        let private = RsaPrivateKey::new(&mut OsRng, 2048).expect("a key");
        let private_pem = private.to_pkcs8_pem(LineEnding::LF).expect("a PEM").to_string();
        let public_pem = private.to_public_key().to_public_key_pem(LineEnding::LF).expect("a PEM");
        Self { private, private_pem, public_pem }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let signature = SigningKey::<Sha256>::new(self.private.clone()).sign(message);
        Base64::encode_string(&signature.to_bytes())
    }
}

/// Ours; theirs; theirs before that; somebody's. Each is made when a test first wants it: an RSA key takes its time.
pub(crate) static OURS: LazyLock<Pair> = LazyLock::new(Pair::new);
pub(crate) static THEIRS: LazyLock<Pair> = LazyLock::new(Pair::new);
pub(crate) static THEIRS_BEFORE: LazyLock<Pair> = LazyLock::new(Pair::new);
pub(crate) static STRANGER: LazyLock<Pair> = LazyLock::new(Pair::new);

/// What an operator enters.
pub(crate) fn variables() -> Vec<(&'static str, String)> {
    vec![
        ("PUBLIC_URL", "https://pay.example/".to_owned()),
        ("WECHAT_MCHID", "1900007291".to_owned()),
        ("WECHAT_APPID", "wxd678efh567hg6787".to_owned()),
        ("WECHAT_SERIAL_NO", "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB".to_owned()),
        ("WECHAT_PRIVATE_KEY", OURS.private_pem.replace('\n', "\\n")),
        ("WECHAT_API_V3_KEY", API_V3_KEY.to_owned()),
        ("WECHAT_PUBLIC_KEYS", json!({SERIAL: THEIRS.public_pem}).to_string()),
        ("WECHAT_BASE_URL", "https://wechat.example".to_owned()),
        ("ALIPAY_APP_ID", "2021000000000001".to_owned()),
        ("ALIPAY_SELLER_ID", "2088000000000001".to_owned()),
        ("ALIPAY_PRIVATE_KEY", OURS.private_pem.clone()),
        ("ALIPAY_PUBLIC_KEYS", THEIRS.public_pem.replace('\n', "\\n")),
        ("ALIPAY_GATEWAY_URL", "https://alipay.example/gateway.do".to_owned()),
    ]
}

fn providers(host: &Arc<TestHost>) -> Providers {
    configured(host, &variables())
}

/// While the providers change their keys: the new ones beside the old ones.
fn providers_rotating(host: &Arc<TestHost>) -> Providers {
    let mut all = variables();
    let (new, old) = (&THEIRS.public_pem, &THEIRS_BEFORE.public_pem);
    for (name, value) in &mut all {
        match *name {
            "WECHAT_PUBLIC_KEYS" => *value = json!({SERIAL: new, OLD_SERIAL: old}).to_string(),
            "ALIPAY_PUBLIC_KEYS" => *value = json!([old, new]).to_string(),
            _ => {}
        }
    }
    configured(host, &all)
}

fn configured(host: &Arc<TestHost>, all: &[(&'static str, String)]) -> Providers {
    let optional = |name: &'static str| all.iter().find(|(key, _)| *key == name).map(|(_, v)| v.clone());
    let host: Arc<dyn crate::platform::Host> = host.clone();
    Providers::new(ProviderConfig::read(&optional).expect("right variables"), &host)
}

fn order() -> PayableOrder {
    PayableOrder {
        order_no: "ORD0000000001".to_owned(),
        amount: mps_core::Money::parse("299.05").expect("an amount"),
        currency: "CNY".to_owned(),
        expires_at: i64::try_from(NOW + 900).expect("a moment"),
    }
}

/// What a gateway was asked.
type Asked = std::sync::Mutex<Vec<http::Request<Vec<u8>>>>;

/// What WeChat puts on whatever it signs.
pub(crate) fn wechat_headers(pair: &Pair, serial: &str, signed_at: u64, body: &[u8]) -> HeaderMap {
    let message = [format!("{signed_at}\nnonce-1\n").as_bytes(), body, b"\n"].concat();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("wechatpay-timestamp", signed_at.to_string()),
        ("wechatpay-nonce", "nonce-1".to_owned()),
        ("wechatpay-signature", pair.sign(&message)),
        ("wechatpay-serial", serial.to_owned()),
    ] {
        headers.insert(name, value.parse().expect("visible"));
    }
    headers
}

/// A notification's body around what it says.
pub(crate) fn wechat_notice(event_type: &str, contents: &Value) -> Vec<u8> {
    sealed(event_type, API_V3_KEY, "nonce-of-12-", "transaction", contents)
}

fn sealed(event_type: &str, key: &str, nonce: &str, aad: &str, contents: &Value) -> Vec<u8> {
    let cipher = Aes256Gcm::new_from_slice(key.as_bytes()).expect("32 bytes");
    let plain = contents.to_string();
    let payload = Payload { msg: plain.as_bytes(), aad: aad.as_bytes() };
    let bytes = cipher.encrypt(Nonce::from_slice(nonce.as_bytes()), payload).expect("a short text");
    json!({"id": "EV-1", "create_time": "2027-01-15T16:00:00+08:00", "resource_type": "encrypt-resource",
        "event_type": event_type, "summary": "支付成功",
        "resource": {"original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "nonce": nonce,
            "ciphertext": Base64::encode_string(&bytes), "associated_data": aad}})
    .to_string()
    .into_bytes()
}

/// A payment, with changes.
pub(crate) fn transaction(changes: &Value) -> Value {
    let mut all = json!({"mchid": "1900007291", "appid": "wxd678efh567hg6787", "out_trade_no": "ORD0000000001",
        "transaction_id": "4200000000000001", "trade_type": "NATIVE", "trade_state": "SUCCESS",
        "success_time": "2027-01-15T15:59:58+08:00", "payer": {"openid": "o-1"},
        "amount": {"total": 29905, "payer_total": 29905, "currency": "CNY", "payer_currency": "CNY"}});
    for (name, value) in changes.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    all
}

/// What a notification of a refund tells.
pub(crate) fn wechat_refund(changes: &Value) -> Value {
    let mut all = json!({"mchid": "1900007291", "out_trade_no": "ORD0000000001", "transaction_id": "4200000000000001",
        "out_refund_no": "RF1", "refund_id": "50000000382019052709732678859", "refund_status": "SUCCESS",
        "success_time": "2027-01-15T16:10:00+08:00", "user_received_account": "支付用户零钱",
        "amount": {"total": 29905, "refund": 10000, "payer_total": 29905, "payer_refund": 10000}});
    for (name, value) in changes.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    all
}

fn paid(provider: Provider, provider_tx_id: &str) -> Payment {
    Payment {
        provider,
        order_no: "ORD0000000001".to_owned(),
        provider_tx_id: provider_tx_id.to_owned(),
        amount: mps_client::argument::Price::parse("299.05").expect("an amount"),
        currency: "CNY".to_owned(),
        paid_at: mps_client::wire::Instant::parse("2027-01-15T07:59:58Z").expect("a moment"),
    }
}

/// A notification of Alipay's, signed, with changes; an empty text takes a field out.
pub(crate) fn alipay_notice(pair: &Pair, changes: &[(&str, &str)]) -> Vec<u8> {
    let mut fields = std::collections::BTreeMap::from([
        ("app_id", "2021000000000001"),
        ("buyer_pay_amount", "299.05"),
        ("charset", "utf-8"),
        ("fund_bill_list", r#"[{"amount":"299.05","fundChannel":"ALIPAYACCOUNT"}]"#),
        ("gmt_payment", "2027-01-15 15:59:58"),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", "ORD0000000001"),
        ("passback_params", ""),
        ("seller_id", "2088000000000001"),
        ("subject", "会员卡充值 & more = +1"),
        ("total_amount", "299.05"),
        ("trade_no", "2027011522001400000000000001"),
        ("trade_status", "TRADE_SUCCESS"),
    ]);
    fields.extend(changes.iter().copied());
    let signed: Vec<String> = fields
        .iter()
        .filter(|(name, value)| !value.is_empty() && **name != "sign_type")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let sign = pair.sign(signed.join("&").as_bytes());
    fields.entry("sign_type").or_insert("RSA2");
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(&fields).append_pair("sign", &sign).finish().into_bytes()
}
