//! Payment providers: what a recharge asks of one, and what one says of a payment. No routing, no database.

pub(crate) mod alipay;
mod charset;
pub(crate) mod keys;
pub(crate) mod wechat;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use chrono::{DateTime, FixedOffset};
use mps_client::argument::Price;
use mps_client::retry::Host as _;
use mps_client::wire::Instant;
use mps_client::{RpcError, UpstreamCode};
use mps_core::{ErrorCode, Money};
use serde::{Deserialize, Serialize};

use self::alipay::Alipay;
use self::wechat::{Bridge, Wechat};
use crate::config::ProviderConfig;
use crate::platform::{Host, Patience};
use crate::problem::Failure;

/// A provider that has not answered by then does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Both keep their clocks eight hours east of UTC.
const OFFSET_SECONDS: i32 = 8 * 60 * 60;

/// Who takes the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    Wechat,
    Alipay,
}

impl Provider {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Alipay => "alipay",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Wechat, Self::Alipay].into_iter().find(|provider| provider.as_str() == text)
    }
}

/// How a member pays at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// WeChat: a code that the member scans.
    Native,
    /// WeChat: a page inside WeChat, by the user of that openid.
    Jsapi { openid: String },
    /// Alipay: a page of Alipay's.
    Page,
    /// Alipay: its app.
    App,
}

/// An order as a provider needs to know it.
pub(crate) struct PayableOrder {
    /// Our number of it; at the provider `out_trade_no`.
    pub(crate) order_no: String,
    pub(crate) amount: Money,
    pub(crate) currency: String,
    /// Since 1970. Nobody may pay it later.
    pub(crate) expires_at: i64,
}

impl PayableOrder {
    /// What the payer reads of it.
    fn description(&self) -> String {
        format!("会员卡充值 {}", self.order_no)
    }
}

/// What a client does to let a member pay.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "method", rename_all = "lowercase")]
pub(crate) enum Pay {
    /// Show it as a QR code to scan with WeChat.
    Native {
        /// The contents of the QR code.
        code_url: String,
    },
    /// In a page inside WeChat, call `getBrandWCPayRequest` of `WeixinJSBridge`.
    Jsapi {
        /// Its argument.
        bridge: Bridge,
    },
    /// Open it in a browser.
    Page {
        /// A page of Alipay's.
        url: String,
    },
    /// Hand it to Alipay's SDK in a mobile app.
    App {
        /// The SDK's argument.
        order_string: String,
    },
}

/// A payment that a provider's signature vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) provider: Provider,
    pub(crate) order_no: String,
    /// The provider's own number of it.
    pub(crate) provider_tx_id: String,
    pub(crate) amount: Price,
    pub(crate) currency: String,
    pub(crate) paid_at: Instant,
}

/// What a provider's signature vouches for against a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    pub(crate) provider: Provider,
    pub(crate) order_no: String,
    /// Names it at the provider for ever.
    pub(crate) event_id: String,
    /// `refunded` or `closed`.
    pub(crate) kind: &'static str,
    pub(crate) provider_tx_id: Option<String>,
    /// What went back.
    pub(crate) amount: Option<Price>,
    /// In the provider's own words: a JSON object.
    pub(crate) facts: String,
}

/// What a right notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Paid(Payment),
    /// Something went back, or nobody can pay any more; and what is left of the payment, if any is.
    Contradicted(Contradiction, Option<Payment>),
    /// Of no payment: nothing is credited.
    Other,
}

/// Those of the provider's fields that are there, as JSON; each is short.
fn facts<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    const CHARS_MAX: usize = 128;
    let all = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let all =
        all.map(|(name, value)| (name.to_owned(), value.chars().take(CHARS_MAX).collect::<String>().into()));
    serde_json::Value::Object(all.collect()).to_string()
}

/// Why a notification is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// A wrong signature that the provider sends on purpose, to see it refused.
    Probe,
    /// No signature, a wrong one, by an unknown key, or too old.
    Signature,
    /// Signed, and yet not what the provider's manual has.
    Malformed,
    /// For another merchant or another app.
    Stranger,
    /// Not a positive amount that an account can hold.
    Amount,
}

impl Distrust {
    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Self::Probe | Self::Signature => ErrorCode::NotAuthenticated,
            Self::Malformed => ErrorCode::MalformedBody,
            Self::Stranger => ErrorCode::PermissionDenied,
            Self::Amount => ErrorCode::InvalidRechargeAmount,
        }
    }
}

/// What a provider answers about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Paid(Payment),
    /// Unpaid, and somebody still may.
    Open,
    /// Unpaid, and nobody can any more; or never heard of.
    Over,
    /// Was paid, and some or all of it was given back there: how much, the provider does not say.
    Refunded {
        /// The provider's own number of the payment.
        provider_tx_id: String,
    },
}

/// Why a provider did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskError {
    /// No answer, or none that can be believed: whether it was done, nobody knows.
    Lost(UpstreamCode),
    /// A no, by the provider's own code, and the field that it blames.
    Refused { code: String, field: String },
}

impl AskError {
    fn lost(what: &str) -> Self {
        Self::Lost(UpstreamCode::new(what))
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Lost(what) => RpcError::Unavailable(what).into(),
            AskError::Refused { code, .. } => RpcError::Bug(UpstreamCode::new(&code)).into(),
        }
    }
}

/// Those that are configured.
pub(crate) struct Providers {
    wechat: Option<Wechat>,
    alipay: Option<Alipay>,
}

impl Providers {
    pub(crate) fn new(config: ProviderConfig, host: &Arc<dyn Host>) -> Self {
        Self {
            wechat: config.wechat.map(|account| Wechat::new(account, host.clone())),
            alipay: config.alipay.map(|account| Alipay::new(account, host.clone())),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.wechat.is_none() && self.alipay.is_none()
    }

    pub(crate) fn check_configured(&self, provider: Provider) -> Result<(), Failure> {
        match provider {
            Provider::Wechat => self.wechat().map(|_| ()),
            Provider::Alipay => self.alipay().map(|_| ()),
        }
    }

    fn wechat(&self) -> Result<&Wechat, Failure> {
        self.wechat.as_ref().ok_or_else(|| not_configured("WECHAT_MCHID"))
    }

    fn alipay(&self) -> Result<&Alipay, Failure> {
        self.alipay.as_ref().ok_or_else(|| not_configured("ALIPAY_APP_ID"))
    }

    /// Lets an order be paid; asked again, the same order. `None`: the provider says that nobody can pay it any more. Who orders waits
    /// until `deadline`; that it has passed says nothing of what the provider did.
    pub(crate) async fn create(
        &self,
        order: &PayableOrder,
        method: &Method,
        deadline: Deadline,
    ) -> Result<Option<Pay>, Failure> {
        if order.currency != "CNY" {
            return Err(not_configured("recharge_currency"));
        }
        match method {
            Method::Native => self.wechat()?.create_native(order, deadline).await,
            Method::Jsapi { openid } => self.wechat()?.create_jsapi(order, openid, deadline).await,
            Method::Page => Ok(self.alipay()?.page(order).await.map(Some)?),
            Method::App => Ok(self.alipay()?.app(order).await.map(Some)?),
        }
    }

    /// Verifies a notification and reads it. `body`: its bytes as they came.
    pub(crate) async fn read_notice(
        &self,
        provider: Provider,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Result<Notice, Distrust>, Failure> {
        Ok(match provider {
            Provider::Wechat => self.wechat()?.read_notice(headers, body).await,
            Provider::Alipay => self.alipay()?.read_notice(body).await,
        })
    }

    /// Asks what became of an order.
    pub(crate) async fn query(&self, provider: Provider, order_no: &str) -> Result<Standing, Failure> {
        Ok(match provider {
            Provider::Wechat => self.wechat()?.query(order_no).await?,
            Provider::Alipay => self.alipay()?.query(order_no).await?,
        })
    }

    /// Sees to it that nobody can pay an order any more. One that was paid is refused.
    pub(crate) async fn close(&self, provider: Provider, order_no: &str) -> Result<(), Failure> {
        let closed = match provider {
            Provider::Wechat => self.wechat()?.close(order_no).await,
            Provider::Alipay => self.alipay()?.close(order_no).await,
        };
        closed.map_err(Failure::from)
    }
}

fn not_configured(what: &str) -> Failure {
    Failure::with_param(ErrorCode::NotConfigured, "what", what)
}

/// Until when a provider is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Duration);

impl Deadline {
    /// Nobody waits: each answer has [`ANSWER_MAX`].
    pub(crate) const NONE: Self = Self(Duration::MAX);

    /// A moment since 1970.
    pub(crate) const fn at(since_1970: Duration) -> Self {
        Self(since_1970)
    }
}

/// Sends a request to a provider, once, and waits for its answer, not for ever. Without any time left it is not sent.
async fn ask(
    host: &Arc<dyn Host>,
    deadline: Deadline,
    request: http::Request<Vec<u8>>,
) -> Result<http::Response<Vec<u8>>, AskError> {
    let left = deadline.0.saturating_sub(host.unix_time());
    if left.is_zero() {
        return Err(AskError::lost("NOTIME"));
    }
    let answer = host.fetch(request, ANSWER_BYTES_MAX);
    let answer = Patience(host.clone()).within(left.min(ANSWER_MAX), answer).await;
    answer.ok_or_else(|| AskError::lost("TIMEOUT"))?.map_err(|_| AskError::lost("NETWORK"))
}

/// A moment by the providers' clocks.
fn beijing(unix_seconds: i64) -> Option<DateTime<FixedOffset>> {
    Some(DateTime::from_timestamp(unix_seconds, 0)?.with_timezone(&FixedOffset::east_opt(OFFSET_SECONDS)?))
}

/// Hundredths as an amount of ours: never through a float, never zero, never more than an account can hold.
fn price_of_fen(fen: u64) -> Result<Price, Distrust> {
    Price::parse(&format!("{}.{:02}", fen / 100, fen % 100)).map_err(|_| Distrust::Amount)
}

#[cfg(test)]
pub(crate) mod tests;
