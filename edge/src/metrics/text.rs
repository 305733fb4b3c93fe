//! Prometheus' text format, version 0.0.4: the names of series, and the whole page.

use std::fmt::Write as _;

use super::{BUCKETS_MILLIS, Batch, Histogram};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What each metric is, in the order of the page. One that is not here is not shown.
const METRICS: &[(&str, &str)] = &[
    ("http_requests_total", "Requests answered, by route template."),
    ("http_request_duration_seconds", "From a request's first byte to its answer."),
    ("payment_transactions_total", "Charges, refunds and cash recharges, by how they ended."),
    ("qr_codes_total", "Payment codes issued, revoked, looked up and spent, or refused."),
    ("recharge_orders_total", "Recharge orders made and notified, by provider."),
    ("upstream_rpc_duration_seconds", "Calls of the database with their repetitions."),
    ("jwks_fetches_total", "Fetches of the keys that access tokens are signed with, by how they ended."),
    ("refusal_reports_total", "Refused money calls told to the audit log, by how that ended."),
    ("rate_limited_total", "Requests refused by a limit."),
    ("rate_limiter_failures_total", "Requests that passed because a limiter did not answer."),
    ("cron_runs_total", "Scheduled jobs, by how they ended."),
];

/// `name{label="value"}`: what a value may not hold as it is, is escaped.
pub(crate) fn series(metric: &str, labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return metric.to_owned();
    }
    let mut text = format!("{metric}{{");
    for (index, (name, value)) in labels.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let value = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        let _ = write!(text, "{comma}{name}=\"{value}\"");
    }
    text + "}"
}

/// The page.
pub(crate) fn page(totals: &Batch) -> String {
    let mut page = String::new();
    for (metric, help) in METRICS {
        let is_of = |series: &str| series.split('{').next() == Some(metric);
        let counts: Vec<_> = totals.counts.iter().filter(|(series, _)| is_of(series)).collect();
        let timings: Vec<_> = totals.timings.iter().filter(|(series, _)| is_of(series)).collect();
        if counts.is_empty() && timings.is_empty() {
            continue;
        }
        let kind = if timings.is_empty() { "counter" } else { "histogram" };
        let _ = write!(page, "# HELP {metric} {help}\n# TYPE {metric} {kind}\n");
        for (series, count) in counts {
            let _ = writeln!(page, "{series} {count}");
        }
        for (series, histogram) in timings {
            write_histogram(&mut page, metric, series, histogram);
        }
    }
    page
}

fn write_histogram(page: &mut String, metric: &str, series: &str, histogram: &Histogram) {
    let labels = series.strip_prefix(metric).unwrap_or_default();
    let inner = labels.trim_start_matches('{').trim_end_matches('}');
    let comma = if inner.is_empty() { "" } else { "," };
    let mut sum = 0;
    for (index, count) in histogram.counts.iter().enumerate() {
        sum += count;
        let bound = BUCKETS_MILLIS.get(index).map_or("+Inf".to_owned(), |millis| seconds(*millis));
        let _ = writeln!(page, "{metric}_bucket{{{inner}{comma}le=\"{bound}\"}} {sum}");
    }
    let _ = write!(
        page,
        "{metric}_sum{labels} {}\n{metric}_count{labels} {sum}\n",
        seconds(histogram.sum_millis)
    );
}

/// Milliseconds as seconds, without what a float would add.
fn seconds(millis: u64) -> String {
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_label_s_value_cannot_break_out_of_its_quotes() {
        assert_eq!(series("a_total", &[]), "a_total");
        assert_eq!(series("a_total", &[("b", "c"), ("d", "e")]), r#"a_total{b="c",d="e"}"#);
        assert_eq!(series("a_total", &[("b", "\"}\n\\")]), r#"a_total{b="\"}\n\\"}"#);
    }

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut totals = Batch::default();
        totals.counts.insert(series("rate_limited_total", &[("scope", "user")]), 3);
        totals.counts.insert("unknown_total".to_owned(), 1);
        let timed = totals
            .timings
            .entry(series("upstream_rpc_duration_seconds", &[("rpc", "test_connection"), ("outcome", "ok")]));
        let timed = timed.or_default();
        timed.add(Duration::from_millis(5));
        timed.add(Duration::from_millis(1_250));
        timed.add(Duration::from_mins(1));
        let page = page(&totals);
        let labels = r#"rpc="test_connection",outcome="ok""#;
        let expected = format!(
            "# HELP upstream_rpc_duration_seconds Calls of the database with their repetitions.\n\
             # TYPE upstream_rpc_duration_seconds histogram\n\
             upstream_rpc_duration_seconds_bucket{{{labels},le=\"0.005\"}} 1\n"
        );
        assert!(page.starts_with(&expected), "{page}");
        for line in [
            format!("upstream_rpc_duration_seconds_bucket{{{labels},le=\"1\"}} 1\n"),
            format!("upstream_rpc_duration_seconds_bucket{{{labels},le=\"2.5\"}} 2\n"),
            format!("upstream_rpc_duration_seconds_bucket{{{labels},le=\"10\"}} 2\n"),
            format!("upstream_rpc_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3\n"),
            format!("upstream_rpc_duration_seconds_sum{{{labels}}} 61.255\n"),
            format!("upstream_rpc_duration_seconds_count{{{labels}}} 3\n"),
            "# TYPE rate_limited_total counter\nrate_limited_total{scope=\"user\"} 3\n".to_owned(),
        ] {
            assert!(page.contains(&line), "{line} in\n{page}");
        }
        assert!(!page.contains("unknown"));
    }
}
