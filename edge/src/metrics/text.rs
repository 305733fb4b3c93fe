//! Prometheus' text format, version 0.0.4: the names of series, and the whole page.

use std::fmt::Write as _;

use mps_client::rpc::HealthCheck;

use super::{BUCKETS_MILLIS, Batch, Histogram};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What each metric is, in the order of the page. One that is not here is not shown.
const METRICS: &[(&str, &str)] = &[
    ("http_requests_total", "Requests answered, by route template."),
    ("refusals_total", "Answers that are a problem document, or that a provider is told, by its code."),
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

/// What is true now, and no count: what each is, in the order of the page.
const GAUGES: [(&str, &str); 3] = [
    ("ledger_answered", "1 while the database says how it is, 0 while it does not."),
    ("ledger_check_ok", "Each check of system_health_check: 1 while it is well, 0 while it is not."),
    ("ledger_clock_offset_seconds", "The database's clock minus the edge's."),
];

/// How the ledger is, by its own word.
pub(crate) struct Ledger {
    pub(crate) checks: Vec<HealthCheck>,
    pub(crate) clock_offset_millis: i64,
}

/// The part of the page that is asked for when it is read; `None`: the database did not answer.
pub(crate) fn ledger(ledger: Option<&Ledger>) -> String {
    let [answered, checks, offset] =
        GAUGES.map(|(metric, help)| (metric, format!("# HELP {metric} {help}\n# TYPE {metric} gauge\n")));
    let mut page = format!("{}{} {}\n", answered.1, answered.0, u8::from(ledger.is_some()));
    let Some(ledger) = ledger else { return page };
    page += &checks.1;
    for HealthCheck { check, ok, .. } in &ledger.checks {
        let _ = writeln!(page, "{} {}", series(checks.0, &[("check", check)]), u8::from(*ok));
    }
    let (sign, millis) =
        (if ledger.clock_offset_millis < 0 { "-" } else { "" }, ledger.clock_offset_millis.unsigned_abs());
    let _ = writeln!(page, "{}{} {sign}{}", offset.1, offset.0, seconds(millis));
    page
}

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
    fn how_the_ledger_is_is_told_as_gauges_and_that_it_does_not_say() {
        let check = |check: &str, ok| HealthCheck { check: check.to_owned(), ok, detail: None };
        let told =
            Ledger { checks: vec![check("clock", true), check("a\"b", false)], clock_offset_millis: -1250 };
        let page = ledger(Some(&told));
        for line in [
            "ledger_answered 1",
            "# TYPE ledger_check_ok gauge",
            r#"ledger_check_ok{check="clock"} 1"#,
            r#"ledger_check_ok{check="a\"b"} 0"#,
            "ledger_clock_offset_seconds -1.25",
        ] {
            assert!(page.lines().any(|told| told == line), "{line} in\n{page}");
        }
        let page = ledger(None);
        assert!(page.ends_with("ledger_answered 0\n") && !page.contains("ledger_check_ok"), "{page}");
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
