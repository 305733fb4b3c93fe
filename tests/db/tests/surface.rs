//! Who reaches what: every RPC as every kind of caller, every table's columns as every API role, against supabase/tests/surface.csv.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use mps_db_tests::{Call, Caller, TestDatabase, on_a_fresh_database};

const DECIDED: &str = include_str!("../../../supabase/tests/surface.csv");
const CALLS: &str = include_str!("surface/calls.toml");
const SCENE: &str = include_str!("surface/scene.sql");

/// The columns of the table, and who in the scene that is.
const PERSONAS: [&str; 11] = [
    "anon",
    "stranger",
    "owner",
    "binding_admin",
    "member",
    "viewer",
    "cashier",
    "manager",
    "merchant_owner",
    "admin",
    "service",
];

/// In a transaction of its own: a period that is settled has ended before it began.
const SETTLEMENT: &str = "
    insert into fx.scene (name, value)
    select 'settlement', public.generate_settlement(m.value::uuid, 'realtime', now() - interval '1 day', now())
    from fx.scene m
    cross join (select set_config('request.jwt.claims', '{\"role\":\"service_role\"}', true)) as service
    where m.name = 'merchant'";

/// After the settlement, so that it can be reversed.
const CASH: &str = "
    do $$
    begin
      perform fx.act_as((select s.value::uuid from fx.scene s where s.name = 'cashier'));
      update fx.scene s
      set value = (
        select r.tx_no
        from fx.scene c
        cross join lateral public.user_recharge_card(c.value::uuid, 10, p_merchant_code => 'SURFACE') r
        where c.name = 'card')
      where s.name = 'cash_no';
    end;
    $$";

/// What each public function answers to each persona: `ok`, `no` for false, the code of a refusal, or `-` without a grant.
async fn answers(db: &TestDatabase) -> Result<BTreeMap<String, String>> {
    let scene = scene(db).await?;
    let calls: BTreeMap<String, String> = toml::from_str(CALLS)?;
    let functions = db
        .texts(
            "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'public'::regnamespace
             and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by 1",
            &[],
        )
        .await?;
    let session = db.session().await?;
    let mut rows = BTreeMap::new();
    let mut named: BTreeSet<&String> = calls.keys().collect();
    for function in functions.into_iter().flatten() {
        let name = function.split('(').next().unwrap_or_default().trim_start_matches("public.").to_owned();
        let call = calls.get(&name).with_context(|| format!("surface/calls.toml has no call of {name}"))?;
        named.remove(&name);
        let mut answered = Vec::new();
        for persona in PERSONAS {
            let caller = match persona {
                "anon" => Caller::Anon,
                "service" => Caller::Service,
                user => Caller::User(scene.get(user).context("nobody")?.clone()),
            };
            let statement = format!(
                "select jsonb_build_object('end', case when bool_or(to_jsonb(r) = 'false') then 'no' else 'ok' end)::text from {} as r",
                filled(call, &scene)
            );
            let outcome = session.leave_open(&Call::new(caller, statement, &[])).await?;
            answered.push(match outcome {
                Ok(answer) => {
                    session.roll_back().await?;
                    answer.text("end").to_owned()
                }
                Err(refusal) if refusal.state == "42501" => "-".to_owned(),
                Err(refusal) if refusal.state.starts_with("PT") => refusal.code,
                Err(refusal) => refusal.label(),
            });
        }
        rows.insert(format!("function {name}({})", arguments(&function)), answered.join(","));
    }
    ensure!(named.is_empty(), "surface/calls.toml calls what is not there: {named:?}");
    Ok(rows)
}

/// The argument types, without what would end a cell.
fn arguments(function: &str) -> String {
    let arguments = function.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    arguments.replace(',', " ")
}

async fn scene(db: &TestDatabase) -> Result<BTreeMap<String, String>> {
    db.run(SCENE).await?;
    db.run(SETTLEMENT).await?;
    db.run(CASH).await?;
    let rows = db.texts("select name || '=' || value from fx.scene", &[]).await?;
    let pair = |row: &String| row.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(rows.iter().flatten().filter_map(pair).collect())
}

fn filled(call: &str, scene: &BTreeMap<String, String>) -> String {
    scene.iter().fold(call.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), &format!("'{value}'"))
    })
}

/// What each API role may do to each column, partitions left out: they are named after their month.
async fn privileges(db: &TestDatabase) -> Result<BTreeMap<String, String>> {
    let rows = db
        .texts(
            "select format('column %s.%s.%s=%s,%s,%s', n.nspname, c.relname, a.attname, granted.anon,
                           granted.authenticated, granted.service_role)
             from pg_class c
             join pg_namespace n on n.oid = c.relnamespace
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             cross join lateral (
               select
                 max(case r.role when 'anon' then r.may end) as anon,
                 max(case r.role when 'authenticated' then r.may end) as authenticated,
                 max(case r.role when 'service_role' then r.may end) as service_role
               from (
                 select role, coalesce(nullif(concat_ws('+',
                   case when has_column_privilege(role, c.oid, a.attnum, 'select') then 'select' end,
                   case when has_column_privilege(role, c.oid, a.attnum, 'insert') then 'insert' end,
                   case when has_column_privilege(role, c.oid, a.attnum, 'update') then 'update' end,
                   case when has_column_privilege(role, c.oid, a.attnum, 'references') then 'references' end), ''), '-') as may
                 from unnest(array['anon', 'authenticated', 'service_role']) as role) r) granted
             where n.nspname in ('public', 'app', 'rules', 'audit', 'sec') and c.relkind in ('r', 'p', 'v', 'm', 'f')
               and not c.relispartition",
            &[],
        )
        .await?;
    let mut columns = BTreeMap::new();
    for row in rows.iter().flatten() {
        let (column, roles) = row.split_once('=').context("no row")?;
        let roles: Vec<&str> = roles.split(',').collect();
        let cells: Vec<&str> = PERSONAS
            .iter()
            .map(|persona| match *persona {
                "anon" => roles[0],
                "service" => roles[2],
                _ => roles[1],
            })
            .collect();
        columns.insert(column.to_owned(), cells.join(","));
    }
    Ok(columns)
}

/// The committed table.
fn decided() -> Result<BTreeMap<String, String>> {
    let mut lines = DECIDED.lines().filter(|line| !line.starts_with('#'));
    ensure!(
        lines.next() == Some(&*format!("object,{}", PERSONAS.join(","))),
        "the first line names the callers"
    );
    lines
        .map(|line| {
            let (object, cells) = line.split_once(',').with_context(|| format!("no row: {line}"))?;
            Ok((object.to_owned(), cells.to_owned()))
        })
        .collect()
}

#[test]
fn everybody_reaches_what_the_committed_table_says_and_nothing_more() -> Result<()> {
    on_a_fresh_database(async |db| {
        // First, since the scene makes a table of its own.
        let mut found = privileges(db).await?;
        found.extend(answers(db).await?);
        let decided = decided()?;
        let mut differences = String::new();
        for object in found.keys().chain(decided.keys()).collect::<BTreeSet<_>>() {
            if found.get(object) != decided.get(object) {
                let line = |row: Option<&String>| {
                    row.map_or("nothing".to_owned(), |cells| format!("{object},{cells}"))
                };
                let (found, decided) = (line(found.get(object)), line(decided.get(object)));
                writeln!(differences, "found   {found}\ndecided {decided}")?;
            }
        }
        ensure!(differences.is_empty(), "decide on each in supabase/tests/surface.csv:\n{differences}");
        Ok(())
    })
}
