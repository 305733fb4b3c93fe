//! `mps secrets init`: the identity, the store, and what can be generated. It may be run again: nothing is overwritten.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::catalog::{KINDS, Kind, Need};
use super::document::Document;
use super::store::{IfMissing, Store};
use super::value::Secret;
use crate::config::Config;
use crate::output::Output;

pub(crate) fn run(config: &Config, store: &Store, now: DateTime<Utc>, output: &Output) -> Result<()> {
    let made = store.prepare()?;
    let (generated, missing) = store.update(IfMissing::Create, |document| {
        let generated = generate(config, document, now)?;
        Ok((generated, missing(config, document)))
    })?;
    let json = json!({
        "store": store.place(),
        "identity": made.identity, "recipient": made.recipient,
        "generated": generated, "missing": missing.iter().map(|kind| kind.name).collect::<Vec<_>>(),
    });
    output.result(&json, || {
        let mut lines = vec![format!("secrets are kept in {}", store.place())];
        if let (Some(identity), Some(recipient)) = (&made.identity, &made.recipient) {
            lines.push(format!(
                "made the identity {identity} ({recipient}).\n  Keep a copy of it off this machine: without it nobody opens the store, and with \
                 it everybody does."
            ));
        }
        lines.push(match generated.as_slice() {
            [] => "nothing had to be generated".to_owned(),
            names => format!("generated {}", names.join(", ")),
        });
        lines.extend(missing.iter().map(|kind| {
            format!("missing: {}, {} ({})\n  mps secrets set {}", kind.name, kind.purpose, kind.minimum, kind.name)
        }));
        lines.join("\n")
    });
    Ok(())
}

/// Of what this configuration needs; a password of the database, say, is nobody's who has not asked for one.
fn generate(config: &Config, document: &mut Document, now: DateTime<Utc>) -> Result<Vec<&'static str>> {
    let mut generated = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.is_generated() && (kind.need)(config) == Need::Required) {
        if document.get(kind.name).is_none() {
            document.set(kind.name, Secret::generate()?, now);
            generated.push(kind.name);
        }
    }
    Ok(generated)
}

fn missing(config: &Config, document: &Document) -> Vec<&'static Kind> {
    let is_missing =
        |kind: &&Kind| (kind.need)(config) == Need::Required && document.get(kind.name).is_none();
    KINDS.iter().filter(is_missing).collect()
}
