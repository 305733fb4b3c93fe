//! One connection to PostgREST: who calls, the headers, one request, its typed reply.

use std::fmt;
use std::sync::Arc;

use http::header::{self, HeaderName};
use mps_core::ErrorCode;
use postgrest::Postgrest;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::classify::classify;
use crate::error::{RpcError, UpstreamCode};
use crate::transport::{Lost, Transport};

/// Text that cannot be sent as that header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedHeader;

impl fmt::Display for MalformedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MALFORMED_HEADER")
    }
}

impl std::error::Error for MalformedHeader {}

fn check_visible(text: &str) -> Result<String, MalformedHeader> {
    let is_visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible { Ok(text.to_owned()) } else { Err(MalformedHeader) }
}

/// A project's publishable or secret key. `Debug` does not show it, and it is zeroed when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Visible ASCII, at least one character.
    ///
    /// # Errors
    /// [`MalformedHeader`].
    pub fn parse(text: &str) -> Result<Self, MalformedHeader> {
        check_visible(text).map(|text| Self(Zeroizing::new(text)))
    }

    /// Whether it is a signed token, as Supabase's keys were once and as a `PostgREST` by itself wants them: then it is sent as one too.
    fn is_token(&self) -> bool {
        self.0.starts_with("eyJ") && self.0.split('.').count() == 3
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// A signed-in user's access token, verified by who hands it over. `Debug` does not show it, and it is zeroed when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Zeroizing<String>);

impl AccessToken {
    /// Visible ASCII, at least one character.
    ///
    /// # Errors
    /// [`MalformedHeader`].
    pub fn parse(text: &str) -> Result<Self, MalformedHeader> {
        check_visible(text).map(|text| Self(Zeroizing::new(text)))
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// The name of one request through all hops: 1 to 128 of `A-Za-z0-9._-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    const CHARS_MAX: usize = 128;

    /// Reads a request id.
    ///
    /// # Errors
    /// [`MalformedHeader`].
    pub fn parse(text: &str) -> Result<Self, MalformedHeader> {
        let is_well_formed = (1..=Self::CHARS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if is_well_formed { Ok(Self(text.to_owned())) } else { Err(MalformedHeader) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// On whose behalf a call is made.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody: the publishable key alone.
    Anonymous,
    /// A signed-in user: the publishable key and his own token.
    User(AccessToken),
    /// Our own back end: the secret key alone.
    Service,
}

/// [`Caller`] without its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// Nobody.
    Anonymous,
    /// A signed-in user.
    User,
    /// Our own back end.
    Service,
}

impl Caller {
    /// Which of the three.
    pub fn kind(&self) -> CallerKind {
        match self {
            Self::Anonymous => CallerKind::Anonymous,
            Self::User(_) => CallerKind::User,
            Self::Service => CallerKind::Service,
        }
    }
}

/// What goes with a call but is no argument of it.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// On whose behalf.
    pub caller: Caller,
    /// Goes to the database's audit rows.
    pub request_id: RequestId,
}

/// When a call may be sent again although nobody knows whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// A read, or a write that says what shall be.
    Always,
    /// With an idempotency key.
    Keyed,
    /// A write that is done as often as it is sent.
    Never,
}

/// One RPC: a struct of its arguments, serialised under their SQL names.
pub trait Call: Serialize {
    /// What it answers.
    type Reply;

    /// The function's name in `public`.
    const RPC: &'static str;

    /// When it may be sent again.
    const REPEAT: Repeat;

    /// The arguments as a JSON object under their SQL names; `None` when they cannot be written.
    fn arguments(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// Whether sending it twice does the work at most once: a read, or a write with an idempotency key.
    fn is_repeatable(&self) -> bool;

    /// Reads the reply from a successful answer; `None` when it has another shape.
    fn read_reply(body: &[u8]) -> Option<Self::Reply>;
}

/// The longest answer that is read; the longest of ours is a page of a list.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The RPC functions of one MPS database.
#[derive(Clone)]
pub struct Client {
    postgrest: Postgrest,
    transport: Arc<dyn Transport>,
    publishable_key: ApiKey,
    secret_key: Option<ApiKey>,
}

impl Client {
    /// Of a Supabase project. `supabase_url` without a trailing slash, for example `https://xyz.supabase.co`; the Data API
    /// is at `/rest/v1` under it. Without a secret key no call can be made as [`Caller::Service`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(supabase_url: &str, publishable_key: ApiKey, secret_key: Option<ApiKey>) -> Self {
        Self::of_postgrest(&format!("{supabase_url}/rest/v1"), publishable_key, secret_key)
    }

    /// Of a `PostgREST` by itself: `url` is its own address, without a trailing slash. It does not look at keys that are no tokens.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn of_postgrest(url: &str, publishable_key: ApiKey, secret_key: Option<ApiKey>) -> Self {
        Self::over(Arc::new(crate::transport::Direct::new()), url, publishable_key, secret_key)
    }

    /// The same over a transport of the caller's.
    pub fn over(
        transport: Arc<dyn Transport>,
        url: &str,
        publishable_key: ApiKey,
        secret_key: Option<ApiKey>,
    ) -> Self {
        Self { postgrest: Postgrest::new(url), transport, publishable_key, secret_key }
    }

    /// Makes one call, once. It ends when the connection does: who calls sets the time limit. No redirect is followed; an answer
    /// over 8 MiB is refused.
    ///
    /// # Errors
    /// [`RpcError`], by who must act.
    pub async fn call<C: Call>(&self, context: &CallContext, call: &C) -> Result<C::Reply, RpcError> {
        read_reply::<C>(&self.send(context, C::RPC, call.arguments().as_deref()).await?)
    }

    /// Sends a call and answers the body of a success. It is the same code for all RPCs: there are many of them, and a Worker is small.
    pub(crate) async fn send(
        &self,
        context: &CallContext,
        rpc: &str,
        arguments: Option<&str>,
    ) -> Result<Vec<u8>, RpcError> {
        let request =
            self.request(context, rpc, arguments).map_err(|what| RpcError::Bug(UpstreamCode::new(what)))?;
        let lost = |Lost(place)| RpcError::Unavailable(UpstreamCode::new(place));
        let answer = self.transport.carry(request, ANSWER_BYTES_MAX).await.map_err(lost)?;
        if (200..300).contains(&answer.status) {
            answer.body.ok_or_else(|| RpcError::Drift(UpstreamCode::new("TOOLONG")))
        } else {
            Err(classify(answer.status, &answer.body.unwrap_or_default(), context.caller.kind()))
        }
    }

    /// The request as `postgrest` builds it, with our headers; an error is the name of what is wrong with us.
    fn request(
        &self,
        context: &CallContext,
        rpc: &str,
        arguments: Option<&str>,
    ) -> Result<http::Request<String>, &'static str> {
        let arguments = arguments.ok_or("ARGUMENTS")?;
        let builder = self.postgrest.rpc(rpc, arguments);
        let (builder, key) = match &context.caller {
            Caller::Anonymous => (builder, &self.publishable_key),
            Caller::User(token) => (builder.auth(token.reveal()), &self.publishable_key),
            Caller::Service => {
                let key = self.secret_key.as_ref().ok_or("SECRETKEY")?;
                (if key.is_token() { builder.auth(&key.0) } else { builder }, key)
            }
        };
        let built = builder.build().build().map_err(|_| "REQUEST")?;
        let mut request = http::Request::builder().method(built.method().as_str()).uri(built.url().as_str());
        for (name, value) in built.headers() {
            request = request.header(name.as_str(), value.as_bytes());
        }
        request =
            request.header("apikey", key.0.as_str()).header("x-request-id", context.request_id.as_str());
        let mut request = request.body(arguments.to_owned()).map_err(|_| "REQUEST")?;
        // Whoever prints a request does not print these.
        for name in [header::AUTHORIZATION, HeaderName::from_static("apikey")] {
            if let Some(value) = request.headers_mut().get_mut(name) {
                value.set_sensitive(true);
            }
        }
        Ok(request)
    }
}

/// What the RPC answered.
pub(crate) fn read_reply<C: Call>(body: &[u8]) -> Result<C::Reply, RpcError> {
    C::read_reply(body).ok_or_else(|| RpcError::Drift(UpstreamCode::new("REPLY")))
}

/// The code of the catalogue for a call that must not even be sent.
impl From<MalformedHeader> for ErrorCode {
    fn from(_: MalformedHeader) -> Self {
        Self::MalformedArgument
    }
}
