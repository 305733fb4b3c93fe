//! Money onto cards: orders, cash.

use mps_client::CallContext;
use mps_client::argument::RechargeAmount;
use mps_client::rpc::{
    CardId, CashRecharge, CashReversal, CreateRechargeOrder, CreatedRechargeOrder, GetRechargeOrder,
    ListRechargeOrders, ReverseCashRecharge, UserRechargeCard,
};
use mps_core::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::api::{Outcome, Replayed, Routes, Way, done};
use crate::app::App;
use crate::extract::{AmountText, argument};
use crate::problem::Failure;
use crate::providers::{Method, Pay, PayableOrder, Provider};
use crate::telemetry::Note;

const OPENID_CHARS_MAX: usize = 128;

/// Providers open no order that ends sooner.
const PAYABLE_SECONDS_MIN: i64 = 60;

pub(super) fn routes() -> Routes {
    Routes::new()
        .keyed::<CreateRechargeOrder, _, _, _, _>("/api/recharge/orders", "createRechargeOrder", order)
        .rpc::<ListRechargeOrders>(Way::Get, "/api/recharge/orders", "listRechargeOrders")
        .rpc::<GetRechargeOrder>(Way::Get, "/api/recharge/orders/{order_no}", "getRechargeOrder")
        .keyed::<UserRechargeCard, _, _, _, _>("/api/recharge/cash", "rechargeWithCash", cash)
        .keyed::<ReverseCashRecharge, _, _, _, _>("/api/recharge/cash/reverse", "reverseCash", reverse)
}

/// How the member pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum MethodName {
    Native,
    Jsapi,
    Page,
    App,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct NewOrder {
    /// The card.
    card_id: CardId,
    /// In the house currency.
    amount: AmountText,
    /// Who takes the money.
    provider: Provider,
    /// `wechat`: `native` (a QR code, the default) or `jsapi` (in a page inside WeChat). `alipay`: `page` (the default) or `app`.
    method: Option<MethodName>,
    /// `jsapi` only: who pays, as WeChat knows him in our app.
    openid: Option<String>,
    idempotency_key: Option<String>,
}

impl NewOrder {
    fn method(&self) -> Result<Method, Failure> {
        let method = match (self.provider, self.method, &self.openid) {
            (Provider::Wechat, None | Some(MethodName::Native), None) => Ok(Method::Native),
            (Provider::Wechat, Some(MethodName::Jsapi), Some(openid)) if is_openid(openid) => {
                Ok(Method::Jsapi { openid: openid.clone() })
            }
            (Provider::Alipay, None | Some(MethodName::Page), None) => Ok(Method::Page),
            (Provider::Alipay, Some(MethodName::App), None) => Ok(Method::App),
            (Provider::Wechat, Some(MethodName::Page | MethodName::App), _)
            | (Provider::Alipay, Some(MethodName::Native | MethodName::Jsapi), _) => Err("method"),
            _ => Err("openid"),
        };
        method.map_err(|field| Failure::with_param(ErrorCode::MalformedArgument, "field", field))
    }
}

fn is_openid(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=OPENID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// An order, and how to pay it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OrderToPay {
    #[serde(flatten)]
    order: CreatedRechargeOrder,
    /// Null where an earlier answer to the same key was lost and the order can be paid no more: `getRechargeOrder` says what became of it.
    pay: Option<Pay>,
}

impl Replayed for OrderToPay {
    fn is_replay(&self) -> bool {
        self.order.replayed
    }
}

async fn order(app: App, context: CallContext, input: NewOrder) -> Outcome<OrderToPay> {
    let amount = argument("amount", RechargeAmount::parse(&input.amount.0))?;
    let method = input.method()?;
    app.providers().check_configured(input.provider)?;
    let call = CreateRechargeOrder {
        card_id: input.card_id,
        amount,
        provider: input.provider.as_str().to_owned(),
        idempotency_key: input.idempotency_key,
    };
    let order = app.call(context.clone(), call).await?;
    let pay = if is_payable(&app, context, &order).await? {
        app.providers().create(&to_provider(&order)?, &method, app.deadline()).await?
    } else {
        None
    };
    let note = Note {
        provider: Some(input.provider.as_str()),
        order_no: Some(order.order_no.clone()),
        ..Note::default()
    };
    Ok(done(OrderToPay { order, pay }).noting(note))
}

/// A new order is; of one that was made before, the answer says what it was then.
async fn is_payable(app: &App, context: CallContext, order: &CreatedRechargeOrder) -> Result<bool, Failure> {
    if !order.replayed {
        return Ok(true);
    }
    let now = i64::try_from(app.host().unix_time().as_secs()).unwrap_or(i64::MAX);
    let has_time = order.expires_at.unix_seconds() >= now.saturating_add(PAYABLE_SECONDS_MIN);
    let call = GetRechargeOrder { order_no: order.order_no.clone() };
    Ok(has_time && app.call(context, call).await?.status == "pending")
}

fn to_provider(order: &CreatedRechargeOrder) -> Result<PayableOrder, Failure> {
    Ok(PayableOrder {
        order_no: order.order_no.clone(),
        amount: order.amount.to_money().ok_or(ErrorCode::Internal)?,
        currency: order.currency.clone(),
        expires_at: order.expires_at.unix_seconds(),
    })
}

async fn cash(app: App, context: CallContext, call: UserRechargeCard) -> Outcome<CashRecharge> {
    let merchant_code = call.merchant_code.clone();
    let recharge = app.call(context, call).await?;
    let note = Note { tx_no: Some(recharge.tx_no.clone()), merchant_code, ..Note::default() };
    Ok(done(recharge).noting(note))
}

async fn reverse(app: App, context: CallContext, call: ReverseCashRecharge) -> Outcome<CashReversal> {
    let merchant_code = Some(call.merchant_code.clone());
    let reversal = app.call(context, call).await?;
    let note = Note { tx_no: Some(reversal.tx_no.clone()), merchant_code, ..Note::default() };
    Ok(done(reversal).noting(note))
}
