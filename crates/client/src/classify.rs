//! THE ONE classifier of PostgREST's errors. The `hint` is never read: it quotes our own code and advises the wrong person.
//!
//! Sources: PostgREST "Errors" (its `PGRST` groups, SQLSTATE to status, `PTnnn`), PostgreSQL appendix A, and what
//! Supabase Lite was seen to answer (`SUP` for SQLSTATEs it does not pass on). Recorded bodies: tests/contract.

use mps_core::ErrorCode;
use serde_json::Value;

use crate::connection::CallerKind;
use crate::error::{Params, Refusal, RpcError, UpstreamCode};
use crate::generated::upstream_codes::{CODES, PHRASES};

/// The parts of PostgREST's error body that count. Anything may be missing or of another type.
struct Body {
    code: String,
    message: String,
    details: Value,
}

impl Body {
    fn read(bytes: &[u8]) -> Option<Self> {
        let Value::Object(mut fields) = serde_json::from_slice(bytes).ok()? else { return None };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (code, message) = (text("code"), text("message"));
        if code.is_empty() {
            return None;
        }
        Some(Self { code, message, details: fields.remove("details").unwrap_or(Value::Null) })
    }

    fn params(&self) -> Params {
        let parsed = match &self.details {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.clone(),
        };
        match parsed {
            Value::Object(params) => params,
            _ => Params::new(),
        }
    }
}

/// What an answer that is no success means. `status` is the HTTP status, `body` its bytes, whatever they are.
pub fn classify(status: u16, body: &[u8], caller: CallerKind) -> RpcError {
    match Body::read(body) {
        Some(body) => classify_code(status, &body, caller),
        None => classify_status(status),
    }
}

/// What a code says of who must act; `spec/upstream_codes.toml` has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Malformed,
    SignedOut,
    Denied,
    Contention,
    Unavailable,
    Drift,
    Bug,
}

fn classify_code(status: u16, body: &Body, caller: CallerKind) -> RpcError {
    let upstream = UpstreamCode::new(&body.code);
    let is_sqlstate = body.code.len() == 5;
    if is_sqlstate && body.code.starts_with("PT") {
        return raised_by_a_rule(body, upstream);
    }
    let meaning = match body.code.as_str() {
        "SUP" => meaning_of_phrase(&body.message),
        code => meaning_of_code(code, is_sqlstate, status),
    };
    match meaning {
        Meaning::Malformed => RpcError::Refused(Refusal::bare(ErrorCode::MalformedArgument)),
        Meaning::SignedOut => RpcError::Refused(Refusal::bare(ErrorCode::NotAuthenticated)),
        Meaning::Denied => RpcError::Refused(denied(caller)),
        Meaning::Contention => RpcError::Contention(upstream),
        Meaning::Unavailable => RpcError::Unavailable(upstream),
        Meaning::Drift => RpcError::Drift(upstream),
        Meaning::Bug => RpcError::Bug(upstream),
    }
}

fn meaning_of_code(code: &str, is_sqlstate: bool, status: u16) -> Meaning {
    let fits = |prefix: &str| code.starts_with(prefix) && (is_sqlstate || prefix.starts_with("PGRST"));
    match CODES.iter().find(|(prefix, _)| fits(prefix)) {
        Some((_, meaning)) => *meaning,
        None if status >= 500 => Meaning::Unavailable,
        None => Meaning::Bug,
    }
}

/// Supabase Lite answers most SQLSTATEs as 500 `SUP` with PostgreSQL's English message: only that tells them apart.
fn meaning_of_phrase(message: &str) -> Meaning {
    PHRASES.iter().find(|(phrase, _)| message.contains(phrase)).map_or(Meaning::Bug, |(_, meaning)| *meaning)
}

/// `rules.fail` raised it: the message is a code of the catalogue and nothing else.
fn raised_by_a_rule(body: &Body, upstream: UpstreamCode) -> RpcError {
    match body.message.parse() {
        Ok(code) => RpcError::Refused(Refusal::with_params(code, body.params())),
        Err(_) => RpcError::Drift(upstream),
    }
}

fn denied(caller: CallerKind) -> Refusal {
    Refusal::bare(match caller {
        CallerKind::Anonymous => ErrorCode::NotAuthenticated,
        CallerKind::User | CallerKind::Service => ErrorCode::PermissionDenied,
    })
}

/// No body of PostgREST's: a gateway, a proxy or nobody spoke.
fn classify_status(status: u16) -> RpcError {
    let upstream = UpstreamCode::new(&status.to_string());
    match status {
        408 | 425 | 429 | 500.. => RpcError::Unavailable(upstream),
        _ => RpcError::Bug(upstream),
    }
}
