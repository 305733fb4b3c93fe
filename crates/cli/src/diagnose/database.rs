//! What PostgreSQL and the ledger say of themselves. Each question answers what it found, and what to do.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use postgres::Client;

use super::{Finding, found};
use crate::database::{Database, act_as_service, describe, told};

/// Each answers rows of what is wrong and what to do about it; none where all is well.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "ledger",
        "select format('%s: %s', h.check, h.detail),
                case h.check
                  when 'clock' then 'Set the machine''s clock right (chrony), then `mps admin send POST /api/admin/clock/acknowledge`.'
                  when 'default_partitions_empty' then '`mps jobs run ensure_partitions` moves the rows to their months.'
                  when 'partitions_ahead' then '`mps jobs run ensure_partitions`; then why it did not run: `mps jobs list`, the edges'' log.'
                  when 'master_key' then 'select sec.draw_master_key(): without one no code can be issued.'
                  when 'admin_users' then '`mps admin first`'
                  else 'Did its job run? `mps jobs list`, the lines \"category\":\"cron\" of the edges. Violations: `mps admin show ledger-check`, and let nobody repair anything by hand before they are understood.'
                end
         from public.system_health_check() h where not h.ok",
    ),
    (
        "database",
        "select format('%s of %s connections are taken', c.taken, c.most),
                'Who has them: select usename, application_name, state, count(*) from pg_stat_activity group by 1, 2, 3. Lower database.pool_size, or raise max_connections.'
         from (select count(*) as taken, current_setting('max_connections')::int as most from pg_stat_activity) c where c.taken > 0.8 * c.most",
    ),
    (
        "database",
        "select format('process %s of %s has had a transaction open for %s (%s)', a.pid, a.usename, date_trunc('second', clock_timestamp() - a.xact_start), a.state),
                format('It keeps dead rows, and sealing waits for it. Whose is it? select pg_terminate_backend(%s) ends it; what it has not committed is lost.', a.pid)
         from pg_stat_activity a
         where a.backend_type = 'client backend' and a.pid <> pg_backend_pid() and a.xact_start < clock_timestamp() - interval '1 minute'",
    ),
    (
        "database",
        "select format('process %s waits for a lock that process %s holds, since %s', w.pid, array_to_string(pg_blocking_pids(w.pid), ', '), date_trunc('second', clock_timestamp() - w.query_start)),
                'select * from pg_stat_activity where pid = …; a migration or a person at psql must not hold one for long: pg_terminate_backend.'
         from pg_stat_activity w
         where w.wait_event_type = 'Lock' and w.query_start < clock_timestamp() - interval '3 seconds' and pg_blocking_pids(w.pid) <> '{}'",
    ),
    (
        "database",
        "select format('the standby %s is %s behind', coalesce(nullif(r.application_name, ''), host(r.client_addr)), date_trunc('second', r.replay_lag)),
                'Is its disk or the line to it slow? Until it has caught up, losing this machine loses what it has not.'
         from pg_stat_replication r where r.replay_lag > interval '30 seconds'",
    ),
    (
        "database",
        "select format('the archive fails since %s: %s', s.last_failed_time, s.last_failed_wal),
                'No backup reaches beyond it, and the disk fills. PostgreSQL''s log has the command''s own words.'
         from pg_stat_archiver s where s.last_failed_time > coalesce(s.last_archived_time, '-infinity')",
    ),
    (
        "database",
        "select format('%s = %s', s.name, s.setting), 'A crash can lose money that was answered as paid: turn it on, and take a backup.'
         from pg_settings s where s.name in ('fsync', 'full_page_writes', 'synchronous_commit') and s.setting = 'off'",
    ),
    (
        "database",
        "select format('the index %s is invalid', i.indexrelid::regclass),
                format('drop index concurrently %s, and make it again as it is in supabase/schema.sql.', i.indexrelid::regclass)
         from pg_index i where not i.indisvalid",
    ),
    (
        "database",
        "select format('%s has %s dead rows beside %s', t.relid::regclass, t.n_dead_tup, t.n_live_tup),
                format('vacuum %s. Is a transaction open for long, or autovacuum off?', t.relid::regclass)
         from pg_stat_user_tables t where t.n_dead_tup > 100000 and t.n_dead_tup > 0.2 * t.n_live_tup",
    ),
    (
        "database",
        "select format('transaction numbers are used up to %s %%', round(100.0 * age(d.datfrozenxid) / 2000000000)),
                'vacuum (freeze) of its largest tables, soon: at 100 % PostgreSQL writes no more.'
         from pg_database d where d.datname = current_database() and age(d.datfrozenxid) > 1000000000",
    ),
    (
        "database",
        "select format('the index %s (%s) was not used once in a month', x.indexrelid::regclass, pg_size_pretty(pg_relation_size(x.indexrelid))),
                'It costs at each write. If it is none of supabase/schema.sql: drop index concurrently.'
         from pg_stat_user_indexes x
         join pg_index i on i.indexrelid = x.indexrelid and not i.indisunique
         where x.idx_scan = 0 and pg_relation_size(x.indexrelid) > 64 * 1024 * 1024
           and (select s.stats_reset from pg_stat_database s where s.datname = current_database()) < now() - interval '30 days'",
    ),
    (
        "database",
        "select format('autovacuum is off%s', case when current_setting('autovacuum') = 'off' then '' else ' for ' || string_agg(c.oid::regclass::text, ', ') end),
                'Turn it on: without it each charge gets slower.'
         from pg_class c
         where current_setting('autovacuum') = 'off' or 'autovacuum_enabled=false' = any (c.reloptions) or 'autovacuum_enabled=off' = any (c.reloptions)
         having count(*) > 0",
    ),
];

/// Everything that is wrong with it; that it cannot be asked is one finding.
pub(super) fn look(database: &Database) -> Vec<Finding> {
    let fix = "Is PostgreSQL running, and does DATABASE_URL say where? `mps secrets get DATABASE_URL --reveal`, `pg_isready`.";
    match database.connect() {
        Err(error) => vec![found("database", format!("{error:#}"), fix)],
        Ok(mut client) => ask(&mut client)
            .unwrap_or_else(|error| vec![found("database", format!("it did not answer: {error:#}"), fix)]),
    }
}

fn ask(client: &mut Client) -> Result<Vec<Finding>> {
    let bounds =
        "set statement_timeout = '3s'; set default_transaction_read_only = on; set lock_timeout = '500ms'";
    client.batch_execute(bounds).map_err(|error| told(&error))?;
    act_as_service(client)?;
    let before = SystemTime::now();
    let row = client.query_one("select extract(epoch from clock_timestamp())::float8", &[]);
    let theirs: f64 = row.map_err(|error| told(&error))?.get(0);
    let mut findings: Vec<Finding> = clock(theirs, before, SystemTime::now()).into_iter().collect();
    for (area, question) in QUESTIONS {
        match client.query(*question, &[]) {
            Ok(rows) => findings
                .extend(rows.iter().map(|row| found(area, row.get::<_, String>(0), row.get::<_, String>(1)))),
            // One that cannot be answered hides no other.
            Err(error) => findings.push(found(
                area,
                format!("a question was not answered: {}", describe(&error)),
                "Is the schema migrated (`mps migrate status`), and is DATABASE_URL of who owns the database?",
            )),
        }
    }
    Ok(findings)
}

/// Of two machines of one house; codes that are made offline count in steps of half a minute.
fn clock(theirs: f64, before: SystemTime, after: SystemTime) -> Option<Finding> {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let ahead = theirs - seconds(after);
    let behind = seconds(before) - theirs;
    let apart = ahead.max(behind);
    (apart > 5.0).then(|| {
        let fix = "Set both by the same source (chrony); the ledger goes by the database's.";
        found("machine", format!("this machine's clock and the database's are {apart:.0} s apart"), fix)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn clocks_that_are_apart_are_found_and_a_slow_answer_is_no_distance() {
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds);
        for (theirs, is_found) in [(0.0, false), (-4.0, false), (-6.0, true), (9.0, false), (14.0, true)] {
            assert_eq!(clock(1_800_000_000.0 + theirs, at(0), at(8)).is_some(), is_found, "{theirs}");
        }
    }
}
