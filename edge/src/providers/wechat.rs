//! WeChat Pay, API v3: signed requests, signed answers, signed and encrypted notifications.
//!
//! Source: WeChat Pay's merchant manual, "API v3" (native, JSAPI, query by `out_trade_no`, close, payment notification).

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod notice;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use self::notice::Transaction;
use super::keys::{PublicKey, SigningKey};
use super::{AskError, Deadline, Distrust, Notice, Pay, PayableOrder, Standing, ask, beijing};
use crate::platform::Host;
use crate::problem::Failure;
use mps_core::ErrorCode;

/// What is signed counts for less than this, back and ahead.
const AGE_MAX: Duration = Duration::from_mins(5);

/// WeChat begins the wrong signatures that it sends on purpose with this.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// The names of WeChat's public keys begin with this; those of its certificates are hexadecimal.
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_";

/// Our account there.
pub(crate) struct WechatAccount {
    /// `WECHAT_MCHID`.
    pub(crate) mchid: String,
    /// `WECHAT_APPID`.
    pub(crate) appid: String,
    /// `WECHAT_SERIAL_NO`: of the certificate that our private key belongs to.
    pub(crate) serial_no: String,
    /// `WECHAT_PRIVATE_KEY`.
    pub(crate) key: SigningKey,
    /// `WECHAT_API_V3_KEY`: decrypts notifications; then `WECHAT_API_V3_KEY_PREVIOUS`.
    pub(crate) api_v3_keys: Vec<[u8; 32]>,
    /// `WECHAT_PUBLIC_KEYS`: by the id of the public key or the serial number of the platform's certificate.
    pub(crate) public_keys: BTreeMap<String, PublicKey>,
    /// `WECHAT_BASE_URL`, without a trailing slash.
    pub(crate) base_url: String,
    /// Where it notifies us.
    pub(crate) notify_url: String,
}

pub(crate) struct Wechat {
    account: WechatAccount,
    host: Arc<dyn Host>,
}

/// The argument of `getBrandWCPayRequest`; its names are WeChat's.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bridge {
    app_id: String,
    time_stamp: String,
    nonce_str: String,
    package: String,
    sign_type: String,
    pay_sign: String,
}

#[derive(Serialize)]
struct NewTransaction<'a> {
    appid: &'a str,
    mchid: &'a str,
    description: String,
    out_trade_no: &'a str,
    time_expire: String,
    notify_url: &'a str,
    amount: NewAmount<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Payer<'a>>,
}

#[derive(Serialize)]
struct NewAmount<'a> {
    /// In hundredths.
    total: u64,
    currency: &'a str,
}

#[derive(Serialize)]
struct Payer<'a> {
    openid: &'a str,
}

#[derive(Deserialize)]
struct Created {
    code_url: Option<String>,
    prepay_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    code: String,
    detail: Option<RefusalDetail>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefusalDetail {
    field: Option<String>,
}

impl Wechat {
    pub(crate) fn new(account: WechatAccount, host: Arc<dyn Host>) -> Self {
        Self { account, host }
    }

    /// `/v3/pay/transactions/native`.
    pub(crate) async fn create_native(
        &self,
        order: &PayableOrder,
        deadline: Deadline,
    ) -> Result<Option<Pay>, Failure> {
        let Some(created) = self.create(order, "native", None, deadline).await? else { return Ok(None) };
        let code_url = created.code_url.filter(|url| !url.is_empty());
        Ok(Some(Pay::Native { code_url: code_url.ok_or_else(|| AskError::lost("REPLY"))? }))
    }

    /// `/v3/pay/transactions/jsapi`.
    pub(crate) async fn create_jsapi(
        &self,
        order: &PayableOrder,
        openid: &str,
        deadline: Deadline,
    ) -> Result<Option<Pay>, Failure> {
        let Some(created) = self.create(order, "jsapi", Some(openid), deadline).await? else {
            return Ok(None);
        };
        let prepay_id = created.prepay_id.filter(|id| !id.is_empty());
        let package = format!("prepay_id={}", prepay_id.ok_or_else(|| AskError::lost("REPLY"))?);
        let (time_stamp, nonce_str) = (self.host.unix_time().as_secs().to_string(), self.nonce());
        let app_id = self.account.appid.clone();
        let pay_sign = self.sign(format!("{app_id}\n{time_stamp}\n{nonce_str}\n{package}\n")).await?;
        let sign_type = "RSA".to_owned();
        Ok(Some(Pay::Jsapi {
            bridge: Bridge { app_id, time_stamp, nonce_str, package, sign_type, pay_sign },
        }))
    }

    async fn create(
        &self,
        order: &PayableOrder,
        kind: &str,
        openid: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<Created>, Failure> {
        let transaction = NewTransaction {
            appid: &self.account.appid,
            mchid: &self.account.mchid,
            description: order.description(),
            out_trade_no: &order.order_no,
            time_expire: beijing(order.expires_at).ok_or(ErrorCode::Internal)?.to_rfc3339(),
            notify_url: &self.account.notify_url,
            amount: NewAmount { total: order.amount.hundredths(), currency: &order.currency },
            payer: openid.map(|openid| Payer { openid }),
        };
        let body = serde_json::to_vec(&transaction).map_err(|_| ErrorCode::Internal)?;
        let path = format!("/v3/pay/transactions/{kind}");
        match self.send(Method::POST, &path, body, deadline).await {
            Ok(answer) => Ok(Some(read(&answer)?)),
            Err(AskError::Refused { code, field }) if code == "PARAM_ERROR" && field.contains("openid") => {
                Err(Failure::with_param(ErrorCode::MalformedArgument, "field", "openid"))
            }
            Err(AskError::Refused { code, field }) => {
                // Its codes do not tell apart what is paid, what is closed, and what is there with other contents.
                match self.look_up(&order.order_no, deadline).await? {
                    Some(Standing::Open) => Err(ErrorCode::IdempotencyKeyReused.into()),
                    Some(Standing::Paid(_) | Standing::Over | Standing::Refunded { .. }) => Ok(None),
                    None => Err(AskError::Refused { code, field }.into()),
                }
            }
            Err(lost) => Err(lost.into()),
        }
    }

    pub(crate) async fn query(&self, order_no: &str) -> Result<Standing, AskError> {
        Ok(self.look_up(order_no, Deadline::NONE).await?.unwrap_or(Standing::Over))
    }

    /// `None`: it knows no such order.
    async fn look_up(&self, order_no: &str, deadline: Deadline) -> Result<Option<Standing>, AskError> {
        let mchid = &self.account.mchid;
        let path = format!("/v3/pay/transactions/out-trade-no/{order_no}?mchid={mchid}");
        let answer = match self.send(Method::GET, &path, Vec::new(), deadline).await {
            Err(AskError::Refused { code, .. }) if is_unknown(&code) => return Ok(None),
            answer => answer?,
        };
        self.standing(order_no, &answer).map(Some)
    }

    /// What an answer about that order says of it.
    fn standing(&self, order_no: &str, answer: &[u8]) -> Result<Standing, AskError> {
        let transaction: Transaction = read(answer)?;
        if transaction.is_of(&self.account) && transaction.out_trade_no == order_no {
            transaction.standing().ok_or_else(|| AskError::lost("REPLY"))
        } else {
            Err(AskError::lost("OTHERORDER"))
        }
    }

    pub(crate) async fn close(&self, order_no: &str) -> Result<(), AskError> {
        let path = format!("/v3/pay/transactions/out-trade-no/{order_no}/close");
        let body = serde_json::json!({"mchid": self.account.mchid}).to_string();
        match self.send(Method::POST, &path, body.into_bytes(), Deadline::NONE).await {
            Err(AskError::Refused { code, .. })
                if is_unknown(&code) || matches!(code.as_str(), "ORDER_CLOSED" | "ORDERCLOSED") =>
            {
                Ok(())
            }
            answer => answer.map(|_| ()),
        }
    }

    /// Verifies, decrypts and reads a notification.
    pub(crate) async fn read_notice(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notice, Distrust> {
        self.check_signature(headers, body).await?;
        notice::read(&self.account, body)
    }

    /// Over the bytes as they came, by the key that the serial number names.
    async fn check_signature(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Distrust> {
        let header = |name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if value.is_empty() { Err(Distrust::Signature) } else { Ok(value) }
        };
        let (timestamp, nonce) = (header("wechatpay-timestamp")?, header("wechatpay-nonce")?);
        let (signature, serial) = (header("wechatpay-signature")?, header("wechatpay-serial")?);
        if signature.starts_with(PROBE) {
            return Err(Distrust::Probe);
        }
        let signed_at = timestamp.parse().map(Duration::from_secs).map_err(|_| Distrust::Signature)?;
        // Hexadecimal: tools and providers write it in either case.
        let mut keys = self.account.public_keys.iter();
        let (_, key) = keys.find(|(id, _)| id.eq_ignore_ascii_case(serial)).ok_or(Distrust::Signature)?;
        let message = [timestamp.as_bytes(), b"\n", nonce.as_bytes(), b"\n", body, b"\n"].concat();
        let is_fresh = self.host.unix_time().abs_diff(signed_at) < AGE_MAX;
        if is_fresh && key.verifies(self.host.as_ref(), &message, signature).await {
            Ok(())
        } else {
            Err(Distrust::Signature)
        }
    }

    /// A signed request; the body of an answer that WeChat signed.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        deadline: Deadline,
    ) -> Result<Vec<u8>, AskError> {
        let url = format!("{}{path}", self.account.base_url);
        let authorization = self.authorization(&method, &url, &body).await?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(&url)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "mps-edge");
        // It then signs its answer with that key and not with its certificate.
        if let Some(id) = self.account.public_keys.keys().find(|id| id.starts_with(PUBLIC_KEY_ID)) {
            request = request.header("wechatpay-serial", id);
        }
        let request = request.body(body).map_err(|_| AskError::lost("REQUEST"))?;
        let (parts, body) = ask(&self.host, deadline, request).await?.into_parts();
        if parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(AskError::lost(parts.status.as_str()));
        }
        self.check_signature(&parts.headers, &body).await.map_err(|_| AskError::lost("SIGNATURE"))?;
        if parts.status.is_success() { Ok(body) } else { Err(refused(&body)) }
    }

    async fn authorization(&self, method: &Method, url: &str, body: &[u8]) -> Result<String, AskError> {
        let uri: Uri = url.parse().map_err(|_| AskError::lost("URL"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let (timestamp, nonce) = (self.host.unix_time().as_secs(), self.nonce());
        let body = std::str::from_utf8(body).map_err(|_| AskError::lost("REQUEST"))?;
        let signature = self.sign(format!("{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n")).await?;
        let (mchid, serial_no) = (&self.account.mchid, &self.account.serial_no);
        Ok(format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{mchid}\",nonce_str=\"{nonce}\",timestamp=\"{timestamp}\",\
             serial_no=\"{serial_no}\",signature=\"{signature}\""
        ))
    }

    async fn sign(&self, message: String) -> Result<String, AskError> {
        let signed = self.host.sign(self.account.key.pkcs8(), message.as_bytes()).await;
        signed.map(|bytes| Base64::encode_string(&bytes)).map_err(|_| AskError::lost("SIGN"))
    }

    fn nonce(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.host.random_bytes()))
    }
}

fn read<T: for<'de> Deserialize<'de>>(answer: &[u8]) -> Result<T, AskError> {
    serde_json::from_slice(answer).map_err(|_| AskError::lost("REPLY"))
}

/// A no, whatever its contents are.
fn refused(answer: &[u8]) -> AskError {
    let refusal: Refusal = serde_json::from_slice(answer).unwrap_or_default();
    let field = refusal.detail.and_then(|detail| detail.field).unwrap_or_default();
    AskError::Refused { code: refusal.code, field }
}

/// An order that nobody began to pay may be unknown there.
fn is_unknown(code: &str) -> bool {
    matches!(code, "ORDER_NOT_EXIST" | "ORDERNOTEXIST" | "RESOURCE_NOT_EXISTS")
}
