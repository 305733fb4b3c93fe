//! The parsers of requests, for tests/fuzz: bytes from outside in, a panic out when one of them panics or lets through what it must not.
#![expect(clippy::missing_panics_doc, reason = "a panic is how they tell")]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jwt_compact::alg::{Hs256, Hs256Key, SecretBytes};
use jwt_compact::{Algorithm, AlgorithmSignature};
use mps_client::Call;
use mps_client::transport::{Carried, Lost, Transport};
use mps_client::wire::Instant;
use mps_core::Money;
use serde::de::DeserializeOwned;

use crate::api::Way;
use crate::auth::{KeySet, Verifier};
use crate::config::{Config, TokenRules};
use crate::extract::{self, RawInput};
use crate::headers::IDEMPOTENCY_KEY;
use crate::limits::window::Taken;
use crate::limits::{Exchange, ExchangeLost, Group, address};
use crate::metrics::{Batch, Collector, CollectorLost, Metrics};
use crate::platform::native::{self, at_once};
use crate::platform::{FetchLost, Host, NotSigned, PublicKey, Work};
use crate::problem::Failure;
use crate::providers::{AskError, Payment, alipay, wechat};
use crate::routes;

const SECRET: &str = "a secret of the fuzz targets, no secret at all";
const NOW: Duration = Duration::from_secs(1_300_819_000);

/// The public keys of RFC 7515, A.2 and A.3, whose examples are among the seeds.
const KEYS: &str = r#"{"keys":[
    {"kty":"RSA","kid":"A.2","alg":"RS256","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
    {"kty":"EC","kid":"A.3","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
]}"#;

/// The first of them as a provider's.
pub(crate) const PUBLIC_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp\
    +Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e\
    +KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g\
    b54h4FRWyuXpoQIDAQAB";

/// How one route reads its input and its RPC's reply.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    has_body: bool,
    input: fn(&RawInput) -> Result<(), Failure>,
    reply: fn(&[u8]) -> bool,
}

impl Reader {
    pub(crate) fn of<C: Call, I: DeserializeOwned>(way: Way) -> Self {
        Self {
            has_body: way.has_body(),
            input: if way.has_body() {
                |input| input.parse_json::<I>().map(drop)
            } else {
                |input| input.parse_query::<I>().map(drop)
            },
            reply: |body| C::read_reply(body).is_some(),
        }
    }
}

static READERS: LazyLock<Vec<Reader>> = LazyLock::new(|| routes::declared().readers);
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let rules = TokenRules {
        secrets: vec![SECRET.to_owned()],
        jwks_url: Some("https://keys.example".to_owned()),
        audience: "authenticated".to_owned(),
        issuer: None,
    };
    let host = Arc::new(Still);
    Verifier::new(&rules, host.clone(), Arc::new(Metrics::new(host)))
});

/// A host on which time stands still and only the keys can be fetched.
pub(crate) struct Still;

impl Host for Still {
    fn unix_time(&self) -> Duration {
        NOW
    }

    fn random_bytes(&self) -> [u8; 16] {
        [0; 16]
    }

    fn log(&self, _line: &str) {}

    /// A fetch is over before its time is.
    fn sleep(&self, _length: Duration) -> Work<()> {
        Box::pin(std::future::pending())
    }

    fn after_reply(&self, _work: Work<()>) {}

    fn fetch(&self, _: http::Request<Vec<u8>>, _: usize) -> Work<Result<http::Response<Vec<u8>>, FetchLost>> {
        Box::pin(std::future::ready(Ok(http::Response::new(KEYS.into()))))
    }

    fn sign(&self, _pkcs8: &[u8], _message: &[u8]) -> Work<Result<Vec<u8>, NotSigned>> {
        Box::pin(std::future::ready(Err(NotSigned)))
    }

    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Work<bool> {
        Box::pin(std::future::ready(native::verify(key, message, signature)))
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Self)
    }

    fn exchange(&self) -> &dyn Exchange {
        self
    }

    fn collector(&self) -> &dyn Collector {
        self
    }
}

impl Transport for Still {
    fn carry(&self, _request: http::Request<String>, _body_bytes_max: usize) -> Carried {
        Box::pin(std::future::ready(Err(Lost("NETWORK"))))
    }
}

impl Exchange for Still {
    fn add(&self, _: Group, _: u64, _: Vec<Taken>) -> Work<Result<Vec<Taken>, ExchangeLost>> {
        Box::pin(std::future::ready(Err(ExchangeLost)))
    }
}

impl Collector for Still {
    fn add(&self, _batch: Batch) -> Work<Result<(), CollectorLost>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn totals(&self) -> Work<Result<Batch, CollectorLost>> {
        Box::pin(std::future::ready(Err(CollectorLost)))
    }
}

/// The header `Authorization`, as it comes.
pub fn access_token(data: &[u8]) {
    let header = HeaderValue::from_bytes(data).ok();
    let token = header.as_ref().and_then(|header| header.to_str().ok()).and_then(extract::bearer_token);
    let verified = at_once(VERIFIER.verify(token.unwrap_or_default(), NOW, true));
    assert!(verified.is_err(), "nobody signed a token for us");
}

/// A token that our own secret signs: `header LF payload`.
pub fn token_claims(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, payload) = (&data[..line], data.get(line + 1..).unwrap_or_default());
    let header = if header.is_empty() { br#"{"alg":"HS256"}"# } else { header };
    let signed = format!("{}.{}", base64url(header), base64url(payload));
    let signature = Hs256.sign(&Hs256Key::new(SECRET), signed.as_bytes());
    let token = format!("{signed}.{}", base64url(&signature.as_bytes()));
    if let Ok(verified) = at_once(VERIFIER.verify(&token, NOW, true)) {
        assert!(!verified.subject().is_empty());
    }
}

fn base64url(bytes: &[u8]) -> String {
    let value = serde_json::to_value(SecretBytes::borrowed(bytes)).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// What the project's address of keys answers.
pub fn key_set(data: &[u8]) {
    let Ok(keys) = KeySet::parse(data) else { return };
    for algorithm in ["ES256", "RS256", "HS256"] {
        for id in [None, Some("A.2"), Some("")] {
            assert!(keys.knows(algorithm, id) || keys.find(algorithm, id).is_empty());
        }
    }
}

fn reader(number: u8, has_body: bool) -> Reader {
    let fitting: Vec<&Reader> = READERS.iter().filter(|reader| reader.has_body == has_body).collect();
    *fitting[usize::from(number) % fitting.len()]
}

/// A route's body: which route, whether its path has a name and the request a key, and the bytes.
pub fn body(data: &[u8]) {
    let [number, flags, json @ ..] = data else { return };
    let _ = extract::merchant_named_in(json);
    let fields = [("card_id", "0193b5a0-0000-7000-8000-00000000000a"), ("idempotency_key", "k\"\\")];
    let fields = &fields[..usize::from(*flags) % 3];
    let text = extract::with_fields(fields, json.to_vec());
    let read = text.and_then(|text| (reader(*number, true).input)(&RawInput { text, key_failure: None }));
    if let Err(failure) = read {
        hold(&failure);
    }
}

/// A route's query: which route, whether its path has a name, and the bytes.
pub fn query(data: &[u8]) {
    let [number, flags, query @ ..] = data else { return };
    let path = [("card_id", "0193b5a0-0000-7000-8000-00000000000a"), ("tx_no", "PAY%00")];
    let query = extract::query_with(&path[..usize::from(*flags) % 3], &String::from_utf8_lossy(query));
    let read = query.and_then(|text| (reader(*number, false).input)(&RawInput { text, key_failure: None }));
    if let Err(failure) = read {
        hold(&failure);
    }
}

/// A refused input is the caller's fault, and what the answer quotes of it is short.
fn hold(failure: &Failure) {
    assert!((400..500).contains(&failure.code().status()), "{}", failure.code());
    for value in failure.params().values() {
        assert!(value.as_str().is_none_or(|text| text.chars().count() <= 64), "{value}");
    }
}

/// A reply of PostgREST's: to which RPC, and the bytes.
pub fn reply(data: &[u8]) {
    let [number, body @ ..] = data else { return };
    let _ = (READERS[usize::from(*number) % READERS.len()].reply)(body);
}

/// The header `Idempotency-Key`, as it comes; LF between two of them.
pub fn key_header(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for value in data.split(|byte| *byte == b'\n').filter_map(|value| HeaderValue::from_bytes(value).ok()) {
        headers.append(IDEMPOTENCY_KEY, value);
    }
    let key = extract::KeyHeader::read(&headers);
    assert!(key.is_err() || headers.len() == 1);
}

/// The header in which a proxy wrote the client's address.
pub fn client_address(data: &[u8]) {
    let name = HeaderName::from_static("x-forwarded-for");
    let mut headers = HeaderMap::new();
    for value in data.split(|byte| *byte == b'\n').filter_map(|value| HeaderValue::from_bytes(value).ok()) {
        headers.append(&name, value);
    }
    let client = address::client(&headers, Some(&name));
    assert!(client.is_none_or(|client| !client.is_empty() && client.len() <= 45));
}

/// A notification of WeChat Pay's: headers, an empty line, the body.
pub fn wechat_notice(data: &[u8]) {
    wechat::fuzz::notice(data);
}

/// What a notification of WeChat Pay's has encrypted.
pub fn wechat_contents(data: &[u8]) {
    wechat::fuzz::contents(data);
}

/// What WeChat Pay answers.
pub fn wechat_answer(data: &[u8]) {
    wechat::fuzz::answer(data);
}

/// A notification of Alipay's.
pub fn alipay_notice(data: &[u8]) {
    alipay::fuzz::notice(data);
}

/// What Alipay answers.
pub fn alipay_answer(data: &[u8]) {
    alipay::fuzz::answer(data);
}

/// What may be credited: some money, by a payment with a number.
pub(crate) fn hold_payment(payment: &Payment) {
    assert!(!payment.provider_tx_id.is_empty());
    assert!(Money::parse_price(payment.amount.as_str()).is_ok(), "{}", payment.amount.as_str());
    assert_eq!(Instant::parse(&payment.paid_at.to_string()), Some(payment.paid_at));
}

/// Why a provider did not do it is not the caller's fault, and what the answer and the log quote of it is short.
pub(crate) fn hold_lost(error: AskError) {
    let failure = Failure::from(error);
    assert!(failure.code().status() >= 500, "{}", failure.code());
    assert!(failure.upstream().is_some_and(|upstream| upstream.as_str().len() <= 10));
}

/// An operator's variables: a line each, `NAME=value`, over a set that is right.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let right = [
        ("SUPABASE_URL", "https://x.supabase.co"),
        ("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x"),
        ("SUPABASE_SECRET_KEY", "sb_secret_x"),
        ("SUPABASE_JWT_SECRET", SECRET),
    ];
    let given = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(given, _)| *given == name).map(|(_, value)| value.to_owned())
    };
    let default =
        |name: &str| right.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    if let Ok(config) = Config::read(&|name| given(name).or_else(|| default(name))) {
        assert!(config.rest_url.to_ascii_lowercase().starts_with("http"));
        assert!(config.allowed_origins.iter().all(|origin| !origin.contains('*')));
    }
}
