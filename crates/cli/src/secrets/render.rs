//! The secrets as each engine reads them.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use base64ct::{Base64, Base64UrlUnpadded};
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::catalog::{DATABASE_PASSWORD, JWT_SECRET, KINDS, Need};
use super::document::Document;
use super::strength::base64_of_pem;
use super::value::{Secret, SecretText};
use crate::config::Config;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Lines of NAME='value', as systemd's EnvironmentFile and `mps serve --env-file` read them
    Env,
    /// A Secret for `kubectl apply --server-side -f -`
    Kubernetes,
    /// JSON for `wrangler secret bulk`
    Cloudflare,
    /// `PGRST_JWT_SECRET` for PostgREST, with the former secret while the two overlap
    Postgrest,
}

/// No rendering is longer.
const TEXT_BYTES: usize = 1 << 17;

/// What the edge is handed beside its configuration: what this configuration uses, and the value before while two overlap.
pub(crate) fn variables(
    config: &Config,
    document: &Document,
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, Secret>> {
    let mut all = BTreeMap::new();
    let mut missing = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.is_for_edge) {
        let need = (kind.need)(config);
        match document.get(kind.name).filter(|_| need != Need::Unused) {
            Some(entry) => {
                all.insert(kind.name.to_owned(), entry.value.clone());
                if kind.overlap_hours.is_some()
                    && let Some(previous) = entry.overlap(now)
                {
                    all.insert(kind.previous_name(), previous.value.clone());
                }
            }
            None if need == Need::Required => missing.push(kind.name),
            None => {}
        }
    }
    if !missing.is_empty() {
        bail!("not set: {}; `mps secrets set NAME` takes each", missing.join(", "));
    }
    Ok(all)
}

pub(crate) fn render(
    engine: Engine,
    config: &Config,
    document: &Document,
    now: DateTime<Utc>,
    is_json: bool,
) -> Result<SecretText> {
    let mut text = SecretText::with_room_for(TEXT_BYTES);
    match engine {
        Engine::Env => lines(&mut text, "the edge's secrets", &variables(config, document, now)?, is_json)?,
        Engine::Postgrest => lines(&mut text, "PostgREST's secrets", &postgrest(document, now)?, is_json)?,
        Engine::Kubernetes => text.json(&secret_manifest(&variables(config, document, now)?))?,
        Engine::Cloudflare => text.json(&bulk(&variables(config, document, now)?))?,
    }
    Ok(text)
}

fn lines(text: &mut SecretText, whose: &str, all: &BTreeMap<String, Secret>, is_json: bool) -> Result<()> {
    if is_json {
        return text.json(all);
    }
    text.line(&["# ", whose, ", by `mps secrets render`. Keep it with mode 0600."]);
    for (name, value) in all {
        let value = on_one_line(name, value)?;
        text.line(&[name, "=", &quoted(&value)]);
    }
    Ok(())
}

/// Of a PEM its base64 alone, which the edge takes as well: not every reader of such lines goes on over a line end.
fn on_one_line(name: &str, value: &Secret) -> Result<Zeroizing<String>> {
    let text = value.expose();
    if text.starts_with("-----")
        && let Some(line) = base64_of_pem(text)
    {
        return Ok(line);
    }
    if text.contains(['\n', '\r', '\0']) {
        bail!("{name} has more than one line, which no such file can hold");
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// As a shell reads it, and systemd: between single quotes everything is itself. With one inside, between double quotes, where four
/// characters want a backslash.
fn quoted(value: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * value.len() + 2));
    if value.contains('\'') {
        text.push('"');
        for character in value.chars() {
            if matches!(character, '"' | '\\' | '$' | '`') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    } else {
        text.push('\'');
        text.push_str(value);
        text.push('\'');
    }
    text
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretManifest<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(rename = "type")]
    of: &'static str,
    metadata: serde_json::Value,
    /// And not `stringData`: of that, a key that is rendered no more would stay in the cluster.
    data: BTreeMap<&'a String, Secret>,
}

fn secret_manifest(all: &BTreeMap<String, Secret>) -> SecretManifest<'_> {
    SecretManifest {
        api_version: "v1",
        kind: "Secret",
        of: "Opaque",
        metadata: json!({"name": "mps-edge", "labels": {"app.kubernetes.io/name": "mps-edge"}}),
        data: all.iter().map(|(name, value)| (name, value.encoded::<Base64>())).collect(),
    }
}

/// A secret that is null is deleted: a former value whose overlap is over must go.
fn bulk(all: &BTreeMap<String, Secret>) -> BTreeMap<String, Option<Secret>> {
    let former = KINDS.iter().filter(|kind| kind.is_for_edge && kind.overlap_hours.is_some());
    let mut bulk: BTreeMap<String, Option<Secret>> =
        former.map(|kind| (kind.previous_name(), None)).collect();
    bulk.extend(all.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
    bulk
}

/// RFC 7517.
#[derive(Serialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    kty: &'static str,
    #[serde(rename = "use")]
    for_: &'static str,
    alg: &'static str,
    k: Secret,
}

/// PostgREST takes a set of keys where it takes a secret, and a token that any of them signed.
fn postgrest(document: &Document, now: DateTime<Utc>) -> Result<BTreeMap<String, Secret>> {
    let Some(entry) = document.get(JWT_SECRET) else {
        bail!("{JWT_SECRET} is not set: PostgREST has nothing to verify tokens by");
    };
    let values = std::iter::once(&entry.value).chain(entry.overlap(now).map(|previous| &previous.value));
    let keys = values.map(|value| Key {
        kty: "oct",
        for_: "sig",
        alg: "HS256",
        k: value.encoded::<Base64UrlUnpadded>(),
    });
    let set = Secret::of_json(&KeySet { keys: keys.collect() })?;
    let mut all = BTreeMap::from([("PGRST_JWT_SECRET".to_owned(), set)]);
    // libpq's own variable: the password is then in no address.
    all.extend(document.get(DATABASE_PASSWORD).map(|entry| ("PGPASSWORD".to_owned(), entry.value.clone())));
    Ok(all)
}
