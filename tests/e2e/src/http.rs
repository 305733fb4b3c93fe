//! One HTTP request and its answer; a status is never an error here.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let seconds = Duration::from_secs(30);
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(seconds))
        .max_redirects(0)
        .build()
        .into()
});

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` when it is none.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Status and code of a refusal of the edge.
    pub fn refusal(&self) -> (u16, String) {
        answer_of(self.status, &self.body["code"])
    }

    /// Status and code of a refusal over raw RPC: what `rules.fail` raised, else PostgREST's own code.
    pub fn rpc_refusal(&self) -> (u16, String) {
        let is_ours = self.body["code"].as_str().is_some_and(|code| code == format!("PT{}", self.status));
        answer_of(self.status, if is_ours { &self.body["message"] } else { &self.body["code"] })
    }
}

/// A status and a code, to compare with.
pub fn answer_of(status: u16, code: &Value) -> (u16, String) {
    (status, code.as_str().unwrap_or("no code").to_owned())
}

/// Sends one request and waits for its answer.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    try_send(method, url, headers, body).expect("an answer")
}

/// The same where nobody may be there, or somebody who goes away in the middle.
pub fn try_send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let sent = if matches!(method, "POST" | "PUT" | "PATCH") {
        AGENT.run(request.body(body.to_owned()).expect("a request"))
    } else {
        AGENT.run(request.body(()).expect("a request"))
    };
    let (parts, mut body) = sent.ok()?.into_parts();
    let text = body.read_to_string().ok()?;
    Some(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    })
}
