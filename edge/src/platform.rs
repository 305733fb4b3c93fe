//! The host's powers: variables, the clock, chance, waiting, the log, work after the reply, objects shared by all isolates.
//! Beside lib.rs and durable objects the only place that knows `worker`.

mod objects;

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mps_client::retry;
use worker::js_sys::futures::future_to_promise;
use worker::js_sys::{Promise, Reflect};
use worker::send::SendFuture;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::{Date, Delay, Env, console_error, console_log};

use self::objects::{ObjectCollector, ObjectLimiter, ShieldLimiter};
use crate::limits::Limiter;
use crate::metrics::Collector;
use crate::telemetry;

/// Work that ends with a `T`.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

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

    /// Who counts requests, in the order they are asked.
    fn limiters(&self) -> &[Box<dyn Limiter>];

    /// Where counts and timings are added up.
    fn collector(&self) -> &dyn Collector;
}

/// Cloudflare Workers and workerd.
pub(crate) struct WorkerHost {
    limiters: Vec<Box<dyn Limiter>>,
    collector: ObjectCollector,
}

impl WorkerHost {
    pub(crate) fn new(env: Env) -> Self {
        let mut limiters: Vec<Box<dyn Limiter>> = Vec::new();
        if ShieldLimiter::is_bound(&env) {
            limiters.push(Box::new(ShieldLimiter(env.clone())));
        }
        limiters.push(Box::new(ObjectLimiter(env.clone())));
        Self { limiters, collector: ObjectCollector(env) }
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

    fn limiters(&self) -> &[Box<dyn Limiter>] {
        &self.limiters
    }

    fn collector(&self) -> &dyn Collector {
        &self.collector
    }
}

/// Zeros when the host has no randomness: request ids then repeat, nothing else depends on it.
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
