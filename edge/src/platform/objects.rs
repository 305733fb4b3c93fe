//! Talking to Durable Objects and to Cloudflare's rate limit binding.

use worker::send::SendFuture;
use worker::wasm_bindgen::JsValue;
use worker::{Env, Method, Request, RequestInit, Response};

use super::Work;
use crate::limits::{Demand, Limiter, LimiterLost, Quota, Scope, Standing, wire};
use crate::metrics::{Batch, Collector, CollectorLost};

/// The names of the bindings in wrangler.toml and workerd.capnp.
const LIMITER: &str = "LIMITER";
const METRICS: &str = "METRICS";

/// A user's or an address's counts are all in one object; there are that many.
const SHARDS: u64 = 16;

/// Sends JSON to an object and answers the text that comes back.
async fn ask(env: &Env, binding: &str, object: &str, path: &str, body: &str) -> worker::Result<String> {
    let stub = env.durable_object(binding)?.get_by_name(object)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(JsValue::from_str(body)));
    let request = Request::new_with_init(&format!("https://object{path}"), &init)?;
    served(stub.fetch_with_request(request).await?)?.text().await
}

/// Any status but 200 is no answer.
fn served(response: Response) -> worker::Result<Response> {
    match response.status_code() {
        200 => Ok(response),
        status => Err(worker::Error::RustError(format!("status {status}"))),
    }
}

/// Asks the limiter's object for room.
async fn ask_for_room(env: &Env, object: &str, demands: &[Demand]) -> worker::Result<Vec<Standing>> {
    let stub = env.durable_object(LIMITER)?.get_by_name(object)?;
    let response = served(stub.fetch_with_str(&wire::url(demands)?).await?)?;
    let answer = response.headers().get(wire::STANDINGS)?.unwrap_or_default();
    Ok(wire::standings_in(&answer)?)
}

/// Exact: one object counts all requests of an identity, wherever they come in.
pub(super) struct ObjectLimiter(pub(super) Env);

impl Limiter for ObjectLimiter {
    fn take(&self, demands: Vec<Demand>) -> Work<Result<Vec<Standing>, LimiterLost>> {
        let env = self.0.clone();
        Box::pin(SendFuture::new(async move {
            let identity = demands.first().map_or("", |demand| demand.identity.as_str());
            let object = format!("shard-{}", fnv(identity) % SHARDS);
            ask_for_room(&env, &object, &demands).await.map_err(|_| LimiterLost)
        }))
    }

    fn knows_when(&self) -> bool {
        true
    }
}

/// Cloudflare's own, where it is bound: near, quick, and only about right. It spares the objects a flood.
pub(super) struct ShieldLimiter(pub(super) Env);

impl ShieldLimiter {
    fn binding(scope: Scope) -> &'static str {
        match scope {
            Scope::Address => "SHIELD_ADDRESS",
            Scope::User => "SHIELD_USER",
            Scope::Payment => "SHIELD_PAYMENT",
        }
    }

    pub(super) fn is_bound(env: &Env) -> bool {
        env.rate_limiter(Self::binding(Scope::Address)).is_ok()
    }
}

impl Limiter for ShieldLimiter {
    fn take(&self, demands: Vec<Demand>) -> Work<Result<Vec<Standing>, LimiterLost>> {
        let env = self.0.clone();
        Box::pin(SendFuture::new(async move {
            for demand in demands {
                let limiter = env.rate_limiter(Self::binding(demand.scope)).map_err(|_| LimiterLost)?;
                let outcome = limiter.limit(demand.identity).await.map_err(|_| LimiterLost)?;
                if !outcome.success {
                    return Ok(vec![refusal(demand.scope, demand.quota)]);
                }
            }
            Ok(Vec::new())
        }))
    }

    fn knows_when(&self) -> bool {
        false
    }
}

/// The binding does not tell when it would pass again; after a whole window it does.
fn refusal(scope: Scope, quota: Quota) -> Standing {
    Standing { scope, quota, remaining: 0, reset_seconds: quota.window_seconds.into(), is_refused: true }
}

/// One object for all isolates.
pub(super) struct ObjectCollector(pub(super) Env);

const TOTALS: &str = "totals";

impl Collector for ObjectCollector {
    fn add(&self, batch: Batch) -> Work<Result<(), CollectorLost>> {
        let env = self.0.clone();
        Box::pin(SendFuture::new(async move {
            let body = serde_json::to_string(&batch).map_err(|_| CollectorLost)?;
            ask(&env, METRICS, TOTALS, "/add", &body).await.map(|_| ()).map_err(|_| CollectorLost)
        }))
    }

    fn totals(&self) -> Work<Result<Batch, CollectorLost>> {
        let env = self.0.clone();
        Box::pin(SendFuture::new(async move {
            let text = ask(&env, METRICS, TOTALS, "/totals", "").await.map_err(|_| CollectorLost)?;
            serde_json::from_str(&text).map_err(|_| CollectorLost)
        }))
    }
}

/// FNV-1a: the same in every isolate and every build.
fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
