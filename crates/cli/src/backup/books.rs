//! What the books of a restored database say, by the functions that the jobs of the edges ask every day.

use anyhow::{Context, Result, ensure};
use mps_core::limits;
use postgres::{Client, SimpleQueryMessage};
use serde::Serialize;
use serde_json::{Map, Value};

use super::shown;
use crate::database::{act_as_service, told};

const COUNTED: [(&str, &str); 6] = [
    ("members", "app.member_profiles"),
    ("merchants", "app.merchants"),
    ("cards", "app.cards"),
    ("transactions", "app.transactions"),
    ("ledger_entries", "app.ledger_entries"),
    ("seals", "app.seals"),
];

const NEWEST: &str =
    "select t.tx_no, app.uuid_v7_time(t.id) from app.transactions t order by t.id desc limit 1";

/// Numbers of transactions, recharge orders, settlements, cards and members are counted up. What was given after the moment is on receipts
/// and at payment providers: given again, a provider would say of somebody's new order that it is paid.
const SKIP_NUMBERS: &str = r"select s.sequencename || ' ' || setval(format('app.%I', s.sequencename)::regclass,
    coalesce(s.last_value, 0) + case s.sequencename when 'transaction_no_seq' then 100000000 else 1000000 end)
  from pg_catalog.pg_sequences s where s.schemaname = 'app' and s.sequencename like '%\_no\_seq' order by s.sequencename";

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) schema_version: String,
    pub(crate) newest_transaction: Option<Newest>,
    pub(crate) counts: Map<String, Value>,
    /// What is wrong with them.
    pub(crate) findings: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Newest {
    pub(crate) tx_no: String,
    pub(crate) at: String,
}

pub(crate) fn check(database: &mut Client) -> Result<Report> {
    let schema_version = one(database, "select sec.schema_version()")
        .context("this is no database of MPS, or --database is another one")?;
    let mut findings = Vec::new();
    if is_later(&schema_version, limits::schema::VERSION) {
        findings.push(format!(
            "its schema, {schema_version}, is of a later release than this program knows ({}): check it with that release's mps",
            limits::schema::VERSION
        ));
    }
    act_as_service(database)?;
    if one(database, "select sec.has_usable_master_key()")? != "t" {
        findings.push(
            "no master key of payment codes can be read: codes and devices of before are worthless; where it is in Supabase's Vault, \
             put the Vault's own key in its place"
                .to_owned(),
        );
    }
    findings.extend(violations(database)?);
    let mut counts = Map::new();
    for (name, table) in COUNTED {
        let count = one(database, &format!("select count(*) from {table}"))?;
        counts.insert(name.to_owned(), count.parse::<u64>().unwrap_or_default().into());
    }
    Ok(Report { schema_version, newest_transaction: newest(database)?, counts, findings })
}

/// What books and seals break of their rules, as the service.
pub(crate) fn violations(database: &mut Client) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (what, query) in [
        ("verify_ledger", "select concat_ws(' ', v.rule, v.object, v.detail) from public.verify_ledger() v"),
        (
            "verify_seals",
            "select concat_ws(' ', v.seal_no, v.table_name, v.row_id, v.what) from public.verify_seals() v",
        ),
    ] {
        found.extend(rows(database, query)?.into_iter().map(|row| format!("{what}: {row}")));
    }
    Ok(found)
}

/// Has each sequence go on far from what it gave before; what they are now.
pub(crate) fn skip_numbers(database: &mut Client) -> Result<Vec<String>> {
    let skipped = rows(database, SKIP_NUMBERS)?;
    ensure!(!skipped.is_empty(), "no sequence of numbers was found: this schema is of another release");
    Ok(skipped)
}

fn newest(database: &mut Client) -> Result<Option<Newest>> {
    let row = database.query_opt(NEWEST, &[]).map_err(|error| told(&error))?;
    let read = |row: postgres::Row| -> Result<Newest> {
        let at: std::time::SystemTime = row.try_get(1)?;
        Ok(Newest { tx_no: row.try_get(0)?, at: shown(at.into()) })
    };
    row.map(read).transpose()
}

fn is_later(version: &str, known: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    number(version) > number(known)
}

fn one(database: &mut Client, query: &str) -> Result<String> {
    Ok(rows(database, query)?.into_iter().next().unwrap_or_default())
}

/// The first column, as text.
pub(crate) fn rows(database: &mut Client, query: &str) -> Result<Vec<String>> {
    let answer = database.simple_query(query).map_err(|error| told(&error))?;
    let text = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    Ok(answer.into_iter().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::is_later;

    #[test]
    fn a_schema_that_this_program_does_not_know_is_later() {
        assert!(is_later("20271129900000", "20261129900000") && is_later("other", "20261129900000"));
        assert!(
            !is_later("20261129900000", "20261129900000") && !is_later("20251129900000", "20261129900000")
        );
    }
}
