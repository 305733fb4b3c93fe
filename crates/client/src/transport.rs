//! How a request gets to PostgREST and its answer back. A native program has `reqwest` for it; in wasm the host brings its own,
//! for `reqwest` there leaves it to the host's fetch to follow redirects.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The connection ended before the answer was whole: nobody knows how far the request came. It says where: `NETWORK`, `BODY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost(pub &'static str);

/// What came back, whatever its status. `Debug` does not show the body: codes and keys come in one.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `None` when it is longer than was allowed.
    pub body: Option<Vec<u8>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.body.as_ref().map(Vec::len);
        f.debug_struct("Answer").field("status", &self.status).field("body_bytes", &length).finish()
    }
}

/// An answer on its way.
pub type Carried = Pin<Box<dyn Future<Output = Result<Answer, Lost>> + Send>>;

/// Carries requests to PostgREST.
pub trait Transport: Send + Sync {
    /// Sends a request and reads at most so many bytes of the answer's body. A redirect is an answer and **is not followed**: it would
    /// take keys and tokens to whomever it names. When the future is dropped, the connection is given up.
    fn carry(&self, request: http::Request<String>, body_bytes_max: usize) -> Carried;
}

/// Over `reqwest`, for native programs.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone)]
pub struct Direct(reqwest::Client);

#[cfg(not(target_arch = "wasm32"))]
impl Direct {
    /// With connections of its own, which it keeps for later requests.
    #[expect(clippy::new_without_default, reason = "it has something to set up")]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "fails only where TLS cannot be set up, and rustls brings its own roots"
    )]
    pub fn new() -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self(client.expect("rustls is there"))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Transport for Direct {
    fn carry(&self, request: http::Request<String>, body_bytes_max: usize) -> Carried {
        let (parts, body) = request.into_parts();
        // One version of `http` and the other: reqwest's is older.
        let mut builder = match reqwest::Method::from_bytes(parts.method.as_str().as_bytes()) {
            Ok(method) => self.0.request(method, parts.uri.to_string()).body(body),
            Err(_) => return Box::pin(std::future::ready(Err(Lost("REQUEST")))),
        };
        for (name, value) in &parts.headers {
            builder = builder.header(name.as_str(), value.as_bytes());
        }
        Box::pin(async move {
            let response = builder.send().await.map_err(|_| Lost("NETWORK"))?;
            Ok(Answer { status: response.status().as_u16(), body: read(response, body_bytes_max).await? })
        })
    }
}

#[cfg(not(target_arch = "wasm32"))]
async fn read(mut response: reqwest::Response, bytes_max: usize) -> Result<Option<Vec<u8>>, Lost> {
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Lost("BODY"))? {
        body.extend_from_slice(&chunk);
        if body.len() > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(body))
}
