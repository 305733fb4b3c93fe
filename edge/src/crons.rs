//! The jobs that run by the clock: what each calls, when, and how often until it is done.

use mps_client::rpc::{
    CronEnsurePartitions, CronExpireCards, CronExpireRechargeOrders, CronFollowLevels,
    CronGenerateSettlements, CronPurge, CronRotateQrTokens, CronSeal, CronVerifyLedger, CronVerifySeals,
};
use mps_client::{CallContext, Caller, RequestId};
use mps_core::ErrorCode;
use serde::Serialize;

use crate::app::App;
use crate::panics::{self, Panicked};
use crate::problem::Failure;
use crate::recharging;
use crate::telemetry;

const QUERY_RECHARGE_ORDERS: &str = "query_recharge_orders";

/// One run makes no more calls than this; what is left waits for the next.
const CALLS_MAX: u32 = 100;

/// A job. Its name is that of its RPC without `cron_`; one asks the payment providers and has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    QueryRechargeOrders,
    ExpireRechargeOrders,
    Seal,
    FollowLevels,
    VerifySeals,
    RotateQrTokens,
    ExpireCards,
    GenerateSettlements,
    EnsurePartitions,
    Purge,
    VerifyLedger,
}

/// A job and its time.
#[derive(Debug, Serialize)]
pub(crate) struct Cron {
    pub(crate) name: &'static str,
    /// Minute, hour, day, month, day of the week, in UTC; wrangler.toml has the same ones.
    pub(crate) schedule: &'static str,
    /// Whether it is called again until it answers 0.
    #[serde(skip)]
    is_repeated: bool,
    #[serde(skip)]
    job: Job,
}

/// How a run ended.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) name: &'static str,
    /// The sum of what the calls answered.
    pub(crate) total: u64,
    pub(crate) calls: u32,
    /// Whether there is nothing left to do now.
    pub(crate) is_done: bool,
}

const fn cron(name: &'static str, schedule: &'static str, is_repeated: bool, job: Job) -> Cron {
    Cron { name, schedule, is_repeated, job }
}

/// All jobs. Those of one time run in this order.
pub(crate) const ALL: &[Cron] = &[
    cron(QUERY_RECHARGE_ORDERS, "* * * * *", false, Job::QueryRechargeOrders),
    cron("expire_recharge_orders", "* * * * *", true, Job::ExpireRechargeOrders),
    cron("seal", "* * * * *", true, Job::Seal),
    cron("follow_levels", "* * * * *", true, Job::FollowLevels),
    cron("verify_seals", "*/5 * * * *", false, Job::VerifySeals),
    cron("rotate_qr_tokens", "*/5 * * * *", true, Job::RotateQrTokens),
    cron("expire_cards", "7 * * * *", true, Job::ExpireCards),
    cron("generate_settlements", "7 * * * *", true, Job::GenerateSettlements),
    cron("ensure_partitions", "7 * * * *", true, Job::EnsurePartitions),
    cron("purge", "23 2 * * *", true, Job::Purge),
    cron("verify_ledger", "23 2 * * *", false, Job::VerifyLedger),
];

pub(crate) fn find(name: &str) -> Option<&'static Cron> {
    ALL.iter().find(|cron| cron.name == name)
}

/// Runs every job of a schedule, one after the other, whatever becomes of each. Answers how many there were.
pub(crate) async fn run_schedule(app: &App, schedule: &str, request_id: &RequestId) -> usize {
    let due = ALL.iter().filter(|cron| cron.schedule == schedule);
    let mut count = 0;
    for cron in due {
        // A failure is counted and logged in there.
        let _ = run(app, cron, request_id).await;
        count += 1;
    }
    count
}

/// Runs one job to its end; how that was is counted and logged.
pub(crate) async fn run(app: &App, cron: &'static Cron, request_id: &RequestId) -> Result<Run, Failure> {
    let started_at = app.host().unix_time();
    // A panic in one job is no reason for the others to be left out.
    let result = panics::caught(repeat(app, cron, request_id)).await;
    let result = result.unwrap_or_else(|Panicked| Err(ErrorCode::Internal.into()));
    let outcome = if result.is_ok() { "ok" } else { "failed" };
    app.metrics().count("cron_runs_total", &[("name", cron.name), ("outcome", outcome)]);
    let ended_at = app.host().unix_time();
    let line = telemetry::line_of_cron(&telemetry::CronEnded {
        ended_at,
        duration: ended_at.saturating_sub(started_at),
        request_id,
        name: cron.name,
        total: result.as_ref().map(|run| run.total).ok(),
        failure: result.as_ref().err(),
    });
    app.log(&line);
    result
}

async fn repeat(app: &App, cron: &'static Cron, request_id: &RequestId) -> Result<Run, Failure> {
    let mut run = Run { name: cron.name, total: 0, calls: 0, is_done: false };
    while run.calls < CALLS_MAX && !run.is_done {
        let answer = call(app, cron.job, request_id).await?;
        run.total += u64::from(answer);
        run.calls += 1;
        run.is_done = !cron.is_repeated || answer == 0;
    }
    Ok(run)
}

async fn call(app: &App, job: Job, request_id: &RequestId) -> Result<u32, Failure> {
    let context = CallContext { caller: Caller::Service, request_id: request_id.clone() };
    let answer = match job {
        Job::QueryRechargeOrders => recharging::query_orders(app, request_id).await?,
        Job::ExpireRechargeOrders => app.call_patiently(context, CronExpireRechargeOrders {}).await?,
        Job::Seal => app.call_patiently(context, CronSeal {}).await?,
        Job::FollowLevels => app.call_patiently(context, CronFollowLevels {}).await?,
        Job::VerifySeals => app.call_patiently(context, CronVerifySeals {}).await?,
        Job::RotateQrTokens => app.call_patiently(context, CronRotateQrTokens {}).await?,
        Job::ExpireCards => app.call_patiently(context, CronExpireCards {}).await?,
        Job::GenerateSettlements => app.call_patiently(context, CronGenerateSettlements {}).await?,
        Job::EnsurePartitions => app.call_patiently(context, CronEnsurePartitions {}).await?,
        Job::Purge => app.call_patiently(context, CronPurge { audit_days: app.choices().audit_days }).await?,
        Job::VerifyLedger => app.call_patiently(context, CronVerifyLedger {}).await?,
    };
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn wrangler_has_the_same_times() {
        let text = include_str!("../wrangler.toml");
        let line = text.lines().find_map(|line| line.strip_prefix("crons = ")).unwrap_or_default();
        let written: BTreeSet<&str> =
            serde_json::from_str::<Vec<&str>>(line).unwrap_or_default().into_iter().collect();
        let wanted: BTreeSet<&str> = ALL.iter().map(|cron| cron.schedule).collect();
        assert_eq!(written, wanted);
    }

    #[test]
    fn every_cron_rpc_is_one_job_beside_that_of_the_providers() {
        let text = include_str!("../../docs/rpcs.md");
        let mut rpcs: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## cron_")).collect();
        rpcs.push(QUERY_RECHARGE_ORDERS);
        let mut jobs: Vec<&str> = ALL.iter().map(|cron| cron.name).collect();
        rpcs.sort_unstable();
        jobs.sort_unstable();
        assert_eq!(jobs, rpcs);
    }
}
