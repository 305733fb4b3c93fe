//! Talking to Durable Objects.

use worker::send::SendFuture;
use worker::wasm_bindgen::JsValue;
use worker::{Env, Method, Request, RequestInit, Response};

use super::Work;
use crate::limits::window::Taken;
use crate::limits::{Exchange, ExchangeLost, Group};
use crate::metrics::{Batch, Collector, CollectorLost};

/// The names of the bindings in wrangler.toml and workerd.capnp.
const LIMITER: &str = "LIMITER";
const METRICS: &str = "METRICS";

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

/// Objects that add up what all isolates counted.
pub(super) struct ObjectExchange(pub(super) Env);

impl Exchange for ObjectExchange {
    fn add(&self, group: Group, shard: u64, told: Vec<Taken>) -> Work<Result<Vec<Taken>, ExchangeLost>> {
        let env = self.0.clone();
        Box::pin(SendFuture::new(async move {
            let object = format!("{}-{shard}", group.as_str());
            let body = serde_json::to_string(&told).map_err(|_| ExchangeLost)?;
            let text = ask(&env, LIMITER, &object, "/add", &body).await.map_err(|_| ExchangeLost)?;
            serde_json::from_str(&text).map_err(|_| ExchangeLost)
        }))
    }
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
