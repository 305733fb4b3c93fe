//! The configuration as each engine reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use http::Uri;

use super::model::{Config, Database, Environment, RateLimit};
use super::reference;
use crate::secrets::names_for_edge;

/// The Worker's own description, whose variables are ours to say.
const WRANGLER: &str = include_str!("../../../../edge/wrangler.toml");

/// The JSON Schema of the configuration.
pub(crate) fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(Config)).unwrap_or_default()
}

/// The page of the configuration's keys.
pub(crate) fn reference() -> String {
    reference::markdown(schemars::schema_for!(Config).as_value())
}

/// The edge's variables, by the names of edge/README.md; what is left out has the edge's own default.
pub(crate) fn variables(config: &Config) -> BTreeMap<&'static str, String> {
    let Config { app, supabase, security, providers, features, .. } = config;
    let mut all = BTreeMap::from([
        ("SUPABASE_URL", supabase.url.clone()),
        ("SUPABASE_PUBLISHABLE_KEY", supabase.publishable_key.clone()),
        ("JWT_AUDIENCE", supabase.jwt_audience.clone()),
        ("RATE_LIMIT_USER", quota(security.rate_limit)),
        ("RATE_LIMIT_PAYMENT", quota(security.payment_rate_limit)),
        ("RATE_LIMIT_ADDRESS", quota(security.address_rate_limit)),
        ("REQUESTS_IN_FLIGHT", security.requests_in_flight.to_string()),
        ("CORS_ALLOWED_ORIGINS", security.cors.origin.join(",")),
        ("CODE_TTL_SECONDS", features.qr_rotation.default_ttl.to_string()),
        ("ATTEMPTS_MAX", features.payment_retry.max_attempts.to_string()),
        ("AUDIT_RETENTION_DAYS", features.audit_logging.retention_days.to_string()),
        ("LOG_LEVEL", app.log_level.as_str().to_owned()),
    ]);
    let mut said = |name, value: &Option<String>| {
        if let Some(value) = value {
            all.insert(name, value.clone());
        }
    };
    said("SUPABASE_REST_URL", &supabase.rest_url);
    said("SUPABASE_JWKS_URL", &supabase.jwks_url);
    said("JWT_ISSUER", &supabase.jwt_issuer);
    said("TRUSTED_ADDRESS_HEADER", &security.trusted_address_header);
    said("PUBLIC_URL", &app.public_url);
    if let Some(wechat) = &providers.wechat {
        all.insert("WECHAT_MCHID", wechat.mchid.clone());
        all.insert("WECHAT_APPID", wechat.appid.clone());
        all.insert("WECHAT_SERIAL_NO", wechat.serial_no.clone());
        all.insert("WECHAT_PUBLIC_KEYS", wechat.public_keys.clone());
    }
    if let Some(alipay) = &providers.alipay {
        all.insert("ALIPAY_APP_ID", alipay.app_id.clone());
        all.insert("ALIPAY_SELLER_ID", alipay.seller_id.clone());
        all.insert("ALIPAY_PUBLIC_KEYS", alipay.public_keys.clone());
    }
    all
}

fn quota(limit: RateLimit) -> String {
    format!("{}/{}", limit.max_requests, limit.window_ms / 1000)
}

/// Lines that systemd, compose and the shell-less readers of such files take alike: nothing in them is quoted.
pub(crate) fn environment(config: &Config) -> Result<String> {
    let mut text = format!(
        "# {}: the edge's variables, without its secrets ({}).\n",
        config.app.name,
        names_for_edge().join(", ")
    );
    for (name, value) in variables(config) {
        if value.contains(['\n', '\r']) {
            bail!("{name} has more than one line, which no such file can hold");
        }
        let _ = writeln!(text, "{name}={value}");
    }
    Ok(text)
}

/// What PostgREST is told beside its secrets: who asks without a token, what is published, and its connections.
pub(crate) fn postgrest(config: &Config) -> String {
    let Database { pool_size, timeout } = config.database;
    format!(
        "# {}: PostgREST's variables, without its secrets.\nPGRST_DB_SCHEMAS=public\nPGRST_DB_ANON_ROLE=anon\n\
         PGRST_DB_POOL={pool_size}\nPGRST_DB_POOL_ACQUISITION_TIMEOUT={}\n",
        config.app.name,
        timeout / 1000
    )
}

/// wrangler.toml with its `[vars]`: one Worker an environment, reached at its public address only.
pub(crate) fn wrangler(config: &Config) -> Result<String> {
    let header = config.security.trusted_address_header.as_deref().unwrap_or_default();
    if config.proxy.is_some() || !header.eq_ignore_ascii_case("cf-connecting-ip") {
        bail!(
            "on Cloudflare there is no `proxy`, and security.trusted_address_header is CF-Connecting-IP: any other header \
             there is written by the client"
        );
    }
    let mut worker: toml::Table = WRANGLER.parse().context("edge/wrangler.toml is malformed")?;
    let mut set = |key: &str, value: toml::Value| worker.insert(key.to_owned(), value);
    set("name", worker_name(config.app.environment).into());
    if let Some(host) = custom_domain(config) {
        let route = toml::Table::from_iter([
            ("pattern".to_owned(), host.into()),
            ("custom_domain".to_owned(), true.into()),
        ]);
        set("routes", vec![route].into());
        set("workers_dev", false.into());
    }
    let vars: toml::Table =
        variables(config).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    set("vars", vars.into());
    let secrets = names_for_edge().join(", ");
    Ok(format!(
        "# {}: by `mps config render`. Secrets come by `mps secrets render --for cloudflare`: {secrets}.\n{}",
        config.app.name,
        toml::to_string(&worker).context("it cannot be written")?
    ))
}

/// Two environments in one account are two Workers, or the second would replace the first.
fn worker_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "mps-edge-development",
        Environment::Staging => "mps-edge-staging",
        Environment::Production => "mps-edge",
    }
}

/// The host that people and providers reach it at; none when that is Cloudflare's own name for it.
fn custom_domain(config: &Config) -> Option<String> {
    let url: Uri = config.app.public_url.as_ref()?.parse().ok()?;
    url.host().filter(|host| !host.ends_with(".workers.dev")).map(str::to_owned)
}

/// A `ConfigMap` in JSON, which is YAML.
pub(crate) fn config_map(config: &Config) -> String {
    let map = serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "mps-edge", "labels": {"app.kubernetes.io/name": "mps-edge"}},
        "data": variables(config),
    });
    format!("{map:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::secrets::former_names_for_edge;

    const WORKERD: &str = include_str!("../../../../edge/workerd.capnp");
    /// Tests only: where a provider is played.
    const OF_TESTS: &[&str] = &["WECHAT_BASE_URL", "ALIPAY_GATEWAY_URL"];

    fn of(environment: &str) -> Result<Config> {
        Config::parse(match environment {
            "development" => include_str!("../../../../deploy/config/environments/development.yml"),
            "staging" => include_str!("../../../../deploy/config/environments/staging.yml"),
            _ => include_str!("../../../../deploy/config/environments/production.yml"),
        })
    }

    #[test]
    fn every_environment_is_right_and_renders() -> Result<()> {
        for name in ["development", "staging", "production"] {
            let config = of(name)?;
            assert!(check::findings(&config).is_empty(), "{name}");
            let told = environment(&config)?;
            for (variable, value) in variables(&config) {
                assert!(told.contains(&format!("\n{variable}={value}\n")), "{name} {variable}");
            }
            let map: serde_json::Value = serde_json::from_str(&config_map(&config))?;
            assert_eq!(map["data"]["RATE_LIMIT_USER"], "1000/60");
        }
        Ok(())
    }

    #[test]
    fn a_worker_has_its_environments_name_and_variables_and_is_reached_at_its_public_address() -> Result<()> {
        let mut config = of("staging")?;
        let worker: toml::Table = wrangler(&config)?.parse()?;
        let whole: toml::Table = WRANGLER.parse()?;
        assert_eq!(worker["triggers"], whole["triggers"]);
        assert_eq!(worker["name"].as_str(), Some("mps-edge-staging"));
        assert_eq!(worker["vars"]["SUPABASE_URL"].as_str(), Some(config.supabase.url.as_str()));
        assert_eq!(worker["routes"][0]["pattern"].as_str(), Some("api.staging.mps.example.com"));
        assert_eq!(worker["routes"][0]["custom_domain"].as_bool(), Some(true));
        assert_eq!(worker["workers_dev"].as_bool(), Some(false));
        config.app.public_url = Some("https://mps-edge.example.workers.dev".to_owned());
        let worker: toml::Table = wrangler(&config)?.parse()?;
        assert!(!worker.contains_key("routes") && !worker.contains_key("workers_dev"));
        Ok(())
    }

    #[test]
    fn postgrest_has_the_databases_keys() -> Result<()> {
        let mut config = of("production")?;
        config.database = Database { pool_size: 7, timeout: 2000 };
        let text = postgrest(&config);
        for line in ["PGRST_DB_POOL=7", "PGRST_DB_POOL_ACQUISITION_TIMEOUT=2", "PGRST_DB_ANON_ROLE=anon"] {
            assert!(text.lines().any(|told| told == line), "{line}");
        }
        Ok(())
    }

    #[test]
    fn what_runs_behind_nginx_is_refused_for_cloudflare() -> Result<()> {
        assert!(wrangler(&of("production")?).is_err(), "it has a proxy");
        let mut config = of("staging")?;
        config.security.trusted_address_header = Some("X-Real-IP".to_owned());
        assert!(wrangler(&config).is_err(), "clients could write that header");
        config.security.trusted_address_header = None;
        assert!(wrangler(&config).is_err(), "all strangers would share one limit");
        Ok(())
    }

    /// A variable that the edge reads is a key of the configuration or a secret: nothing else can be said to it.
    #[test]
    fn all_that_the_edge_reads_is_a_key_or_a_secret() -> Result<()> {
        let read: Vec<&str> = WORKERD
            .lines()
            .filter_map(|line| line.trim().split("fromEnvironment = \"").nth(1)?.split('"').next())
            .collect();
        let mut config = of("production")?;
        let said = || Some("https://x.example".to_owned());
        (config.supabase.rest_url, config.supabase.jwks_url, config.supabase.jwt_issuer) =
            (said(), said(), said());
        config.providers = serde_json::from_str(
            r#"{"wechat": {"mchid": "1", "appid": "2", "serial_no": "3", "public_keys": "4"},
                "alipay": {"app_id": "1", "seller_id": "2", "public_keys": "3"}}"#,
        )?;
        let keys = variables(&config);
        let (secrets, former) = (names_for_edge(), former_names_for_edge());
        for name in &read {
            let is_known = keys.contains_key(name)
                || secrets.contains(name)
                || former.iter().any(|former| former == name)
                || OF_TESTS.contains(name);
            assert!(is_known, "{name}");
        }
        let former = former.iter().map(String::as_str);
        for name in keys.keys().chain(&secrets).copied().chain(former) {
            assert!(read.contains(&name), "{name}");
        }
        Ok(())
    }

    #[test]
    fn the_committed_schema_is_that_of_the_keys() {
        let committed = include_str!("../../../../deploy/config/schema.json");
        assert_eq!(committed.trim_end(), schema(), "run `mps config schema > deploy/config/schema.json`");
    }

    #[test]
    fn a_value_of_two_lines_is_refused_where_a_line_is_a_variable() -> Result<()> {
        let mut config = of("production")?;
        config.supabase.jwt_issuer = Some("a\nOPS_TOKEN=x".to_owned());
        assert!(environment(&config).is_err());
        Ok(())
    }
}
