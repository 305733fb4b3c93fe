//! Adds up what the isolates counted of some of the names. Kept in memory and, a second later, on disk: an object that the host ends
//! while it is idle, or a restart, gives nobody a new quota.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use worker::{
    Date, Delay, DurableObject, Env, Request, Response, Result, State, durable_object, wasm_bindgen,
};

use crate::limits::window::{Taken, Windows};

const KEPT: &str = "windows";
const KEEP_AFTER: Duration = Duration::from_secs(1);

/// One shard of the limiter.
#[durable_object(fetch)]
pub struct LimiterObject {
    state: State,
    // A panic while counting leaves counts at worst one off.
    windows: AssertUnwindSafe<Rc<RefCell<Option<Windows>>>>,
    is_keeping: AssertUnwindSafe<Rc<Cell<bool>>>,
}

impl DurableObject for LimiterObject {
    fn new(state: State, _: Env) -> Self {
        Self { state, windows: AssertUnwindSafe::default(), is_keeping: AssertUnwindSafe::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let told: Vec<Taken> = serde_json::from_str(&request.text().await?)?;
        self.load().await?;
        let all = match self.windows.borrow_mut().as_mut() {
            Some(windows) => windows.add(told, Date::now().as_millis()),
            None => return Response::error("not loaded", 500),
        };
        self.keep_later();
        Response::ok(serde_json::to_string(&all)?)
    }
}

impl LimiterObject {
    async fn load(&self) -> Result<()> {
        if self.windows.borrow().is_some() {
            return Ok(());
        }
        let kept: Option<String> = self.state.storage().get(KEPT).await?;
        // What cannot be read is of an older build; its windows are seconds long.
        let windows = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        // Another request may have loaded them meanwhile, and counted.
        self.windows.borrow_mut().get_or_insert(windows);
        Ok(())
    }

    /// An object with work to do is not ended, so that what is written is the latest.
    fn keep_later(&self) {
        if self.is_keeping.replace(true) {
            return;
        }
        let (storage, windows, is_keeping) =
            (self.state.storage(), self.windows.clone(), self.is_keeping.clone());
        self.state.wait_until(async move {
            Delay::from(KEEP_AFTER).await;
            is_keeping.set(false);
            let text = windows.borrow_mut().as_mut().map(|windows| {
                windows.prune(Date::now().as_millis());
                serde_json::to_string(windows).unwrap_or_default()
            });
            if let Some(text) = text {
                // The count in memory goes on without it.
                let _ = storage.put(KEPT, text).await;
            }
        });
    }
}
