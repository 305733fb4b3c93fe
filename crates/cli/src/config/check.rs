//! What is wrong with a configuration whose types are right, by the name of the key.

use std::fmt;

use http::Uri;
use mps_core::limits::{code, edge};
use serde::Serialize;

use super::model::{Config, Environment, Proxy, Rate, RateLimit, Secrets, SecretsFile, SecretsVault};

/// A key and what to do about it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) key: String,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Pages of an app have a scheme of their own.
const APPS: [&str; 3] = ["capacitor://localhost", "ionic://localhost", "tauri://localhost"];

struct Check {
    is_production: bool,
    findings: Vec<Finding>,
}

/// All that is wrong with it.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let mut check =
        Check { is_production: config.app.environment == Environment::Production, findings: Vec::new() };
    // It becomes a comment of what is rendered.
    check.that(!config.app.name.contains(char::is_control), "app.name", "one line");
    check.supabase(config);
    check.database_and_features(config);
    check.security(config);
    check.providers(config);
    if let Some(proxy) = &config.proxy {
        check.proxy(proxy);
        let header = config.security.trusted_address_header.as_deref();
        check.that(
            header.is_some_and(|header| header.eq_ignore_ascii_case("x-real-ip")),
            "security.trusted_address_header",
            "behind our nginx it is X-Real-IP; without it all unauthenticated clients share one limit",
        );
    }
    check.secrets(config);
    check.no_secret(config);
    check.findings
}

/// What keeps the secrets from being found.
pub(crate) fn findings_of_secrets(config: &Config) -> Vec<Finding> {
    let mut check = Check { is_production: false, findings: Vec::new() };
    check.secrets(config);
    check.findings
}

/// What begins so is a secret: Supabase's, Vault's tokens, age's identities.
const SECRET_BEGINNINGS: [&str; 4] = ["sb_secret_", "hvs.", "hvb.", "AGE-SECRET-KEY-"];

/// OpenBao's tokens: `s.` and 24 letters and digits.
fn is_openbao_token(text: &str) -> bool {
    text.strip_prefix("s.")
        .is_some_and(|rest| rest.len() == 24 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

impl Check {
    fn that(&mut self, is_right: bool, key: &str, what: &str) {
        if !is_right {
            self.findings.push(Finding { key: key.to_owned(), what: what.to_owned() });
        }
    }

    fn supabase(&mut self, config: &Config) {
        let supabase = &config.supabase;
        self.address("supabase.url", &supabase.url);
        let has_path = supabase.url.parse::<Uri>().is_ok_and(|uri| uri.path() != "/");
        self.that(!has_path, "supabase.url", "an address without a path");
        if let Some(url) = &supabase.rest_url {
            self.address("supabase.rest_url", url);
        }
        if let Some(url) = supabase.jwks_url.as_ref().filter(|url| *url != "off") {
            self.address("supabase.jwks_url", url);
        }
        self.that(!supabase.publishable_key.is_empty(), "supabase.publishable_key", "it is empty");
        self.that(!supabase.jwt_audience.is_empty(), "supabase.jwt_audience", "it is empty");
    }

    fn database_and_features(&mut self, config: &Config) {
        let Config { database, features, .. } = config;
        let is_whole = database.timeout.is_multiple_of(1000) && (1..=10).contains(&(database.timeout / 1000));
        self.that((1..=1000).contains(&database.pool_size), "database.pool_size", "1 to 1000");
        self.that(is_whole, "database.timeout", "whole seconds, from 1000 to 10000");
        let ttl = features.qr_rotation.default_ttl;
        let lifetimes = code::LIFETIME_SECONDS_MIN..=code::LIFETIME_SECONDS_MAX;
        self.that(lifetimes.contains(&ttl), "features.qr_rotation.default_ttl", "60 to 86400 seconds");
        let attempts = 1..=edge::ATTEMPTS_MAX;
        self.that(
            attempts.contains(&features.payment_retry.max_attempts),
            "features.payment_retry.max_attempts",
            "1 to 3",
        );
        self.that(
            (edge::AUDIT_DAYS_MIN..=edge::AUDIT_DAYS_MAX).contains(&features.audit_logging.retention_days),
            "features.audit_logging.retention_days",
            "2555 to 36500: the database keeps seven years whatever is said here",
        );
    }

    fn security(&mut self, config: &Config) {
        let security = &config.security;
        for (key, limit) in [
            ("security.rate_limit", security.rate_limit),
            ("security.payment_rate_limit", security.payment_rate_limit),
            ("security.address_rate_limit", security.address_rate_limit),
        ] {
            self.limit(key, limit);
        }
        self.that(
            (1..=edge::REQUESTS_IN_FLIGHT_MAX).contains(&security.requests_in_flight),
            "security.requests_in_flight",
            "1 to 10000",
        );
        self.that(
            !security.cors.credentials,
            "security.cors.credentials",
            "there are no cookies here, so it has no effect: leave it out",
        );
        for origin in &security.cors.origin {
            self.origin("security.cors.origin", origin);
        }
    }

    /// What browsers send of a page: no path, or the edge refuses it at its start, and nginx reads on in it.
    fn origin(&mut self, key: &str, text: &str) {
        if APPS.contains(&text) {
            return;
        }
        if text == "*" {
            return self.that(false, key, "name each origin: * would let any page read answers");
        }
        let authority = text.split_once("://").map_or(text, |(_, authority)| authority);
        let is_authority =
            authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte));
        self.that(is_authority, key, &format!("{text} is more than a scheme, a host and a port"));
        self.address(key, text);
    }

    fn limit(&mut self, key: &str, limit: RateLimit) {
        let seconds = limit.window_ms / 1000;
        let is_whole =
            limit.window_ms.is_multiple_of(1000) && (1..=edge::RATE_WINDOW_SECONDS_MAX).contains(&seconds);
        self.that(is_whole, &format!("{key}.window_ms"), "whole seconds, from 1000 to 3600000");
        self.that(
            (1..=edge::RATE_REQUESTS_MAX).contains(&limit.max_requests),
            &format!("{key}.max_requests"),
            "1 to 1000000",
        );
    }

    fn providers(&mut self, config: &Config) {
        let has_provider = config.providers.wechat.is_some() || config.providers.alipay.is_some();
        match &config.app.public_url {
            Some(url) => self.address("app.public_url", url),
            None => self.that(
                !has_provider,
                "app.public_url",
                "providers must reach it: where they send their notices",
            ),
        }
    }

    fn proxy(&mut self, proxy: &Proxy) {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        };
        self.that(is_name(&proxy.host), "proxy.host", "one host's name, as in its certificate");
        self.that(!proxy.edges.is_empty(), "proxy.edges", "at least one, as host:port");
        for edge in &proxy.edges {
            let is_edge = edge
                .rsplit_once(':')
                .is_some_and(|(host, port)| is_name(host) && port.parse::<u16>().is_ok());
            self.that(is_edge, "proxy.edges", &format!("{edge} is no host:port"));
        }
        let mut edges = proxy.edges.clone();
        edges.sort();
        edges.dedup();
        self.that(edges.len() == proxy.edges.len(), "proxy.edges", "one is named twice");
        for (key, text) in [
            ("proxy.http_listen", &proxy.http_listen),
            ("proxy.https_listen", &proxy.https_listen),
            ("proxy.certificate", &proxy.certificate),
            ("proxy.certificate_key", &proxy.certificate_key),
            ("proxy.acme_root", &proxy.acme_root),
            ("proxy.site_root", &proxy.site_root),
            ("proxy.site_config", &proxy.site_config),
            ("proxy.maintenance_file", &proxy.maintenance_file),
            ("proxy.pid_file", &proxy.pid_file),
            ("proxy.log_file", &proxy.log_file),
        ] {
            // It becomes a word of nginx's own language.
            let is_word = !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.:_-[]*".contains(&byte));
            self.that(is_word, key, "letters, digits and / . : _ - only");
        }
        for (key, Rate { per_second, burst }) in
            [("proxy.api", proxy.api), ("proxy.payment", proxy.payment), ("proxy.address", proxy.address)]
        {
            self.that(per_second > 0 && burst > 0, key, "per_second and burst are at least 1");
        }
    }

    fn secrets(&mut self, config: &Config) {
        match &config.secrets {
            None => {}
            Some(Secrets::File(file)) => self.secrets_file(file),
            Some(Secrets::Vault(vault)) => self.secrets_vault(vault),
        }
    }

    fn secrets_file(&mut self, file: &SecretsFile) {
        self.path("secrets.path", &file.path);
        self.path("secrets.identity", &file.identity);
        self.that(file.path != file.identity, "secrets.identity", "it is the path of what it opens");
        for recipient in &file.recipients {
            let is_key = recipient.parse::<age::x25519::Recipient>().is_ok();
            self.that(is_key, "secrets.recipients", &format!("{recipient} is no public key of age (age1…)"));
        }
    }

    fn secrets_vault(&mut self, vault: &SecretsVault) {
        let uri = vault.address.parse::<Uri>().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let scheme = uri.as_ref().and_then(Uri::scheme_str).unwrap_or_default();
        // An agent of Vault's on this machine speaks plain HTTP; over a network a token would be there to read.
        let is_safe = scheme == "https" || (scheme == "http" && THIS_MACHINE.contains(&host));
        self.that(
            is_safe && !host.is_empty() && uri.is_some_and(|uri| uri.path() == "/" && uri.query().is_none()),
            "secrets.address",
            "https://host:port without a path; http only to this machine",
        );
        for (key, text) in [
            ("secrets.mount", &vault.mount),
            ("secrets.path", &vault.path),
            ("secrets.approle_mount", &vault.approle_mount),
        ] {
            // It becomes a part of an address.
            let is_segment = |segment: &str| {
                !segment.is_empty()
                    && !segment.ends_with('.')
                    && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            };
            self.that(text.split('/').all(is_segment), key, "names of letters, digits and . _ - between /");
        }
        let is_name = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        self.that(vault.namespace.as_ref().is_none_or(is_name), "secrets.namespace", "a name, as ns1/ns2");
        for (key, path) in [
            ("secrets.ca_file", &vault.ca_file),
            ("secrets.token_file", &vault.token_file),
            ("secrets.secret_id_file", &vault.secret_id_file),
        ] {
            if let Some(path) = path {
                self.path(key, path);
            }
        }
        let has_one_way = match (&vault.token_file, &vault.role_id, &vault.secret_id_file) {
            (Some(_), None, None) => true,
            (None, Some(role_id), Some(_)) => is_name(role_id),
            _ => false,
        };
        self.that(has_one_way, "secrets.token_file", "either token_file, or role_id and secret_id_file");
    }

    /// One that means the same wherever a program was started.
    fn path(&mut self, key: &str, text: &str) {
        self.that(text.starts_with('/') && !text.ends_with('/'), key, "a whole path, as /etc/mps/name");
    }

    /// http or https with a host; in production https, and none that is this machine only.
    fn address(&mut self, key: &str, text: &str) {
        let uri = text.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let host = uri.as_ref().and_then(|uri| uri.host()).unwrap_or_default();
        self.that(!host.is_empty(), key, &format!("{text} is no address of the web"));
        if self.is_production && !host.is_empty() {
            self.that(text.starts_with("https://"), key, "production is reached by https");
            let is_own = THIS_MACHINE.contains(&host);
            self.that(!is_own, key, "in production it is not this machine");
        }
    }

    /// Whatever looks like one has been written into the wrong file.
    fn no_secret(&mut self, config: &Config) {
        let value = serde_json::to_value(config).unwrap_or_default();
        let mut texts = Vec::new();
        strings("", &value, &mut texts);
        for (key, text) in texts {
            let is_secret = SECRET_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
                || is_openbao_token(&text)
                || text.contains("PRIVATE KEY")
                || (text.starts_with("eyJ")
                    && text.matches('.').count() == 2
                    && !key.ends_with("publishable_key"));
            self.that(
                !is_secret,
                &key,
                "a secret: hand it to the edge as a variable of its own, and change it now",
            );
        }
    }
}

fn strings(key: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        serde_json::Value::String(text) => found.push((key.to_owned(), text.clone())),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(key, item, found)),
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| strings(&below(name), field, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCTION: &str = include_str!("../../../../deploy/config/environments/production.yml");
    const STAGING: &str = include_str!("../../../../deploy/config/environments/staging.yml");

    /// What is said of production after one text of it is another.
    fn said(from: &str, to: &str) -> Vec<String> {
        said_of(PRODUCTION, from, to)
    }

    fn said_of(text: &str, from: &str, to: &str) -> Vec<String> {
        assert!(text.contains(from), "{from}");
        match Config::parse(&text.replacen(from, to, 1)) {
            Ok(config) => findings(&config).into_iter().map(|finding| finding.key).collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn each_fault_is_named_by_its_key() {
        for (from, to, key) in [
            ("  url: https://", "  url: http://", "supabase.url"),
            (
                "url: https://your-project.supabase.co",
                "url: https://your-project.supabase.co/rest",
                "supabase.url",
            ),
            ("url: https://your-project.supabase.co", "url: https://localhost", "supabase.url"),
            ("publishable_key: sb_publishable_", "publishable_key: sb_secret_", "supabase.publishable_key"),
            ("window_ms: 60000", "window_ms: 1500", "security.rate_limit.window_ms"),
            ("max_requests: 1000", "max_requests: 0", "security.rate_limit.max_requests"),
            ("requests_in_flight: 32", "requests_in_flight: 0", "security.requests_in_flight"),
            ("pool_size: 20", "pool_size: 0", "database.pool_size"),
            ("timeout: 4000", "timeout: 30000", "database.timeout"),
            ("default_ttl: 900", "default_ttl: 59", "features.qr_rotation.default_ttl"),
            ("max_attempts: 3", "max_attempts: 4", "features.payment_retry.max_attempts"),
            ("retention_days: 2555", "retention_days: 365", "features.audit_logging.retention_days"),
            ("name: MPS Production", "name: \"MPS\\nOPS_TOKEN=x\"", "app.name"),
            ("- https://app.mps.example.com", "- \"*\"", "security.cors.origin"),
            ("- https://app.mps.example.com", "- https://app.mps.example.com/pay", "security.cors.origin"),
            ("- https://app.mps.example.com", "- \"https://a.example;evil\"", "security.cors.origin"),
            ("- https://app.mps.example.com", "- http://app.mps.example.com", "security.cors.origin"),
            (
                "- https://app.mps.example.com",
                "- https://app.mps.example.com\n    credentials: true",
                "security.cors.credentials",
            ),
            (
                "trusted_address_header: X-Real-IP",
                "trusted_address_header: X-Forwarded-For",
                "security.trusted_address_header",
            ),
            ("public_url: https://", "public_url: ftp://", "app.public_url"),
            ("host: api.mps.example.com", "host: api.mps.example.com; evil", "proxy.host"),
            ("certificate: /etc", "certificate: \"/etc; include /tmp/x;\" #", "proxy.certificate"),
            ("- 127.0.0.1:8788", "- 127.0.0.1:8787", "proxy.edges"),
            ("- 127.0.0.1:8788", "- 127.0.0.1", "proxy.edges"),
        ] {
            assert_eq!(said(from, to), [key], "{from} → {to}");
        }
    }

    #[test]
    fn each_fault_of_where_secrets_are_kept_is_named_by_its_key() {
        for (from, to, key) in [
            ("path: /etc/mps/secrets.age", "path: secrets.age", "secrets.path"),
            ("identity: /etc/mps/identity.txt", "identity: identity.txt", "secrets.identity"),
            ("identity: /etc/mps/identity.txt", "identity: /etc/mps/secrets.age", "secrets.identity"),
            ("  store: file\n", "  store: file\n  recipients: [age1x]\n", "secrets.recipients"),
        ] {
            assert_eq!(said(from, to), [key], "{from} → {to}");
        }
        let name = "role_id: 5f9a1f2c-1c53-4f7e-9a55-0f4d5d1f3b11";
        for (from, to, key) in [
            ("address: https", "address: http", "secrets.address"),
            ("vault.example.com:8200", "vault.example.com:8200/v1", "secrets.address"),
            ("vault.example.com:8200", "vault.example.com?x", "secrets.address"),
            ("address: https://vault", "address: ftp://vault", "secrets.address"),
            ("path: mps/staging", "path: mps//staging", "secrets.path"),
            ("path: mps/staging", "path: mps/..", "secrets.path"),
            ("path: mps/staging", "path: \"mps?staging\"", "secrets.path"),
            ("path: mps/staging", "path: mps\n  mount: /secret", "secrets.mount"),
            ("path: mps/staging", "path: mps\n  approle_mount: a b", "secrets.approle_mount"),
            ("path: mps/staging", "path: mps\n  namespace: a b", "secrets.namespace"),
            ("path: mps/staging", "path: mps\n  ca_file: ca.pem", "secrets.ca_file"),
            ("path: mps/staging", "path: mps\n  token_file: /etc/mps/token", "secrets.token_file"),
            ("/etc/mps/vault-secret-id", "vault-secret-id", "secrets.secret_id_file"),
            (name, "role_id: \"\"", "secrets.token_file"),
            (name, "namespace: a", "secrets.token_file"),
            (name, "role_id: hvs.CAESIJ3l2k", "secrets.role_id"),
            (name, "role_id: s.3kQz8LmN0pRt5VwXy7ZaBcDe", "secrets.role_id"),
        ] {
            assert_eq!(said_of(STAGING, from, to), [key], "{from} → {to}");
        }
        let http =
            said_of(STAGING, "address: https://vault.example.com:8200", "address: http://127.0.0.1:8200");
        assert_eq!(http, [""; 0], "an agent on this machine");
        let unknown = said(" identity: ", " identiti: ").concat();
        assert!(unknown.contains("identiti"), "{unknown}");
    }

    #[test]
    fn an_identity_in_the_configuration_is_a_secret_in_the_wrong_place() {
        let identity = age::x25519::Identity::generate().to_string();
        let key = age::secrecy::ExposeSecret::expose_secret(&identity);
        let found = said("  store: file\n", &format!("  store: file\n  recipients: [{key}]\n"));
        assert!(found.contains(&"secrets.recipients".to_owned()), "{found:?}");
        let config = Config::parse(&PRODUCTION.replacen("name: MPS Production", &format!("name: {key}"), 1));
        let findings = findings(&config.unwrap());
        assert!(findings.len() == 1 && findings[0].what.contains("a secret"), "{findings:?}");
        assert!(!format!("{findings:?}").contains(key), "it is not repeated");
    }

    #[test]
    fn an_unknown_key_and_a_missing_one_are_named_with_their_line() {
        let unknown = said("requests_in_flight: 32", "request_in_flight: 32").concat();
        assert!(unknown.contains("request_in_flight") && unknown.contains("line"), "{unknown}");
        let missing = said("  environment: production\n", "").concat();
        assert!(missing.contains("environment"), "{missing}");
    }
}
