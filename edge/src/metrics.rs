//! What is counted and timed: collected an isolate, sent in batches after the reply, added up in one place.

pub(crate) mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde::{Deserialize, Serialize};

use crate::platform::{Host, Work};
use crate::telemetry::{self, Answered};

/// Batches are sent this much later than their first count, so that a busy isolate sends few.
const PAUSE: Duration = Duration::from_millis(500);

/// Cloudflare ends work after a reply at 30 s; until then one request sends for those that follow it.
const ROUNDS_MAX: u32 = 20;
const SENDING_MAX: Duration = Duration::from_secs(30);

/// Upper bounds of the histograms' buckets, in milliseconds; the last bucket has none.
pub(crate) const BUCKETS_MILLIS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    /// One more than there are bounds.
    pub(crate) counts: [u64; BUCKETS_MILLIS.len() + 1],
    pub(crate) sum_millis: u64,
}

impl Histogram {
    fn add(&mut self, length: Duration) {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MILLIS.iter().position(|bound| millis <= *bound);
        self.counts[bucket.unwrap_or(BUCKETS_MILLIS.len())] += 1;
        self.sum_millis = self.sum_millis.saturating_add(millis);
    }

    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_millis = self.sum_millis.saturating_add(other.sum_millis);
    }
}

/// Counts and timings by series: a metric's name with its labels, as Prometheus writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) timings: BTreeMap<String, Histogram>,
}

impl Batch {
    pub(crate) fn merge(&mut self, other: &Self) {
        for (series, more) in &other.counts {
            *self.counts.entry(series.clone()).or_default() += more;
        }
        for (series, more) in &other.timings {
            self.timings.entry(series.clone()).or_default().merge(more);
        }
    }

    fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.timings.is_empty()
    }
}

/// The place where all isolates' batches are added up did not answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectorLost;

/// Where all isolates' batches are added up.
pub(crate) trait Collector: Send + Sync {
    fn add(&self, batch: Batch) -> Work<Result<(), CollectorLost>>;
    fn totals(&self) -> Work<Result<Batch, CollectorLost>>;
}

/// This isolate's share.
pub(crate) struct Metrics {
    host: Arc<dyn Host>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    unsent: Batch,
    sending_since: Option<Duration>,
}

impl Metrics {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self { host, state: Mutex::default() }
    }

    pub(crate) fn count(&self, metric: &str, labels: &[(&str, &str)]) {
        self.locked(|state| *state.unsent.counts.entry(text::series(metric, labels)).or_default() += 1);
    }

    pub(crate) fn time(&self, metric: &str, labels: &[(&str, &str)], length: Duration) {
        self.locked(|state| {
            state.unsent.timings.entry(text::series(metric, labels)).or_default().add(length);
        });
    }

    /// Everything that one request's answer counts.
    pub(crate) fn record(&self, answered: &Answered<'_>, is_replayed: bool) {
        let route = answered.route.map_or("other", |template| template.0.as_str());
        let (method, status) = (telemetry::known_method(answered.method), answered.status.as_u16());
        let labels = [("method", method), ("route", route), ("status", &status.to_string())];
        self.count("http_requests_total", &labels);
        self.time("http_request_duration_seconds", &labels[..2], answered.duration);
        if let Some(failure) = answered.failure.or(answered.note.and_then(|note| note.failure.as_ref())) {
            let code = failure.code();
            self.count("refusals_total", &[("route", route), ("code", code.as_str())]);
        }
        if answered.method != Method::POST {
            return;
        }
        let outcome = |ok| match status {
            _ if is_replayed => "replayed",
            ..400 => ok,
            400..500 => "refused",
            500.. => "failed",
        };
        let provider = answered.note.and_then(|note| note.provider).unwrap_or("other");
        let noted = answered.note.and_then(|note| note.order_status);
        let pays = |kind, status| {
            self.count("payment_transactions_total", &[("type", kind), ("status", status)]);
        };
        let codes = |status| self.count("qr_codes_total", &[("status", status)]);
        let orders = |provider, status| {
            self.count("recharge_orders_total", &[("provider", provider), ("status", status)]);
        };
        match route {
            "/api/payment/charge" => {
                pays("payment", outcome("ok"));
                if outcome("ok") == "ok" {
                    codes("spent");
                }
            }
            "/api/payment/refund" => pays("refund", outcome("ok")),
            "/api/recharge/cash" => pays("recharge", outcome("ok")),
            "/api/qr/rotate" => codes(outcome("issued")),
            "/api/qr/revoke" => codes(outcome("revoked")),
            "/api/qr/validate" => codes(outcome("valid")),
            "/api/recharge/orders" => orders(provider, outcome("created")),
            "/api/webhooks/wechat" => orders("wechat", noted.unwrap_or_else(|| outcome("notified"))),
            "/api/webhooks/alipay" => orders("alipay", noted.unwrap_or_else(|| outcome("notified"))),
            _ => {}
        }
    }

    /// Sees to it that what was counted is sent after the reply: now one request sends for all.
    pub(crate) fn send_later(self: &Arc<Self>) {
        let now = self.host.unix_time();
        let is_mine = self.locked(|state| {
            // Who began long ago was ended by the host.
            let is_nobody_sending =
                state.sending_since.is_none_or(|since| now.saturating_sub(since) > SENDING_MAX);
            if is_nobody_sending {
                state.sending_since = Some(now);
            }
            is_nobody_sending
        });
        if is_mine {
            let metrics = self.clone();
            self.host.after_reply(Box::pin(async move {
                for _ in 0..ROUNDS_MAX {
                    metrics.host.sleep(PAUSE).await;
                    if !metrics.send().await {
                        break;
                    }
                }
                metrics.locked(|state| state.sending_since = None);
            }));
        }
    }

    /// Sends what there is; answers whether there was any. What cannot be sent is kept for the next time.
    pub(crate) async fn send(&self) -> bool {
        let batch = self.locked(|state| std::mem::take(&mut state.unsent));
        if batch.is_empty() {
            return false;
        }
        let is_sent = self.host.collector().add(batch.clone()).await.is_ok();
        if !is_sent {
            self.locked(|state| state.unsent.merge(&batch));
        }
        is_sent
    }

    /// The sums of all isolates, this one's latest included.
    pub(crate) async fn totals(&self) -> Result<Batch, CollectorLost> {
        self.send().await;
        self.host.collector().totals().await
    }

    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, text};

    /// A name, its kind and its labels in a line.
    const LIST: &str = include_str!("../../deploy/prometheus/metrics/mps.txt");

    #[test]
    fn every_metric_that_alerts_may_ask_for_is_shown() {
        let lines: Vec<&str> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() > 10);
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let series = text::series(words[0], &[]);
            let mut totals = Batch::default();
            let ledger = text::Ledger { checks: Vec::new(), clock_offset_millis: 0 };
            match words[1] {
                "counter" => drop(totals.counts.insert(series, 1)),
                "histogram" => drop(totals.timings.insert(series, super::Histogram::default())),
                // Of now, and in no batch.
                _ => (),
            }
            let page = text::page(&totals) + &text::ledger(Some(&ledger));
            assert!(page.contains(&format!("# TYPE {} {}\n", words[0], words[1])), "{line}");
        }
    }
}
