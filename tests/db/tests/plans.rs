//! No RPC reads a table that grows from end to end: every RPC's plans, as `auto_explain` tells them, on a house of some size.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use mps_db_tests::listener::Listener;
use mps_db_tests::{Caller, TestDatabase, on_a_fresh_database};
use serde_json::Value;
use toml::Table;

const LOAD: &str = include_str!("plans/load.sql");
const CALLS: &str = include_str!("plans/calls.toml");
const SCENE: &str = include_str!("surface/scene.sql");

/// What a scene without history lacks: a merchant that load.sql settled.
const HISTORY: &str = "insert into fx.scene (name, value)
    select 'settlement', s.id from app.settlements s where s.merchant_id = md5('merchant1')::uuid
    union all values ('settled_merchant', md5('merchant1')::uuid), ('settled_owner', md5('clerk1')::uuid)";

const MEMBERS: u32 = 20_000;

/// A table of at least so many rows is one that grows.
const GROWN: u32 = 900;

/// Most rows that one step of a plan may take from a table, whether it keeps them or not: more than any page, less than any table.
const ROWS_READ_MAX: f64 = 800.0;

/// Plans for the values at hand, and the plan for any value that a long-lived connection comes to use.
const PLAN_MODES: [&str; 2] = ["force_custom_plan", "force_generic_plan"];

const EXPLAIN: &str = "
    load 'auto_explain';
    set auto_explain.log_level = notice;
    set auto_explain.log_format = json;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set auto_explain.log_timing = off;
    set auto_explain.log_min_duration = -1";

async fn load(db: &TestDatabase) -> Result<()> {
    let loader = db.listener().await?;
    loader.run(&format!("set load.members = {MEMBERS}; {LOAD}")).await.context("plans/load.sql")?;
    db.run(SCENE).await?;
    db.run(HISTORY).await?;
    db.run("analyze").await
}

/// The tables that grow, partitions by their own names. Every other table must be named as small.
async fn grown_tables(db: &TestDatabase, small: &Table) -> Result<BTreeSet<String>> {
    let rows = db
        .texts(
            &format!(
                "select concat_ws(' ', c.relname, coalesce(p.relname, c.relname), c.reltuples >= {GROWN})
                 from pg_class c
                 left join pg_inherits i on i.inhrelid = c.oid
                 left join pg_class p on p.oid = i.inhparent
                 where c.relnamespace = any (array['app', 'audit', 'sec']::regnamespace[]) and c.relkind = 'r'"
            ),
            &[],
        )
        .await?;
    let (mut grown, mut tables, mut loaded) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for row in rows.iter().flatten() {
        let words: Vec<&str> = row.split(' ').collect();
        let [relation, table, is_grown] = words[..] else { bail!("no row: {row}") };
        tables.insert(table.to_owned());
        if is_grown == "t" {
            grown.insert(relation.to_owned());
            loaded.insert(table.to_owned());
        }
    }
    for table in &tables {
        ensure!(
            loaded.contains(table) != small.contains_key(table),
            "{table}: let plans/load.sql fill it, or say in plans/calls.toml why it stays small, not both"
        );
    }
    ensure!(small.keys().all(|table| tables.contains(table)), "calls.toml names a small table that is none");
    Ok(grown)
}

/// One RPC's call in calls.toml.
struct Entry {
    caller: Caller,
    before: String,
    statement: String,
    /// The tables of which it may read many rows.
    may_read: Vec<String>,
}

impl Entry {
    /// Nothing when it says that, and why, the RPC reads tables whole.
    fn read(name: &str, calls: &Table, scene: &BTreeMap<String, String>) -> Result<Option<Self>> {
        let missing = || format!("plans/calls.toml has no call of {name}");
        let entry = calls.get(name).and_then(toml::Value::as_table).with_context(missing)?;
        let text = |key: &str| entry.get(key).and_then(toml::Value::as_str);
        if text("reads_all").is_some() {
            return Ok(None);
        }
        let caller = match text("as").with_context(missing)? {
            "service" => Caller::Service,
            user => Caller::User(scene.get(user).with_context(|| format!("nobody is {user}"))?.clone()),
        };
        let statement = format!("select * from {}", filled(text("call").with_context(missing)?, scene));
        let before = filled(text("before").unwrap_or_default(), scene);
        let may_read = entry.get("may_read").and_then(toml::Value::as_table);
        let may_read = may_read.into_iter().flat_map(Table::keys).cloned().collect();
        Ok(Some(Self { caller, before, statement, may_read }))
    }
}

fn filled(text: &str, scene: &BTreeMap<String, String>) -> String {
    scene.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), &format!("'{value}'"))
    })
}

async fn scene(db: &TestDatabase) -> Result<BTreeMap<String, String>> {
    let rows = db.texts("select name || '=' || value from fx.scene", &[]).await?;
    let pair = |row: &String| row.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(rows.iter().flatten().filter_map(pair).collect())
}

/// What a plan does to tables that grow and should not.
fn find_reads(node: &Value, grown: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    let number = |key: &str| node.get(key).and_then(Value::as_f64).unwrap_or_default();
    if let Some(table) = node.get("Relation Name").and_then(Value::as_str)
        && grown.contains(table)
    {
        let left_out = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        let rows = (number("Actual Rows") + left_out) * number("Actual Loops");
        if rows > ROWS_READ_MAX {
            found.insert(format!("reads {rows} rows of {table}"));
        }
        // Without a condition it takes the first rows that come, and the count above says how many.
        if node.get("Node Type").and_then(Value::as_str) == Some("Seq Scan") && node.get("Filter").is_some() {
            found.insert(format!("searches {table} row by row"));
        }
    }
    for child in node.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        find_reads(child, grown, found);
    }
}

/// Runs a call in both plan modes; what its plans do wrong, each with the beginning of the statement that does it.
async fn offences(
    listener: &mut Listener,
    entry: &Entry,
    grown: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for mode in PLAN_MODES {
        listener.run(&format!("discard plans; set plan_cache_mode = {mode}")).await?;
        let around = format!("{}; set local auto_explain.log_min_duration = 0", entry.before);
        let heard = listener.overhear(&entry.caller, &around, &entry.statement).await?;
        if let Some(refusal) = heard.refusal {
            found.insert(format!("was refused, so nothing was seen: {refusal}"));
            continue;
        }
        let mut plans = 0;
        for message in &heard.messages {
            let Some((_, json)) = message.split_once("plan:\n") else { continue };
            let explained: Value = serde_json::from_str(json).with_context(|| json.to_owned())?;
            plans += 1;
            let mut reads = BTreeSet::new();
            find_reads(explained.get("Plan").unwrap_or(&Value::Null), grown, &mut reads);
            let query = explained.get("Query Text").and_then(Value::as_str).unwrap_or_default();
            let query: String =
                query.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
            // A partition is named after its table and its month.
            reads.retain(|read| !entry.may_read.iter().any(|table| read.contains(&format!(" {table}"))));
            found.extend(reads.into_iter().map(|read| format!("{read} ({mode}): {query}")));
        }
        ensure!(plans > 0, "auto_explain said nothing");
    }
    Ok(found)
}

#[test]
fn no_rpc_reads_a_growing_table_from_end_to_end() -> Result<()> {
    on_a_fresh_database(async |db| {
        load(db).await?;
        let decided: Table = toml::from_str(CALLS)?;
        let part =
            |name: &str| decided.get(name).and_then(toml::Value::as_table).context("calls.toml lacks a part");
        let (small, calls) = (part("small")?, part("calls")?);
        let grown = grown_tables(db, small).await?;
        let scene = scene(db).await?;
        let functions = db
            .texts(
                "select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace
                 and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by 1",
                &[],
            )
            .await?;
        let functions: BTreeSet<String> = functions.into_iter().flatten().collect();
        let mut listener = db.listener().await?;
        listener.run(EXPLAIN).await?;
        let mut wrong = Vec::new();
        for name in functions.iter().chain(calls.keys().filter(|name| !functions.contains(*name))) {
            match Entry::read(name, calls, &scene) {
                _ if !functions.contains(name) => {
                    wrong.push(format!("calls.toml calls {name}, which is no RPC"));
                }
                Err(missing) => wrong.push(missing.to_string()),
                Ok(None) => {}
                Ok(Some(entry)) => {
                    let found = offences(&mut listener, &entry, &grown).await;
                    let found = found.with_context(|| name.clone())?;
                    wrong.extend(found.into_iter().map(|offence| format!("{name} {offence}")));
                }
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}
