//! How a route is declared: its address, the name clients know it by, the RPC behind it, and a handler from typed input to typed
//! output. The same types that read a request and write its answer describe it in `openapi.json`.

#[cfg(test)]
mod openapi;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use mps_client::rpc::{Adjustment, CashRecharge, CashReversal, Charge, CreatedCard, PointsChange, Refund};
use mps_client::{Call, CallContext, Repeat};
use mps_core::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::extract::{Authenticated, Parse, RawInput, read_input};
use crate::headers::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED};
use crate::platform::Work;
use crate::problem::Failure;
use crate::refusals::{self, RefusedCall};
use crate::telemetry::Note;

use axum::extract::FromRequestParts;

/// What axum is given.
pub(crate) type Answer = Result<Response, Failure>;

/// How a route is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Get,
    /// Input besides the path comes in the query, as with [`Way::Get`].
    Delete,
    Post,
    /// A POST that moves money: it wants an `Idempotency-Key`.
    PostKeyed,
    Put,
    Patch,
}

impl Way {
    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Delete => MethodFilter::DELETE,
            Self::Post | Self::PostKeyed => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
        }
    }

    pub(crate) const fn has_body(self) -> bool {
        !matches!(self, Self::Get | Self::Delete)
    }

    pub(crate) fn is_keyed(self) -> bool {
        self == Self::PostKeyed
    }
}

/// What a request or an answer consists of; in tests it can describe itself.
#[cfg(not(test))]
pub(crate) trait Shape {}
#[cfg(not(test))]
impl<T> Shape for T {}
#[cfg(test)]
pub(crate) trait Shape: schemars::JsonSchema {}
#[cfg(test)]
impl<T: schemars::JsonSchema> Shape for T {}

/// What a route with a key answers: it says whether it answers an earlier request of the caller's.
pub(crate) trait Replayed {
    fn is_replay(&self) -> bool;
}

macro_rules! replayed {
    ($($reply:ty),+) => { $(impl Replayed for $reply {
        fn is_replay(&self) -> bool {
            self.replayed
        }
    })+ };
}
replayed!(Adjustment, CashRecharge, CashReversal, Charge, CreatedCard, PointsChange, Refund);

/// What a handler answers.
pub(crate) struct Done<T> {
    body: T,
    is_replay: bool,
    note: Note,
}

impl<T> Done<T> {
    /// Adds what the log may say of it.
    pub(crate) fn noting(mut self, note: Note) -> Self {
        self.note = note;
        self
    }
}

pub(crate) type Outcome<T> = Result<Done<T>, Failure>;

/// A handler whose types are its own business: what is around it is the same code for all routes.
type Handler = Arc<dyn Fn(App, CallContext, RawInput) -> Work<Outcome<String>> + Send + Sync>;

pub(crate) fn done<T>(body: T) -> Done<T> {
    Done { body, is_replay: false, note: Note::default() }
}

/// Routes on their way into a router.
pub(crate) struct Routes {
    router: Router<App>,
    #[cfg(test)]
    pub(crate) operations: Vec<openapi::Operation>,
    #[cfg(feature = "fuzz")]
    pub(crate) readers: Vec<crate::fuzz::Reader>,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self {
            router: Router::new(),
            #[cfg(test)]
            operations: Vec::new(),
            #[cfg(feature = "fuzz")]
            readers: Vec::new(),
        }
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        #[cfg(test)]
        self.operations.extend(other.operations);
        #[cfg(feature = "fuzz")]
        self.readers.extend(other.readers);
        self
    }

    pub(crate) fn into_router(self) -> Router<App> {
        self.router
    }

    /// A route whose input is the RPC's arguments and whose output is its reply.
    #[expect(clippy::inline_always, reason = "see `handle`")]
    #[inline(always)]
    pub(crate) fn rpc<C>(self, way: Way, path: &'static str, name: &'static str) -> Self
    where
        C: Call + DeserializeOwned + Shape + Send + 'static,
        C::Reply: Serialize + Shape,
    {
        self.handle::<C, C, C::Reply, _, _>(way, path, name, |app, context, call| async move {
            Ok(done(app.call(context, call).await?))
        })
    }

    /// The same for a POST that moves money.
    pub(crate) fn keyed_rpc<C>(self, path: &'static str, name: &'static str) -> Self
    where
        C: Call + DeserializeOwned + Shape + Send + 'static,
        C::Reply: Serialize + Shape + Replayed,
    {
        self.keyed::<C, C, C::Reply, _, _>(path, name, |app, context, call| async move {
            Ok(done(app.call(context, call).await?))
        })
    }

    /// A route with a handler of its own around the RPC `C`.
    #[expect(clippy::inline_always, reason = "see `declare`")]
    #[inline(always)]
    pub(crate) fn handle<C, I, O, H, F>(
        self,
        way: Way,
        path: &'static str,
        name: &'static str,
        handler: H,
    ) -> Self
    where
        C: Call,
        I: DeserializeOwned + Shape + Send + 'static,
        O: Serialize + Shape + 'static,
        H: Fn(App, CallContext, I) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome<O>> + Send + 'static,
    {
        self.declare::<C, I, O, H, F>(way, path, name, handler, |_| false)
    }

    /// The same for a POST that moves money: it wants an `Idempotency-Key`, and says of its answer whether it is an earlier one.
    pub(crate) fn keyed<C, I, O, H, F>(self, path: &'static str, name: &'static str, handler: H) -> Self
    where
        C: Call,
        I: DeserializeOwned + Shape + Send + 'static,
        O: Serialize + Shape + Replayed + 'static,
        H: Fn(App, CallContext, I) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome<O>> + Send + 'static,
    {
        self.declare::<C, I, O, H, F>(Way::PostKeyed, path, name, handler, O::is_replay)
    }

    #[expect(
        clippy::inline_always,
        reason = "where `way` is known, only one of two parsers is left in the Worker"
    )]
    #[inline(always)]
    fn declare<C, I, O, H, F>(
        mut self,
        way: Way,
        path: &'static str,
        name: &'static str,
        handler: H,
        is_replay: fn(&O) -> bool,
    ) -> Self
    where
        C: Call,
        I: DeserializeOwned + Shape + Send + 'static,
        O: Serialize + Shape + 'static,
        H: Fn(App, CallContext, I) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome<O>> + Send + 'static,
    {
        #[cfg(test)]
        self.operations.push(openapi::Operation::of::<C, I, O>(way, path, name));
        #[cfg(not(test))]
        let _ = name;
        #[cfg(feature = "fuzz")]
        self.readers.push(crate::fuzz::Reader::of::<C, I>(way));
        let parse: Parse<I> = if way.has_body() { RawInput::parse_json } else { RawInput::parse_query };
        let handler = move |app: App, context: CallContext, input: RawInput| -> Work<Outcome<String>> {
            let work = parse(&input).map(|input| handler(app, context, input));
            Box::pin(async move {
                let done = work?.await?;
                let body = serde_json::to_string(&done.body).map_err(|_| ErrorCode::Internal)?;
                Ok(Done { body, is_replay: is_replay(&done.body), note: done.note })
            })
        };
        let target = Target { rpc: C::RPC, may_repeat: C::REPEAT != Repeat::Never };
        self.router = mount(self.router, way, path, target, Arc::new(handler));
        self
    }
}

/// What is behind a route.
#[derive(Clone, Copy)]
struct Target {
    rpc: &'static str,
    /// Whether sending it again does its work once at most.
    may_repeat: bool,
}

fn mount(router: Router<App>, way: Way, path: &'static str, target: Target, handler: Handler) -> Router<App> {
    let answer = move |State(app): State<App>, request: Request| {
        let handler = handler.clone();
        async move { answer(app, request, way, target, handler).await }
    };
    router.route(path, on(way.filter(), answer))
}

async fn answer(app: App, request: Request, way: Way, target: Target, handler: Handler) -> Answer {
    let (mut parts, body) = request.into_parts();
    let app = app.of_request(&parts.extensions);
    let authenticated = Authenticated::from_request_parts(&mut parts, &app).await?;
    let Authenticated { context, subject, place } = authenticated;
    let (request_id, mut merchant_code) = (context.request_id.clone(), None);
    // Whoever sends a key believes that it is honoured; what may be repeated needs none.
    if !target.may_repeat && parts.headers.contains_key(IDEMPOTENCY_KEY) {
        return Err(ErrorCode::IdempotencyKeyNotSupported.into());
    }
    let outcome = match read_input(&mut parts, body, way, &mut merchant_code).await {
        Ok(input) => handler(app.clone(), context, input).await,
        Err(failure) => Err(failure),
    };
    drop(place);
    match outcome.map_err(Failure::with_token) {
        Ok(done) => Ok(reply(done)),
        Err(failure) if way.is_keyed() => {
            let note = Note { merchant_code: merchant_code.clone(), ..Note::default() };
            let call = RefusedCall { rpc: target.rpc, subject, merchant_code, request_id };
            refusals::report_later(&app, call, &failure);
            let mut response = failure.into_response();
            response.extensions_mut().insert(note);
            Ok(response)
        }
        Err(failure) if target.may_repeat => Err(failure),
        Err(failure) => Err(failure.of_what_may_be_done()),
    }
}

fn reply(done: Done<String>) -> Response {
    let mut response = json_response(done.body);
    if done.is_replay {
        let name = HeaderName::from_static(IDEMPOTENCY_REPLAYED);
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(done.note);
    response
}

pub(crate) fn json(body: &impl Serialize) -> Answer {
    Ok(json_response(serde_json::to_string(body).map_err(|_| ErrorCode::Internal)?))
}

fn json_response(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
