//! What is promised to clients (spec/published.toml) against what the database has.

use anyhow::{Context, Result};
use mps_db_tests::{TestDatabase, on_a_fresh_database};
use serde::Deserialize;

const PUBLISHED: &str = include_str!("../../../spec/published.toml");

#[derive(Deserialize)]
struct Published {
    call: Vec<Promise>,
}

#[derive(Deserialize)]
struct Promise {
    name: String,
    parameters: Vec<String>,
    returns: Returns,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Returns {
    One(String),
    Columns(Vec<String>),
}

/// A public function as the catalogue has it.
#[derive(Deserialize)]
struct Function {
    parameters: Vec<String>,
    columns: Vec<String>,
    returns: String,
    is_for_users: bool,
}

const FUNCTIONS: &str = "
    select jsonb_build_object(
      'parameters', coalesce((
        select jsonb_agg(
          a.name || ' ' || format_type(a.type, null)
          || coalesce(' = ' || lower(regexp_replace(pg_get_function_arg_default(p.oid, a.place::int), '::.*$', '')), '')
          order by a.place)
        from unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) with ordinality as a (name, type, place)), '[]'),
      'columns', coalesce((
        select jsonb_agg(a.name || ' ' || format_type(a.type, null) order by a.place)
        from unnest(p.proargnames, p.proallargtypes, p.proargmodes) with ordinality as a (name, type, mode, place)
        where a.mode = 't'), '[]'),
      'returns', format_type(p.prorettype, null),
      'is_for_users', has_function_privilege('authenticated', p.oid, 'execute'))::text
    from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname = $1";

/// What the database does not keep of its promises.
async fn broken(db: &TestDatabase) -> Result<Vec<String>> {
    let published: Published = toml::from_str(PUBLISHED)?;
    let mut broken = Vec::new();
    for promise in published.call {
        let rows = db.texts(FUNCTIONS, &[&promise.name]).await?;
        let functions = rows.iter().flatten().map(|row| serde_json::from_str(row));
        let functions: Vec<Function> = functions.collect::<Result<_, _>>().context("no function")?;
        match functions.as_slice() {
            [function] => broken.extend(differences(&promise, function)),
            several => broken.push(format!("{}: {} functions of this name", promise.name, several.len())),
        }
    }
    Ok(broken)
}

fn differences(promise: &Promise, function: &Function) -> Vec<String> {
    let promised = promise.parameters.len();
    let kept = function.parameters.len() >= promised && function.parameters[..promised] == promise.parameters;
    let rest = function.parameters.iter().skip(promised);
    let returned = match &promise.returns {
        Returns::One(scalar) => *scalar == function.returns,
        Returns::Columns(columns) => columns.iter().all(|column| function.columns.contains(column)),
    };
    let checks = [
        (kept, "parameters"),
        (rest.into_iter().all(|parameter| parameter.contains(" = ")), "new parameter without a default"),
        (returned, "result"),
        (function.is_for_users, "not for signed-in users"),
    ];
    let failed = checks.into_iter().filter(|(holds, _)| !holds);
    failed.map(|(_, what)| format!("{}: {what}", promise.name)).collect()
}

#[test]
fn the_database_keeps_what_is_published() -> Result<()> {
    on_a_fresh_database(async |db| {
        assert_eq!(broken(db).await?, Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn whatever_breaks_a_promise_is_named() -> Result<()> {
    on_a_fresh_database(async |db| {
        let changes = [
            (
                "drop function public.freeze_card(uuid)",
                "create function public.freeze_card(p_id uuid) returns boolean language sql as 'select true'",
                "freeze_card: parameters",
            ),
            (
                "drop function public.revoke_card_qr(uuid)",
                "create function public.revoke_card_qr(p_card_id uuid, p_why text) returns boolean
                 language sql as 'select true'",
                "revoke_card_qr: new parameter without a default",
            ),
            (
                "drop function public.unfreeze_card(uuid)",
                "create function public.unfreeze_card(p_card_id uuid) returns void language sql as 'select'",
                "unfreeze_card: result",
            ),
            (
                "select",
                "create function public.admin_suspend_member(p_no text) returns boolean language sql as 'select true'",
                "admin_suspend_member: 2 functions of this name",
            ),
            (
                "select",
                "revoke execute on function public.admin_activate_merchant(uuid) from authenticated",
                "admin_activate_merchant: not for signed-in users",
            ),
        ];
        for (before, change, _) in changes {
            db.run(before).await?;
            db.run(change).await?;
        }
        let mut named = broken(db).await?;
        named.sort_unstable();
        let mut expected: Vec<&str> = changes.iter().map(|(_, _, what)| *what).collect();
        expected.sort_unstable();
        assert_eq!(named, expected);
        Ok(())
    })
}
