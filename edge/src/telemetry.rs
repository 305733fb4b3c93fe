//! One JSON line a request. Never a payment code, token, key, phone or e-mail: only what is listed in [`Line`].

use axum::http::{Method, StatusCode};
use chrono::{DateTime, SecondsFormat};
use mps_client::RequestId;
use serde::Serialize;
use std::time::Duration;

use crate::config::ConfigError;
use crate::problem::Failure;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

/// A line, without its end.
pub(crate) struct LogLine {
    pub(crate) level: Level,
    pub(crate) text: String,
}

/// What a handler adds to its request's line, as a response extension.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note {
    pub(crate) tx_no: Option<String>,
    pub(crate) merchant_code: Option<String>,
    /// Of a recharge order: `wechat` or `alipay`.
    pub(crate) provider: Option<&'static str>,
    /// Of a recharge order, by whatever number its provider called it.
    pub(crate) order_no: Option<String>,
    /// What became of a recharge order; a metrics label.
    pub(crate) order_status: Option<&'static str>,
    /// Of an answer that is no problem document, since a provider reads it.
    pub(crate) failure: Option<Failure>,
    /// Where the status says too much or too little of how bad it is.
    pub(crate) level: Option<Level>,
}

/// The template of the route that answered, as a response extension.
#[derive(Clone, Debug)]
pub(crate) struct RouteTemplate(pub(crate) String);

/// One request, from its first byte to its last.
pub(crate) struct Answered<'a> {
    pub(crate) ended_at: Duration,
    pub(crate) duration: Duration,
    pub(crate) request_id: &'a RequestId,
    /// What the caller calls it, where that can be written.
    pub(crate) caller_request_id: Option<&'a str>,
    pub(crate) method: &'a Method,
    pub(crate) route: Option<&'a RouteTemplate>,
    pub(crate) status: StatusCode,
    pub(crate) note: Option<&'a Note>,
    pub(crate) failure: Option<&'a Failure>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: Level,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_request_id: Option<&'a str>,
    method: &'a str,
    route: &'a str,
    status: u16,
    duration_ms: u128,
    category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_code: Option<&'a str>,
}

/// Its line.
pub(crate) fn line(request: &Answered<'_>) -> LogLine {
    let route = request.route.map_or("unmatched", |template| template.0.as_str());
    let name = |text: fn(&Note) -> Option<&str>| request.note.and_then(text).filter(|text| is_name(text));
    let failure = request.failure.or(request.note.and_then(|note| note.failure.as_ref()));
    let level = request.note.and_then(|note| note.level).unwrap_or_else(|| level(request.status));
    let line = Line {
        time: rfc3339(request.ended_at),
        level,
        request_id: request.request_id.as_str(),
        caller_request_id: request.caller_request_id,
        method: known_method(request.method),
        route,
        status: request.status.as_u16(),
        duration_ms: request.duration.as_millis(),
        category: category(route, request.status),
        tx_no: name(|note| note.tx_no.as_deref()),
        order_no: name(|note| note.order_no.as_deref()),
        merchant_code: name(|note| note.merchant_code.as_deref()),
        error_code: failure.map(|failure| failure.code().as_str()),
        upstream_code: failure.and_then(Failure::upstream).map(mps_client::UpstreamCode::as_str),
    };
    LogLine { level, text: serde_json::to_string(&line).unwrap_or_default() }
}

/// The line of an isolate that cannot start.
pub(crate) fn line_of_refused_start(now: Duration, error: ConfigError) -> String {
    let (time, what) = (rfc3339(now), error.name);
    serde_json::json!({"time": time, "level": "error", "category": "config", "error_code": "NOT_CONFIGURED", "what": what})
        .to_string()
}

/// The line of a request that passed because a limiter did not answer.
pub(crate) fn line_of_lost_limiter(now: Duration) -> String {
    serde_json::json!({"time": rfc3339(now), "level": "error", "category": "security", "event": "limiter_lost"}).to_string()
}

/// The line of public keys that could not be fetched.
pub(crate) fn line_of_lost_keys(now: Duration) -> String {
    serde_json::json!({"time": rfc3339(now), "level": "error", "category": "security", "event": "jwks_lost"})
        .to_string()
}

/// The line of a refused call that the audit log has no row of.
pub(crate) fn line_of_lost_report(now: Duration, request_id: &RequestId, failure: &Failure) -> String {
    serde_json::json!({
        "time": rfc3339(now),
        "level": "error",
        "request_id": request_id.as_str(),
        "category": "security",
        "event": "refusal_report_lost",
        "error_code": failure.code().as_str(),
        "upstream_code": failure.upstream().map(mps_client::UpstreamCode::as_str),
    })
    .to_string()
}

/// The line of a scheduled event that started no job.
pub(crate) fn line_of_idle_schedule(now: Duration) -> String {
    serde_json::json!({"time": rfc3339(now), "level": "error", "category": "cron", "event": "no_job"})
        .to_string()
}

/// One run of a scheduled job.
pub(crate) struct CronEnded<'a> {
    pub(crate) ended_at: Duration,
    pub(crate) duration: Duration,
    pub(crate) request_id: &'a RequestId,
    pub(crate) name: &'static str,
    pub(crate) total: Option<u64>,
    pub(crate) failure: Option<&'a Failure>,
}

/// Its line.
pub(crate) fn line_of_cron(cron: &CronEnded<'_>) -> LogLine {
    let level = if cron.failure.is_some() { Level::Error } else { Level::Info };
    let line = serde_json::json!({
        "time": rfc3339(cron.ended_at),
        "level": level,
        "request_id": cron.request_id.as_str(),
        "category": "cron",
        "cron": cron.name,
        "duration_ms": cron.duration.as_millis(),
        "total": cron.total,
        "error_code": cron.failure.map(|failure| failure.code().as_str()),
        "upstream_code": cron.failure.and_then(Failure::upstream).map(mps_client::UpstreamCode::as_str),
    });
    LogLine { level, text: line.to_string() }
}

/// What asking a provider about an order came to.
pub(crate) struct OrderAsked<'a> {
    pub(crate) ended_at: Duration,
    pub(crate) request_id: &'a RequestId,
    pub(crate) level: Level,
    pub(crate) provider: &'static str,
    pub(crate) order_no: &'a str,
    /// As in `recharge_orders_total`.
    pub(crate) status: &'static str,
    pub(crate) tx_no: Option<&'a str>,
    /// The provider's own number of a payment that it gave back.
    pub(crate) provider_tx_id: Option<&'a str>,
    pub(crate) failure: Option<&'a Failure>,
}

/// Its line.
pub(crate) fn line_of_order(order: &OrderAsked<'_>) -> LogLine {
    let line = serde_json::json!({
        "time": rfc3339(order.ended_at),
        "level": order.level,
        "request_id": order.request_id.as_str(),
        "category": "recharge",
        "event": "order_queried",
        "provider": order.provider,
        "order_no": order.order_no,
        "status": order.status,
        "tx_no": order.tx_no,
        "provider_tx_id": order.provider_tx_id,
        "error_code": order.failure.map(|failure| failure.code().as_str()),
        "upstream_code": order.failure.and_then(Failure::upstream).map(mps_client::UpstreamCode::as_str),
    });
    LogLine { level: order.level, text: line.to_string() }
}

/// The line of a panic, without a time: a panic must not ask the host for one.
pub(crate) fn line_of_panic(place: &str) -> String {
    serde_json::json!({"level": "error", "category": "panic", "error_code": "INTERNAL", "place": place})
        .to_string()
}

/// Callers choose these two texts: only what looks like one of ours is written, so no payment code can pose as one.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 32
        && bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

pub(crate) fn known_method(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    if known.contains(method) { method.as_str() } else { "other" }
}

fn level(status: StatusCode) -> Level {
    match status.as_u16() {
        500.. => Level::Error,
        401 | 403 | 429 => Level::Warn,
        _ => Level::Info,
    }
}

fn category(route: &str, status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 | 429 => "security",
        _ if route.starts_with("/api/payment/") => "payment",
        _ if route.starts_with("/api/qr/") => "qr",
        _ if route.starts_with("/api/recharge/") || route.starts_with("/api/webhooks/") => "recharge",
        _ => "http",
    }
}

fn rfc3339(since_1970: Duration) -> String {
    let millis = i64::try_from(since_1970.as_millis()).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_with(note: &Note) -> Option<serde_json::Value> {
        let request_id = RequestId::parse("req-1").ok()?;
        let route = RouteTemplate("/api/payment/charge".to_owned());
        let line = line(&Answered {
            ended_at: Duration::from_millis(1_800_000_000_123),
            duration: Duration::from_millis(7),
            request_id: &request_id,
            caller_request_id: None,
            method: &Method::POST,
            route: Some(&route),
            status: StatusCode::OK,
            note: Some(note),
            failure: None,
        });
        serde_json::from_str(&line.text).ok()
    }

    #[test]
    fn a_line_says_what_happened() {
        let note = Note {
            tx_no: Some("PAY0000000001".into()),
            merchant_code: Some("SHOP001".into()),
            ..Note::default()
        };
        let expected = serde_json::json!({
            "time": "2027-01-15T08:00:00.123Z", "level": "info", "request_id": "req-1", "method": "POST",
            "route": "/api/payment/charge", "status": 200, "duration_ms": 7, "category": "payment",
            "tx_no": "PAY0000000001", "merchant_code": "SHOP001",
        });
        assert_eq!(line_with(&note), Some(expected));
    }

    #[test]
    fn a_payment_code_or_an_address_in_the_place_of_a_name_is_not_written() {
        for text in ["701234567890123456789017", "ming@demo.example", "+886912345678", "shop\n{}", "A B", ""]
        {
            let note = Note { tx_no: Some(text.into()), merchant_code: Some(text.into()), ..Note::default() };
            let line = line_with(&note);
            assert!(
                line.is_some_and(|line| line.get("tx_no").or(line.get("merchant_code")).is_none()),
                "{text}"
            );
        }
    }
}
