//! Adds up the batches of all isolates. A batch is on disk before it is acknowledged, so that counters survive a restart.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object, wasm_bindgen};

use crate::metrics::Batch;

const TOTALS: &str = "totals";

/// The sums.
#[durable_object(fetch)]
pub struct MetricsObject {
    state: State,
    // A panic while adding leaves sums at worst one batch off.
    totals: AssertUnwindSafe<RefCell<Option<Batch>>>,
}

impl DurableObject for MetricsObject {
    fn new(state: State, _: Env) -> Self {
        Self { state, totals: AssertUnwindSafe::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        self.load().await?;
        if request.path() == "/add" {
            let batch: Batch = serde_json::from_str(&request.text().await?)?;
            let text = {
                let mut totals = self.totals.borrow_mut();
                let totals = totals.get_or_insert_default();
                totals.merge(&batch);
                serde_json::to_string(totals)?
            };
            self.state.storage().put(TOTALS, text).await?;
            return Response::ok("");
        }
        let text = serde_json::to_string(self.totals.borrow_mut().get_or_insert_default())?;
        Response::ok(text)
    }
}

impl MetricsObject {
    async fn load(&self) -> Result<()> {
        if self.totals.borrow().is_some() {
            return Ok(());
        }
        let kept: Option<String> = self.state.storage().get(TOTALS).await?;
        // Counters of another shape begin anew; Prometheus takes that for a restart.
        let totals = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        self.totals.borrow_mut().get_or_insert(totals);
        Ok(())
    }
}
