//! Reads spec/*.toml and refuses what the rules of those files forbid.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

/// The files of constants that more than one language copies.
pub(super) struct Spec {
    /// In order of precedence, as in the file.
    pub(super) errors: Vec<ErrorRow>,
    /// In the order of the file.
    pub(super) limits: Vec<Section>,
    /// The longest prefix first.
    pub(super) upstream_codes: Vec<Meaning>,
    /// In the order of the file.
    pub(super) upstream_phrases: Vec<Meaning>,
}

/// One entry of the error catalogue.
pub(super) struct ErrorRow {
    pub(super) code: String,
    pub(super) status: u16,
    pub(super) retry: String,
    pub(super) params: Vec<String>,
    pub(super) title: String,
    pub(super) why: String,
}

/// What an upstream's code or phrase means.
pub(super) struct Meaning {
    pub(super) text: String,
    pub(super) means: String,
    pub(super) why: Option<String>,
}

/// One table of limits.toml.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) bounds: Vec<(String, Bound)>,
}

/// A bound: a count, or text (an amount, a prefix, a version).
pub(super) enum Bound {
    Count(u32),
    Text(String),
}

const UPSTREAM_CODES: &str = "spec/upstream_codes.toml";

const MEANINGS: &[&str] = &["malformed", "signed_out", "denied", "contention", "unavailable", "drift", "bug"];

impl Spec {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let errors = parse_errors(&read_table(root, "spec/errors.toml")?)?;
        let limits = parse_limits(&read_table(root, "spec/limits.toml")?)?;
        let upstream = read_table(root, UPSTREAM_CODES)?;
        let mut upstream_codes = parse_meanings(&upstream, "code", "prefix")?;
        ensure!(upstream_codes.iter().all(|row| row.why.is_some()), "{UPSTREAM_CODES}: a code has no why");
        upstream_codes.sort_by_key(|row| std::cmp::Reverse(row.text.len()));
        let upstream_phrases = parse_meanings(&upstream, "phrase", "text")?;
        Ok(Self { errors, limits, upstream_codes, upstream_phrases })
    }

    /// The text of one bound, for the copies that need it by name.
    pub(super) fn text(&self, section: &str, name: &str) -> Result<String> {
        self.limits
            .iter()
            .filter(|one| one.name == section)
            .flat_map(|one| &one.bounds)
            .find(|(key, _)| key == name)
            .map(|(_, bound)| bound.as_text())
            .with_context(|| format!("spec/limits.toml has no {section}.{name}"))
    }
}

impl Bound {
    pub(super) fn as_text(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

fn read_table(root: &Path, path: &str) -> Result<Table> {
    let text = fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))?;
    text.parse().with_context(|| format!("{path} is not TOML"))
}

fn parse_errors(table: &Table) -> Result<Vec<ErrorRow>> {
    let rows = table.get("error").and_then(Value::as_array).context("spec/errors.toml has no [[error]]")?;
    let errors = rows.iter().map(parse_error).collect::<Result<Vec<_>>>()?;
    let mut seen = HashSet::new();
    for error in &errors {
        ensure!(seen.insert(&error.code), "spec/errors.toml has {} twice", error.code);
    }
    Ok(errors)
}

fn parse_error(row: &Value) -> Result<ErrorRow> {
    let text = |key: &str| -> Result<String> {
        let value = row.get(key).and_then(Value::as_str);
        Ok(value.with_context(|| format!("an error of spec/errors.toml has no {key}: {row}"))?.to_owned())
    };
    let code = text("code")?;
    let is_code = code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    ensure!(is_code && code.starts_with(|c: char| c.is_ascii_uppercase()), "{code} is not UPPER_SNAKE");
    let status = row.get("status").and_then(Value::as_integer).and_then(|n| u16::try_from(n).ok());
    let status = status.filter(|n| (400..=599).contains(n)).with_context(|| format!("{code}: bad status"))?;
    let retry = text("retry")?;
    ensure!(matches!(retry.as_str(), "never" | "after_fix" | "same_key"), "{code}: bad retry {retry}");
    let params = row.get("params").and_then(Value::as_array).with_context(|| format!("{code}: no params"))?;
    let params = params
        .iter()
        .map(|param| param.as_str().map(str::to_owned).with_context(|| format!("{code}: a param is no text")))
        .collect::<Result<Vec<_>>>()?;
    Ok(ErrorRow { status, retry, params, title: text("title")?, why: text("why")?, code })
}

fn parse_meanings(table: &Table, rows: &str, key: &str) -> Result<Vec<Meaning>> {
    let found = table.get(rows).and_then(Value::as_array);
    let found = found.with_context(|| format!("{UPSTREAM_CODES} has no [[{rows}]]"))?;
    let mut seen = HashSet::new();
    let parse = |row: &Value| -> Result<Meaning> {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let (text, means, why) = (text(key), text("means"), text("why"));
        let text = text.with_context(|| format!("a {rows} of {UPSTREAM_CODES} has no {key}: {row}"))?;
        let means = means.filter(|means| MEANINGS.contains(&means.as_str()));
        let means = means.with_context(|| format!("{UPSTREAM_CODES}: {text} has no right meaning"))?;
        ensure!(seen.insert(text.clone()), "{UPSTREAM_CODES} has {text} twice");
        Ok(Meaning { text, means, why })
    };
    found.iter().map(parse).collect()
}

fn parse_limits(table: &Table) -> Result<Vec<Section>> {
    table
        .iter()
        .map(|(name, section)| {
            let section = section.as_table().with_context(|| format!("{name} is not a section"))?;
            let bounds = section.iter().map(|(key, value)| Ok((key.clone(), parse_bound(name, key, value)?)));
            Ok(Section { name: name.clone(), bounds: bounds.collect::<Result<Vec<_>>>()? })
        })
        .collect()
}

fn parse_bound(section: &str, key: &str, value: &Value) -> Result<Bound> {
    match value {
        Value::Integer(count) => {
            let count = u32::try_from(*count).with_context(|| format!("{section}.{key} is out of bounds"))?;
            Ok(Bound::Count(count))
        }
        Value::String(text) => Ok(Bound::Text(text.clone())),
        _ => bail!("{section}.{key} is neither a count nor text"),
    }
}
