//! Requests over HTTP, to edges of this machine and to installations behind TLS.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, Body};

/// Longer than an edge takes for any request.
const REQUEST_MAX: Duration = Duration::from_secs(15);

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The body; `null` where it is no JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Asks; every status is an answer.
#[derive(Clone)]
pub(crate) struct Web {
    agent: Agent,
    limit: Duration,
}

impl Web {
    /// Of machines that present a certificate which everybody trusts, or one that an authority of `cacert` signed.
    pub(crate) fn new(cacert: Option<&Path>) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(file) = cacert {
            let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let certificates: Vec<Certificate> = parse_pem(&text)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            anyhow::ensure!(!certificates.is_empty(), "{} has no certificate in PEM", file.display());
            tls = tls.root_certs(RootCerts::Specific(certificates.into()));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(REQUEST_MAX))
            // An edge is rolled under a connection that is kept.
            .max_idle_connections(0)
            .proxy(None)
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: agent.into(), limit: REQUEST_MAX })
    }

    /// The same for somebody who waits no longer than that.
    pub(crate) fn within(limit: Duration) -> Result<Self> {
        Ok(Self { limit, ..Self::new(None)? })
    }

    pub(crate) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        self.send("GET", url, headers, None)
    }

    pub(crate) fn post(&self, url: &str, headers: &[(&str, &str)], body: &str) -> Result<Reply> {
        self.send("POST", url, headers, Some(body))
    }

    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Reply> {
        self.send_within(self.limit, method, url, headers, body)
    }

    /// With another wait for the answer.
    pub(crate) fn send_within(
        &self,
        limit: Duration,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Reply> {
        let request = Request::builder().method(method).uri(url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = match body {
            Some(body) => self.call(limit, request.body(body)),
            None => self.call(limit, request.body(())),
        };
        let mut response = answer.with_context(|| format!("no answer from {url}"))?;
        let body = response.body_mut().read_to_string().context("the answer is no text")?;
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    fn call<B: AsSendBody>(
        &self,
        limit: Duration,
        request: ureq::http::Result<Request<B>>,
    ) -> Result<Response<Body>> {
        let request = self.agent.configure_request(request?).timeout_global(Some(limit)).build();
        Ok(self.agent.run(request)?)
    }
}
