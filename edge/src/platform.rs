//! The host's powers: variables, the clock, chance, waiting, the log, work after the reply, objects shared by all isolates.
//! Beside lib.rs and durable objects the only place that knows `worker`.

mod crypto;
pub(crate) mod exchange;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod native;
mod objects;

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mps_client::retry;
use mps_client::transport::{Answer, Carried, Lost, Transport};
use worker::js_sys::futures::{JsFuture, future_to_promise};
use worker::js_sys::{Promise, Reflect, Uint8Array};
use worker::send::SendFuture;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::web_sys::AbortController;
use worker::{Date, Delay, Env, console_error, console_log, js_sys, web_sys};

use self::objects::{ObjectCollector, ObjectExchange};
use crate::limits::Exchange;
use crate::metrics::Collector;
use crate::telemetry;

/// Work that ends with a `T`.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// No answer, one that broke off, or one that is too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchLost;

/// The host does not take the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotSigned;

/// How something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// ECDSA on P-256 with SHA-256; the two numbers one after the other, as RFC 7518, 3.4 has it.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// A public key and the one way to sign that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    signature: Signature,
    spki: Arc<[u8]>,
}

impl PublicKey {
    /// Of a `SubjectPublicKeyInfo` in DER.
    pub(crate) fn new(signature: Signature, spki: Vec<u8>) -> Self {
        Self { signature, spki: spki.into() }
    }

    pub(crate) fn signature(&self) -> Signature {
        self.signature
    }
}

/// What only the process that hosts us can do. Time and chance come from here and nowhere else.
pub(crate) trait Host: Send + Sync + 'static {
    /// Since 1970, by the wall clock.
    fn unix_time(&self) -> Duration;

    /// From a cryptographic source.
    fn random_bytes(&self) -> [u8; 16];

    /// Writes one line.
    fn log(&self, line: &str);

    /// Waits.
    fn sleep(&self, length: Duration) -> Work<()>;

    /// Lets work go on when the reply has left.
    fn after_reply(&self, work: Work<()>);

    /// Asks another service and reads its answer to the end; a redirect is an answer and is not followed.
    fn fetch(
        &self,
        request: http::Request<Vec<u8>>,
        body_bytes_max: usize,
    ) -> Work<Result<http::Response<Vec<u8>>, FetchLost>>;

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256 by a private key in PKCS#8, in constant time: what the network could measure of a
    /// computation of ours would tell the key.
    fn sign(&self, pkcs8: &[u8], message: &[u8]) -> Work<Result<Vec<u8>, NotSigned>>;

    /// Whether the key has signed the message. A key that the host does not take has signed nothing.
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Work<bool>;

    /// The way to PostgREST.
    fn transport(&self) -> Arc<dyn Transport>;

    /// Where all isolates' counts of requests are added up.
    fn exchange(&self) -> &dyn Exchange;

    /// Where counts and timings are added up.
    fn collector(&self) -> &dyn Collector;
}

/// Cloudflare Workers and workerd.
pub(crate) struct WorkerHost {
    exchange: ObjectExchange,
    collector: ObjectCollector,
}

impl WorkerHost {
    pub(crate) fn new(env: Env) -> Self {
        Self { exchange: ObjectExchange(env.clone()), collector: ObjectCollector(env) }
    }
}

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen, js_sys = worker::js_sys, module = "cloudflare:workers")]
extern "C" {
    /// Of the event that is being handled.
    #[wasm_bindgen(js_name = waitUntil, catch)]
    fn wait_until(promise: &Promise) -> Result<(), JsValue>;
}

impl Host for WorkerHost {
    fn unix_time(&self) -> Duration {
        Duration::from_millis(Date::now().as_millis())
    }

    fn random_bytes(&self) -> [u8; 16] {
        random_bytes()
    }

    fn log(&self, line: &str) {
        console_log!("{line}");
    }

    fn sleep(&self, length: Duration) -> Work<()> {
        Box::pin(SendFuture::new(Delay::from(length)))
    }

    fn after_reply(&self, work: Work<()>) {
        let promise = future_to_promise(AssertUnwindSafe(async {
            work.await;
            Ok(JsValue::UNDEFINED)
        }));
        // The work has begun; at worst the host ends it with the reply.
        let _ = wait_until(&promise);
    }

    fn fetch(
        &self,
        request: http::Request<Vec<u8>>,
        body_bytes_max: usize,
    ) -> Work<Result<http::Response<Vec<u8>>, FetchLost>> {
        Box::pin(SendFuture::new(async move {
            let (answer, body) = fetch(request, body_bytes_max).await.map_err(|_| FetchLost)?;
            let mut response = http::Response::new(body.ok_or(FetchLost)?);
            *response.status_mut() = answer.status().try_into().map_err(|_| FetchLost)?;
            *response.headers_mut() = exchange::headers(&answer.headers()).map_err(|_| FetchLost)?;
            Ok(response)
        }))
    }

    fn sign(&self, pkcs8: &[u8], message: &[u8]) -> Work<Result<Vec<u8>, NotSigned>> {
        let (pkcs8, message) = (Uint8Array::from(pkcs8), Uint8Array::from(message));
        Box::pin(SendFuture::new(async move { crypto::sign(&pkcs8, &message).await.map_err(|_| NotSigned) }))
    }

    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Work<bool> {
        let (key, message, signature) = (key.clone(), Uint8Array::from(message), Uint8Array::from(signature));
        let work = async move { crypto::verify(&key, &message, &signature).await.unwrap_or(false) };
        Box::pin(SendFuture::new(work))
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(HostFetch)
    }

    fn exchange(&self) -> &dyn Exchange {
        &self.exchange
    }

    fn collector(&self) -> &dyn Collector {
        &self.collector
    }
}

/// The fetch of Workers, as mps-client wants it.
struct HostFetch;

impl Transport for HostFetch {
    fn carry(&self, request: http::Request<String>, body_bytes_max: usize) -> Carried {
        let request = request.map(String::into_bytes);
        Box::pin(SendFuture::new(async move {
            let (answer, body) = fetch(request, body_bytes_max).await.map_err(|_| Lost("NETWORK"))?;
            Ok(Answer { status: answer.status(), body })
        }))
    }
}

/// Ends a request that nobody waits for any more.
struct Flight(Option<AbortController>);

impl Flight {
    /// It has come to its end by itself.
    fn landed(mut self) {
        self.0 = None;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

/// The answer and its body, which is `None` when it is too long. A redirect is an answer.
async fn fetch(
    request: http::Request<Vec<u8>>,
    body_bytes_max: usize,
) -> worker::Result<(web_sys::Response, Option<Vec<u8>>)> {
    let (parts, body) = request.into_parts();
    let controller = AbortController::new()?;
    let init = web_sys::RequestInit::new();
    init.set_method(parts.method.as_str());
    init.set_headers(&exchange::host_headers(&parts.headers)?);
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_signal(Some(&controller.signal()));
    if !body.is_empty() {
        init.set_body(&Uint8Array::from(body.as_slice()));
    }
    let scope: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let flight = Flight(Some(controller));
    let answer = JsFuture::from(scope.fetch_with_str_and_init(&parts.uri.to_string(), &init)).await?;
    let answer: web_sys::Response = answer.dyn_into()?;
    let body = exchange::read(&answer, body_bytes_max).await?;
    if body.is_some() {
        flight.landed();
    }
    Ok((answer, body))
}

/// Zeros when the host has no randomness: request ids then repeat, and a provider refuses what we ask; nothing else depends on it.
pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// Lets a panic say where it was. What it says is not written: it may quote anything.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        console_error!("{}", telemetry::line_of_panic(place.as_deref().unwrap_or_default()));
    }));
}

/// A variable or secret of the Worker; `None` when it is not bound. (workerd binds null for a name that its
/// environment has not, and `Env::var` throws on that.)
pub(crate) fn variable(env: &Env, name: &str) -> Option<String> {
    Reflect::get(env, &JsValue::from_str(name)).ok()?.as_string()
}

/// JavaScript's promises are not `Send`; a Worker has one thread, so that a router may take them for it.
pub(crate) fn on_one_thread<F: Future>(work: F) -> impl Future<Output = F::Output> + Send {
    SendFuture::new(work)
}

/// The host as the retries of mps-client want it.
pub(crate) struct Patience(pub(crate) Arc<dyn Host>);

impl retry::Host for Patience {
    fn elapsed(&self) -> Duration {
        self.0.unix_time()
    }

    fn jitter(&self, most: Duration) -> Duration {
        let [byte, ..] = self.0.random_bytes();
        most * u32::from(byte) / 256
    }

    async fn sleep(&self, length: Duration) {
        self.0.sleep(length).await;
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut alarm) = (pin!(work), self.0.sleep(limit));
        poll_fn(|context| match (work.as_mut().poll(context), alarm.as_mut().poll(context)) {
            (Poll::Ready(output), _) => Poll::Ready(Some(output)),
            (Poll::Pending, Poll::Ready(())) => Poll::Ready(None),
            (Poll::Pending, Poll::Pending) => Poll::Pending,
        })
        .await
    }
}
