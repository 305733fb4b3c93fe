//! What a provider says of a payment, brought to the database: by its notification, or by asking it before and after an order expires.

use std::time::Duration;

use mps_client::argument::Tag;
use mps_client::retry::Policy;
use mps_client::rpc::{
    CompleteRechargeOrder, CompletedPayment, RechargeOrderToQuery, ReportRechargeEvent,
    TakeRechargeOrdersToQuery,
};
use mps_client::{CallContext, Caller, RequestId};
use mps_core::ErrorCode;

use crate::app::App;
use crate::problem::Failure;
use crate::providers::{Contradiction, Payment, Provider, Standing};
use crate::telemetry::{self, Level, OrderAsked};

/// Providers give up on us after five seconds.
pub(crate) const WITHIN_NOTIFICATION: Policy =
    Policy { budget: Duration::from_secs(4), attempt_max: Duration::from_secs(2), ..Policy::HOUSE };

/// One run asks about no more orders than this.
const ORDERS_MAX: i32 = 100;

/// A provider that fails so often in a row is left alone until the next run.
const FAILURES_MAX: u32 = 3;

/// Tells the database of a payment. It credits each once, and decides what of it waits for an admin.
pub(crate) async fn complete(
    app: &App,
    policy: Policy,
    request_id: &RequestId,
    payment: Payment,
) -> Result<CompletedPayment, Failure> {
    let call = CompleteRechargeOrder {
        order_no: payment.order_no,
        provider: payment.provider.as_str().to_owned(),
        provider_tx_id: payment.provider_tx_id,
        amount: payment.amount,
        currency: payment.currency,
        paid_at: payment.paid_at,
    };
    Ok(app.call_under(policy, service(request_id), call).await?)
}

/// Tells the database what a provider says against a payment; whether an admin must look at it.
pub(crate) async fn contradict(
    app: &App,
    policy: Policy,
    request_id: &RequestId,
    contradiction: Contradiction,
) -> Result<bool, Failure> {
    let call = ReportRechargeEvent {
        order_no: contradiction.order_no,
        provider: contradiction.provider.as_str().to_owned(),
        provider_event_id: contradiction.event_id,
        kind: contradiction.kind.to_owned(),
        facts: Tag::parse(&contradiction.facts)?,
        provider_tx_id: contradiction.provider_tx_id,
        amount: contradiction.amount,
    };
    Ok(app.call_under(policy, service(request_id), call).await?.status == "needs_review")
}

/// What became of it; a metrics label.
pub(crate) fn status(payment: &CompletedPayment) -> &'static str {
    match payment.payment_status.as_str() {
        _ if payment.replayed => "replayed",
        "credited" => "completed",
        _ => "needs_review",
    }
}

/// What waits for an admin is seen in the log.
pub(crate) fn level(status: &str) -> Level {
    if status == "needs_review" { Level::Warn } else { Level::Info }
}

fn service(request_id: &RequestId) -> CallContext {
    CallContext { caller: Caller::Service, request_id: request_id.clone() }
}

/// What asking about one order came to.
struct Asked {
    status: &'static str,
    level: Level,
    tx_no: Option<String>,
    /// Where an operator must look there.
    provider_tx_id: Option<String>,
}

/// Asks the providers about the orders whose time that is; answers how many. One that fails leaves the others.
pub(crate) async fn query_orders(app: &App, request_id: &RequestId) -> Result<u32, Failure> {
    if app.providers().is_none() {
        return Ok(0);
    }
    let call = TakeRechargeOrdersToQuery { limit: Some(ORDERS_MAX) };
    let orders = app.call_patiently(service(request_id), call).await?;
    let mut failures_in_a_row = [0; 2];
    let mut count = 0;
    for order in &orders {
        let Some(provider) = Provider::parse(&order.provider) else { continue };
        let failures = &mut failures_in_a_row[provider as usize];
        let outcome = if *failures < FAILURES_MAX {
            ask(app, request_id, provider, order).await
        } else {
            Err(ErrorCode::Unavailable.into())
        };
        *failures = if outcome.is_ok() { 0 } else { *failures + 1 };
        note(app, request_id, provider, order, &outcome);
        count += 1;
    }
    Ok(count)
}

async fn ask(
    app: &App,
    request_id: &RequestId,
    provider: Provider,
    order: &RechargeOrderToQuery,
) -> Result<Asked, Failure> {
    let asked = |status, level| Asked { status, level, tx_no: None, provider_tx_id: None };
    match app.providers().query(provider, &order.order_no).await? {
        Standing::Paid(payment) => {
            let paid = complete(app, Policy::HOUSE, request_id, payment).await?;
            let status = status(&paid);
            Ok(Asked { tx_no: paid.tx_no, ..asked(status, level(status)) })
        }
        Standing::Open if is_expired(app, order) => {
            app.providers().close(provider, &order.order_no).await?;
            Ok(asked("closed", Level::Info))
        }
        Standing::Open | Standing::Over => Ok(asked("unpaid", Level::Info)),
        // How much went back it does not say, and nothing was credited: an operator must look.
        Standing::Refunded { provider_tx_id } => {
            Ok(Asked { provider_tx_id: Some(provider_tx_id), ..asked("refunded", Level::Error) })
        }
    }
}

fn is_expired(app: &App, order: &RechargeOrderToQuery) -> bool {
    let now = app.host().unix_time().as_secs();
    order.status == "expired" || i64::try_from(now).is_ok_and(|now| order.expires_at.unix_seconds() <= now)
}

fn note(
    app: &App,
    request_id: &RequestId,
    provider: Provider,
    order: &RechargeOrderToQuery,
    outcome: &Result<Asked, Failure>,
) {
    let status = outcome.as_ref().map_or("failed", |asked| asked.status);
    let labels = [("provider", provider.as_str()), ("status", status)];
    app.metrics().count("recharge_orders_total", &labels);
    app.log(&telemetry::line_of_order(&OrderAsked {
        ended_at: app.host().unix_time(),
        request_id,
        level: outcome.as_ref().map_or(Level::Error, |asked| asked.level),
        provider: provider.as_str(),
        order_no: &order.order_no,
        status,
        tx_no: outcome.as_ref().ok().and_then(|asked| asked.tx_no.as_deref()),
        provider_tx_id: outcome.as_ref().ok().and_then(|asked| asked.provider_tx_id.as_deref()),
        failure: outcome.as_ref().err(),
    }));
}
