//! THE ONE classifier of PostgREST's errors. The `hint` is never read: it quotes our own code and advises the wrong person.
//!
//! Sources: PostgREST "Errors" (its `PGRST` groups, SQLSTATE to status, `PTnnn`), PostgreSQL appendix A, and what
//! Supabase Lite was seen to answer (`SUP` for SQLSTATEs it does not pass on). Recorded bodies: tests/contract.

use mps_core::ErrorCode;
use serde_json::Value;

use crate::connection::CallerKind;
use crate::error::{Params, Refusal, RpcError, UpstreamCode};

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

fn classify_code(status: u16, body: &Body, caller: CallerKind) -> RpcError {
    let upstream = UpstreamCode::new(&body.code);
    let is_sqlstate = body.code.len() == 5;
    let class = body.code.get(..2).filter(|_| is_sqlstate).unwrap_or_default();
    match (body.code.as_str(), class) {
        (_, "PT") => raised_by_a_rule(body, upstream),
        ("40001" | "40P01" | "55P03", _) => RpcError::Contention(upstream),
        ("42501", _) => RpcError::Refused(denied(caller)),
        // The token itself was refused, for a user most often since it expired on the way: a fresh one mends that.
        ("PGRST301" | "PGRST302" | "PGRST303", _) => {
            RpcError::Refused(Refusal::bare(ErrorCode::NotAuthenticated))
        }
        (_, "22") => RpcError::Refused(Refusal::bare(ErrorCode::MalformedArgument)),
        (_, "08" | "53" | "57" | "58") => RpcError::Unavailable(upstream),
        ("SUP", _) => hidden_by_supabase_lite(&body.message, upstream),
        (code, _) if code.starts_with("PGRST0") => RpcError::Unavailable(upstream),
        (code, _) if code.starts_with("PGRST2") => RpcError::Drift(upstream),
        _ if status >= 500 => RpcError::Unavailable(upstream),
        _ => RpcError::Bug(upstream),
    }
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

/// Supabase Lite answers most SQLSTATEs as 500 `SUP` with PostgreSQL's English message: only that tells them apart.
fn hidden_by_supabase_lite(message: &str, upstream: UpstreamCode) -> RpcError {
    const CONTENTION: [&str; 3] = ["could not serialize access", "deadlock detected", "lock timeout"];
    const UNAVAILABLE: [&str; 5] =
        ["connection", "ECONNREFUSED", "ECONNRESET", "terminating", "statement timeout"];
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    if says(&CONTENTION) {
        RpcError::Contention(upstream)
    } else if says(&UNAVAILABLE) {
        RpcError::Unavailable(upstream)
    } else {
        RpcError::Bug(upstream)
    }
}

/// No body of PostgREST's: a gateway, a proxy or nobody spoke.
fn classify_status(status: u16) -> RpcError {
    let upstream = UpstreamCode::new(&status.to_string());
    match status {
        408 | 425 | 429 | 500.. => RpcError::Unavailable(upstream),
        _ => RpcError::Bug(upstream),
    }
}
