//! `mps secrets list`: names and times, never a value.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::catalog::{KINDS, Kind, Need};
use super::document::{Document, shown};
use crate::config::Config;
use crate::output::Output;

pub(crate) fn run(config: &Config, document: &Document, now: DateTime<Utc>, output: &Output) {
    let unknown = document.iter().map(|(name, _)| name).filter(|name| Kind::find(name).is_none());
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).chain(unknown).collect();
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for name in names {
        let kind = Kind::find(name);
        let Some(entry) = document.get(name) else {
            let need = kind.map_or(Need::Unused, |kind| (kind.need)(config));
            lines.push(format!(
                "{name:<20} {}",
                match need {
                    Need::Required => "missing",
                    Need::Optional => "not set, and need not be",
                    Need::Unused => "not set, and not used",
                }
            ));
            rows.push(json!({"name": name, "set_at": null, "is_missing": need == Need::Required}));
            continue;
        };
        let days = (now - entry.set_at).num_days();
        let overlap = entry.previous.as_ref().map(|previous| shown(previous.until));
        let is_over = overlap.is_some() && entry.overlap(now).is_none();
        let told = match (&overlap, is_over) {
            (None, _) => String::new(),
            (Some(until), false) => format!(", the value before counts until {until}"),
            (Some(until), true) => format!(", the value before stopped to count at {until}"),
        };
        lines.push(format!("{name:<20} set {}, {days} days ago{told}", shown(entry.set_at)));
        rows.push(json!({
            "name": name, "set_at": shown(entry.set_at), "age_days": days,
            "overlap_until": overlap, "overlap_is_over": is_over,
            "purpose": kind.map(|kind| kind.purpose),
        }));
    }
    output.result(&json!({"secrets": rows}), || lines.join("\n"));
}
