//! What the extension `plpgsql_check` finds in our functions, before a call does.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use mps_db_tests::on_a_fresh_database;

/// Everything but `performance`: hidden casts there are between numbers and cost less than writing them out.
const CHECK: &str = "
    select f.proname || ' | ' || c.message
    from pg_proc f
    join pg_language l on l.oid = f.prolang and l.lanname = 'plpgsql'
    left join lateral (
      select t.tgrelid from pg_trigger t where t.tgfoid = f.oid and not t.tgisinternal order by t.tgrelid limit 1) t on true
    cross join lateral plpgsql_check_function_tb(
      f.oid, coalesce(t.tgrelid, 0), fatal_errors => false, extra_warnings => true, performance_warnings => false,
      security_warnings => true) c
    where f.pronamespace = any (array['public', 'app', 'rules', 'audit', 'sec']::regnamespace[])
      and not exists (select from pg_depend d where d.objid = f.oid and d.deptype = 'e')
      -- Whoever asks for the caller first thing wants the refusal; not everybody needs the answer.
      and c.message !~ '^never read variable \"v_(user|admin)_id\"$'
    order by 1";

/// What it finds and what is right nevertheless.
const ACCEPTED: [(&str, &str); 8] = [
    // Only where Supabase's vault is, which the function looks up first.
    ("secret", "relation \"vault.decrypted_secrets\" does not exist"),
    ("draw_master_key", "schema \"vault\" does not exist"),
    // A refusal raises.
    ("make_member", "control reached end of function without RETURN"),
    // A literal or a plain NULL, which has no type before it is assigned.
    ("check_audit_query", "target type is different type than source type"),
    ("find_device_code", "target type is different type than source type"),
    ("levels_from_json", "target type is different type than source type"),
    // The name of a table, as regclass writes it: quoted where it must be.
    ("logs_with_default_rows", "text type variable is not sanitized"),
    // A column of the answer that says what was checked.
    ("system_health_check", "name of parameter \"check\" is reserved keyword"),
];

#[test]
fn plpgsql_check_finds_nothing_that_was_not_looked_at() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run("create extension plpgsql_check").await?;
        let mut found: BTreeSet<String> = db.texts(CHECK, &[]).await?.into_iter().flatten().collect();
        for (function, message) in ACCEPTED {
            found.remove(&format!("{function} | {message}"));
        }
        ensure!(found.is_empty(), "mend it, or say in ACCEPTED why it is right: {found:#?}");
        Ok(())
    })
}

#[test]
fn plpgsql_check_would_find_a_column_that_is_not_there() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(
            "create extension plpgsql_check;
             create function app.broken() returns int language plpgsql as
             'begin return (select c.no_such_column from app.cards c limit 1); end'",
        )
        .await?;
        let found = db.texts(CHECK, &[]).await?;
        ensure!(found.contains(&Some("broken | column c.no_such_column does not exist".to_owned())));
        Ok(())
    })
}
