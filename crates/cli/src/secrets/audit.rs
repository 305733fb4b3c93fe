//! What is wrong with the secrets that are kept, each finding with what to do about it. No value is in one.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::catalog::{JWT_SECRET, KINDS, Kind, Need, SECRET_KEY};
use super::document::{Document, Entry, shown};
use super::mode;
use super::store::Store;
use super::token::ServiceToken;
use crate::config::Config;

#[derive(Serialize)]
pub(crate) struct Finding {
    /// A secret's name, "store" or "configuration".
    pub(crate) about: String,
    pub(crate) what: String,
    pub(crate) fix: String,
}

/// A key that ends sooner is replaced before it does.
const ENDS_SOON: TimeDelta = TimeDelta::days(14);

/// Of how the store is kept and of what is in it.
pub(crate) fn of_store(config: &Config, store: &Store, now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let kept = store.findings()?;
    let mut found: Vec<Finding> =
        kept.into_iter().map(|finding| of("store", finding.what, finding.fix)).collect();
    match store.read() {
        Ok(document) => found.extend(findings(config, &document, now)),
        // What keeps it from being read is among what was found.
        Err(error) if !found.is_empty() => {
            found.push(of(
                "store",
                format!("what is in it was not looked at: {error:#}"),
                "mps secrets audit, again",
            ));
        }
        Err(error) => return Err(error),
    }
    Ok(found)
}

/// Whoever may write the configuration may say where secrets are kept, and who opens them.
pub(crate) fn of_configuration(file: &Path) -> Result<Option<Finding>> {
    let mode = mode::of(file)?.filter(|mode| mode & 0o022 != 0);
    Ok(mode.map(|mode| {
        let file = file.display();
        of(
            "configuration",
            format!("{file} has mode {mode:04o}: others may write it"),
            format!("chmod go-w {file}"),
        )
    }))
}

fn of(about: &str, what: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { about: about.to_owned(), what: what.into(), fix: fix.into() }
}

pub(crate) fn findings(config: &Config, document: &Document, now: DateTime<Utc>) -> Vec<Finding> {
    let mut found = Vec::new();
    for kind in KINDS {
        let name = kind.name;
        match (document.get(name), (kind.need)(config)) {
            (None, Need::Required) => {
                let how = if kind.is_generated() { "init".to_owned() } else { format!("set {name}") };
                found.push(of(
                    name,
                    "it is missing, and this configuration needs it",
                    format!("mps secrets {how}"),
                ));
            }
            (None, _) => {}
            (Some(_), Need::Unused) => found.push(of(
                name,
                "this configuration does not use it",
                format!("mps secrets remove {name} --yes, or configure its provider"),
            )),
            (Some(entry), _) => found.extend(of_entry(kind, entry, now)),
        }
    }
    found.extend(unknown(document));
    found.extend(same_twice(document));
    found.extend(signed_key(document, now));
    found
}

fn of_entry(kind: &Kind, entry: &Entry, now: DateTime<Utc>) -> Vec<Finding> {
    let name = kind.name;
    let rotate = format!("mps secrets rotate {name}");
    let mut found = Vec::new();
    let days = (now - entry.set_at).num_days();
    if days > kind.age_days_max {
        found.push(of(name, format!("it is {days} days old; {} are the limit", kind.age_days_max), &*rotate));
    }
    if let Err(weakness) = (kind.check)(entry.value.expose()) {
        found.push(of(name, format!("{weakness}; {} is the least", kind.minimum), &*rotate));
    }
    if let Some(previous) = &entry.previous
        && entry.overlap(now).is_none()
    {
        found.push(of(
            name,
            format!("the value before stopped to count at {} and is still kept", shown(previous.until)),
            format!("mps secrets drop-previous {name}, then render anew for whatever was handed both"),
        ));
    }
    found
}

fn unknown(document: &Document) -> impl Iterator<Item = Finding> {
    let names = document.iter().map(|(name, _)| name).filter(|name| Kind::find(name).is_none());
    names.map(|name| {
        of(
            name,
            "mps knows no such secret, and hands it to nobody",
            format!("mps secrets remove {name} --yes"),
        )
    })
}

/// Whoever is given the one would have the other.
fn same_twice(document: &Document) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, entry) in document.iter() {
        let mut others = document.iter().filter(|(other, _)| *other < name);
        if let Some((other, _)) = others.find(|(_, other)| other.value == entry.value) {
            found.push(of(name, format!("it is the same as {other}"), format!("mps secrets rotate {name}")));
        }
    }
    found
}

/// A key that is a token is worth what its signature is.
fn signed_key(document: &Document, now: DateTime<Utc>) -> Option<Finding> {
    let token = ServiceToken::parse(document.get(SECRET_KEY)?.value.expose())?;
    let fix = format!(
        "sign a token of the role service_role with {JWT_SECRET}, then mps secrets rotate {SECRET_KEY}"
    );
    let finding = |what: String| Some(of(SECRET_KEY, what, fix.clone()));
    if let Some(end) = token.expires_at().filter(|end| *end < now + ENDS_SOON) {
        return finding(format!("it is a token that ends at {}", shown(end)));
    }
    let secret = document.get(JWT_SECRET)?;
    if token.is_signed_by(secret.value.expose()) {
        return None;
    }
    match secret.overlap(now) {
        Some(previous) if token.is_signed_by(previous.value.expose()) => finding(format!(
            "it is a token of the former {JWT_SECRET}, which stops to count at {}",
            shown(previous.until)
        )),
        _ => finding(format!("it is a token that {JWT_SECRET} did not sign")),
    }
}
