//! Every variable and secret: typed, documented, refused at start when wrong. The environment is read nowhere else.

mod choices;
mod providers;

use std::fmt;

use axum::http::{HeaderName, Uri};
use mps_client::ApiKey;
use mps_core::limits::edge;
use rsa::sha2::{Digest, Sha256};

use crate::limits::{LimitRules, Quota};
use crate::operator::OperatorTokens;

pub(crate) use self::choices::Choices;
pub(crate) use self::providers::ProviderConfig;

/// HMAC-SHA-256 wants a key at least as long as its output (RFC 7518, 3.2).
const JWT_SECRET_BYTES_MIN: usize = 32;

/// Where Supabase Auth publishes its keys, under the project's URL.
const JWKS_PATH: &str = "/auth/v1/.well-known/jwks.json";

/// Where Supabase has PostgREST, under the project's URL.
const REST_PATH: &str = "/rest/v1";

/// Long enough that guessing is hopeless.
const OPERATOR_TOKEN_BYTES_MIN: usize = 32;

/// More than a busy shop's back office has under way at once, and few enough that others hardly wait behind them.
const REQUESTS_IN_FLIGHT_DEFAULT: u32 = 32;

const JWT_AUDIENCE_DEFAULT: &str = "authenticated";

/// What the edge is told by who runs it.
pub(crate) struct Config {
    /// `SUPABASE_REST_URL`: where PostgREST is, without a trailing slash; that of the project at `SUPABASE_URL` when not set.
    pub(crate) rest_url: String,
    /// `SUPABASE_PUBLISHABLE_KEY`: goes with every call.
    pub(crate) publishable_key: ApiKey,
    /// `SUPABASE_SECRET_KEY`: for calls on our own behalf.
    pub(crate) secret_key: ApiKey,
    /// How access tokens are verified.
    pub(crate) tokens: TokenRules,
    /// `CORS_ALLOWED_ORIGINS`, separated by commas: the origins whose pages may read our answers.
    pub(crate) allowed_origins: Vec<String>,
    /// How much one caller may ask.
    pub(crate) limits: LimitRules,
    /// What opens /ops and /metrics.
    pub(crate) operator: OperatorTokens,
    /// Who takes money for recharges.
    pub(crate) providers: ProviderConfig,
    pub(crate) choices: Choices,
}

/// What an access token must be.
pub(crate) struct TokenRules {
    /// `SUPABASE_JWT_SECRET`, at least 32 bytes: signs with HS256; then `SUPABASE_JWT_SECRET_PREVIOUS`, where tokens that it signed are still about. At
    /// least one of these and the next is there.
    pub(crate) secrets: Vec<String>,
    /// `SUPABASE_JWKS_URL`: where the project publishes the keys of ES256 and RS256; of Supabase Auth when not set, none when
    /// `off`.
    pub(crate) jwks_url: Option<String>,
    /// `JWT_AUDIENCE`: one of `aud`; `authenticated` when not set.
    pub(crate) audience: String,
    /// `JWT_ISSUER`: exactly `iss`; not looked at when not set.
    pub(crate) issuer: Option<String>,
}

/// A variable that is missing or malformed: its name, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    pub(crate) name: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NOT_CONFIGURED {}", self.name)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads all variables. One that is empty counts as not set.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let optional = |name| variable(name).filter(|value| !value.is_empty());
        let required = |name| optional(name).ok_or(ConfigError { name });
        let api_key = |name| ApiKey::parse(&required(name)?).map_err(|_| ConfigError { name });
        let supabase_url = required("SUPABASE_URL")
            .and_then(|text| parse_origin(&text).ok_or(ConfigError { name: "SUPABASE_URL" }))?;
        Ok(Self {
            publishable_key: api_key("SUPABASE_PUBLISHABLE_KEY")?,
            secret_key: api_key("SUPABASE_SECRET_KEY")?,
            tokens: read_token_rules(&optional, &supabase_url)?,
            rest_url: read_rest_url(&optional, &supabase_url)?,
            allowed_origins: optional("CORS_ALLOWED_ORIGINS")
                .map_or(Some(Vec::new()), |list| parse_origins(&list))
                .ok_or(ConfigError { name: "CORS_ALLOWED_ORIGINS" })?,
            limits: read_limits(&optional, &required("SUPABASE_SECRET_KEY")?)?,
            operator: OperatorTokens {
                ops: read_exchanged(&optional, ["OPS_TOKEN", "OPS_TOKEN_PREVIOUS"], is_operator_token)?,
                metrics: read_exchanged(
                    &optional,
                    ["METRICS_TOKEN", "METRICS_TOKEN_PREVIOUS"],
                    is_operator_token,
                )?,
            },
            providers: ProviderConfig::read(&optional)?,
            choices: Choices::read(&optional)?,
        })
    }
}

fn read_rest_url(
    optional: &dyn Fn(&'static str) -> Option<String>,
    supabase_url: &str,
) -> Result<String, ConfigError> {
    let name = "SUPABASE_REST_URL";
    match optional(name) {
        Some(text) if is_web_address(&text) && !text.contains(['?', '#']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Some(_) => Err(ConfigError { name }),
        None => Ok(format!("{supabase_url}{REST_PATH}")),
    }
}

fn read_token_rules(
    optional: &dyn Fn(&'static str) -> Option<String>,
    supabase_url: &str,
) -> Result<TokenRules, ConfigError> {
    let (secret, jwks_url) = ("SUPABASE_JWT_SECRET", "SUPABASE_JWKS_URL");
    let is_strong = |text: &str| text.len() >= JWT_SECRET_BYTES_MIN;
    let rules = TokenRules {
        secrets: read_exchanged(optional, [secret, "SUPABASE_JWT_SECRET_PREVIOUS"], is_strong)?,
        jwks_url: match optional(jwks_url) {
            Some(text) if text == "off" => None,
            Some(text) if is_web_address(&text) => Some(text),
            Some(_) => return Err(ConfigError { name: jwks_url }),
            None => Some(format!("{supabase_url}{JWKS_PATH}")),
        },
        audience: optional("JWT_AUDIENCE").unwrap_or_else(|| JWT_AUDIENCE_DEFAULT.to_owned()),
        issuer: optional("JWT_ISSUER"),
    };
    if rules.secrets.is_empty() && rules.jwks_url.is_none() {
        return Err(ConfigError { name: secret });
    }
    Ok(rules)
}

/// `http` or `https`, a host, no user; the rest as it likes.
fn is_web_address(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|host| !host.as_str().contains('@'))
    })
}

fn read_limits(
    optional: &dyn Fn(&'static str) -> Option<String>,
    secret_key: &str,
) -> Result<LimitRules, ConfigError> {
    let quota = |name, default| match optional(name) {
        Some(text) => Quota::parse(&text).ok_or(ConfigError { name }),
        None => Ok(Some(default)),
    };
    let name = "TRUSTED_ADDRESS_HEADER";
    let header = optional(name).map(|text| text.parse::<HeaderName>()).transpose();
    Ok(LimitRules {
        user: quota("RATE_LIMIT_USER", Quota::USER)?,
        payment: quota("RATE_LIMIT_PAYMENT", Quota::PAYMENT)?,
        address: quota("RATE_LIMIT_ADDRESS", Quota::ADDRESS)?,
        address_header: header.map_err(|_| ConfigError { name })?,
        in_flight: read_in_flight(optional)?,
        key: Sha256::new().chain_update("names of limits").chain_update(secret_key).finalize().into(),
    })
}

fn read_in_flight(optional: &dyn Fn(&'static str) -> Option<String>) -> Result<Option<u32>, ConfigError> {
    let name = "REQUESTS_IN_FLIGHT";
    match optional(name).as_deref() {
        None => Ok(Some(REQUESTS_IN_FLIGHT_DEFAULT)),
        Some("off") => Ok(None),
        Some(text) => {
            let count = text.parse().ok().filter(|count| (1..=edge::REQUESTS_IN_FLIGHT_MAX).contains(count));
            count.map(Some).ok_or(ConfigError { name })
        }
    }
}

fn is_operator_token(token: &str) -> bool {
    token.len() >= OPERATOR_TOKEN_BYTES_MIN && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A secret, and while it is exchanged the one before; nothing when there is none. One before that nothing came after is a mistake.
fn read_exchanged(
    optional: &dyn Fn(&'static str) -> Option<String>,
    [name, previous]: [&'static str; 2],
    is_right: impl Fn(&str) -> bool,
) -> Result<Vec<String>, ConfigError> {
    let mut secrets = Vec::new();
    for name in [name, previous] {
        match optional(name) {
            Some(text) if is_right(&text) => secrets.push(text),
            Some(_) => return Err(ConfigError { name }),
            None => {}
        }
    }
    if optional(name).is_none() && !secrets.is_empty() { Err(ConfigError { name }) } else { Ok(secrets) }
}

/// Those of web pages, and `capacitor://localhost` and its like: pages of an app have a scheme of their own.
fn parse_origins(list: &str) -> Option<Vec<String>> {
    const APPS: [&str; 3] = ["capacitor://localhost", "ionic://localhost", "tauri://localhost"];
    let of_app = |origin: &str| APPS.contains(&origin).then(|| origin.to_owned());
    list.split(',')
        .map(str::trim)
        .map(|origin| of_app(origin).or_else(|| parse_page_origin(origin)))
        .collect()
}

/// An origin as browsers write it (WHATWG URL): in lower case, without the scheme's own port.
fn parse_page_origin(text: &str) -> Option<String> {
    let origin = parse_origin(text)?.to_ascii_lowercase();
    let own_port = if origin.starts_with("https:") { ":443" } else { ":80" };
    Some(origin.strip_suffix(own_port).unwrap_or(&origin).to_owned())
}

/// `http` or `https`, a host, perhaps a port; one trailing slash is forgiven.
fn parse_origin(text: &str) -> Option<String> {
    let origin = text.strip_suffix('/').unwrap_or(text);
    let uri: Uri = origin.parse().ok()?;
    let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    // A fragment is not in the address that was read.
    let has_nothing_else =
        uri.path() == "/" && uri.query().is_none() && !origin.ends_with('/') && !origin.contains('#');
    let has_plain_host = uri.authority().is_some_and(|host| !host.as_str().contains(['@', '*']));
    (has_scheme && has_nothing_else && has_plain_host).then(|| origin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Level;

    const SECRET: &str = "a-secret-of-more-than-32-characters";

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let right = [
            ("SUPABASE_URL", "https://x.supabase.co"),
            ("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x"),
            ("SUPABASE_SECRET_KEY", "sb_secret_x"),
            ("SUPABASE_JWT_SECRET", SECRET),
        ];
        let find = |list: &[(&str, &str)], name: &str| {
            list.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Config::read(&|name| find(changes, name).or_else(|| find(&right, name)))
    }

    fn refused(name: &str, value: &str) -> Option<ConfigError> {
        read(&[(name, value)]).err()
    }

    #[test]
    fn a_missing_variable_is_named() {
        for name in ["SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"] {
            assert_eq!(refused(name, "").map(|error| error.name), Some(name));
        }
    }

    #[test]
    fn a_malformed_variable_is_named_and_its_value_is_not_told() {
        for (name, value) in [
            ("SUPABASE_URL", "x.supabase.co"),
            ("SUPABASE_URL", "ftp://x.supabase.co"),
            ("SUPABASE_URL", "https://x.supabase.co/rest/v1"),
            ("SUPABASE_URL", "https://user@x.supabase.co"),
            ("SUPABASE_URL", "https://x.supabase.co?x=1"),
            ("SUPABASE_URL", "https://x.supabase.co#x"),
            ("SUPABASE_PUBLISHABLE_KEY", "two words"),
            ("SUPABASE_SECRET_KEY", "line\nbreak"),
            ("SUPABASE_JWT_SECRET", "short"),
            ("SUPABASE_JWKS_URL", "x.supabase.co/jwks.json"),
            ("SUPABASE_JWKS_URL", "file:///etc/jwks.json"),
            ("SUPABASE_JWKS_URL", "https://user@x.supabase.co/jwks.json"),
            ("SUPABASE_JWKS_URL", "OFF"),
            ("SUPABASE_REST_URL", "127.0.0.1:3000"),
            ("SUPABASE_REST_URL", "https://user@x.supabase.co/rest/v1"),
            ("SUPABASE_REST_URL", "https://x.supabase.co/rest/v1?x=1"),
            ("RATE_LIMIT_USER", "1000"),
            ("RATE_LIMIT_PAYMENT", "50 / 10"),
            ("RATE_LIMIT_ADDRESS", "none"),
            ("REQUESTS_IN_FLIGHT", "0"),
            ("REQUESTS_IN_FLIGHT", "many"),
            ("CODE_TTL_SECONDS", "59"),
            ("CODE_TTL_SECONDS", "86401"),
            ("ATTEMPTS_MAX", "0"),
            ("ATTEMPTS_MAX", "4"),
            ("AUDIT_RETENTION_DAYS", "2554"),
            ("AUDIT_RETENTION_DAYS", "36501"),
            ("LOG_LEVEL", "debug"),
            ("TRUSTED_ADDRESS_HEADER", "x real ip"),
            ("SUPABASE_JWT_SECRET_PREVIOUS", "short"),
            ("OPS_TOKEN_PREVIOUS", "short"),
            ("OPS_TOKEN", "a-token-of-31-characters-only!!"),
            ("METRICS_TOKEN", "a token of more than 32 characters with spaces"),
            ("CORS_ALLOWED_ORIGINS", "*"),
            ("CORS_ALLOWED_ORIGINS", "https://*.example"),
            ("CORS_ALLOWED_ORIGINS", "https://a.example#*"),
            ("CORS_ALLOWED_ORIGINS", "https://a.example,"),
            ("CORS_ALLOWED_ORIGINS", "https://a.example/app"),
        ] {
            let error = refused(name, value);
            assert_eq!(error.map(|error| error.name), Some(name), "{value:?}");
            assert!(error.is_some_and(|error| !error.to_string().contains(value)), "{value:?}");
        }
    }

    #[test]
    fn a_secret_of_before_is_one_beside_that_of_now() -> Result<(), ConfigError> {
        let before = "the-secret-of-yesterday-32-letters-long";
        for (name, previous) in
            [("SUPABASE_JWT_SECRET", "SUPABASE_JWT_SECRET_PREVIOUS"), ("OPS_TOKEN", "OPS_TOKEN_PREVIOUS")]
        {
            let alone = read(&[(name, ""), (previous, before)]).err();
            assert_eq!(alone.map(|error| error.name), Some(name), "nothing came after it");
            let config = read(&[(name, SECRET), (previous, before)])?;
            let read = if name == "OPS_TOKEN" { config.operator.ops } else { config.tokens.secrets };
            assert_eq!(read, [SECRET, before]);
        }
        Ok(())
    }

    #[test]
    fn what_is_optional_has_its_default() -> Result<(), ConfigError> {
        let config = read(&[])?;
        assert_eq!(config.tokens.audience, "authenticated");
        assert_eq!(config.tokens.issuer, None);
        assert!(config.allowed_origins.is_empty());
        assert_eq!(config.limits.user, Some(Quota::USER));
        assert_eq!(config.limits.payment, Some(Quota::PAYMENT));
        assert_eq!(config.limits.address, Some(Quota::ADDRESS));
        assert_eq!(read(&[("RATE_LIMIT_USER", "off")])?.limits.user, None);
        assert_eq!(config.limits.in_flight, Some(32));
        assert_eq!(read(&[("REQUESTS_IN_FLIGHT", "off")])?.limits.in_flight, None);
        assert!(config.operator.ops.is_empty() && config.operator.metrics.is_empty());
        let house =
            Choices { code_ttl_seconds: 900, attempts_max: 3, audit_days: 2555, log_level: Level::Info };
        assert_eq!(config.choices, house);
        Ok(())
    }

    #[test]
    fn tokens_are_verified_by_published_keys_by_a_secret_or_by_both() -> Result<(), ConfigError> {
        let rules = |changes: &[(&str, &str)]| read(changes).map(|config| config.tokens);
        let published = "https://x.supabase.co/auth/v1/.well-known/jwks.json";
        let both = rules(&[])?;
        assert_eq!((both.secrets, both.jwks_url.as_deref()), (vec![SECRET.to_owned()], Some(published)));
        let keys_alone = rules(&[("SUPABASE_JWT_SECRET", "")])?;
        assert_eq!((keys_alone.secrets, keys_alone.jwks_url.as_deref()), (Vec::new(), Some(published)));
        let secret_alone = rules(&[("SUPABASE_JWKS_URL", "off")])?;
        assert_eq!((secret_alone.secrets, secret_alone.jwks_url), (vec![SECRET.to_owned()], None));
        let elsewhere = "http://127.0.0.1:9999/keys?v=1";
        assert_eq!(rules(&[("SUPABASE_JWKS_URL", elsewhere)])?.jwks_url.as_deref(), Some(elsewhere));
        let neither = rules(&[("SUPABASE_JWKS_URL", "off"), ("SUPABASE_JWT_SECRET", "")]);
        assert_eq!(neither.err().map(|error| error.name), Some("SUPABASE_JWT_SECRET"));
        Ok(())
    }

    #[test]
    fn origins_are_separated_by_commas() -> Result<(), ConfigError> {
        let config = read(&[("CORS_ALLOWED_ORIGINS", "https://a.example, http://127.0.0.1:5173/")])?;
        assert_eq!(config.allowed_origins, ["https://a.example", "http://127.0.0.1:5173"]);
        let config = read(&[("CORS_ALLOWED_ORIGINS", "capacitor://localhost,https://localhost")])?;
        assert_eq!(config.allowed_origins, ["capacitor://localhost", "https://localhost"]);
        let config = read(&[("CORS_ALLOWED_ORIGINS", "HTTPS://Shop.example:443, http://a.example:80")])?;
        assert_eq!(config.allowed_origins, ["https://shop.example", "http://a.example"]);
        let config = read(&[("CORS_ALLOWED_ORIGINS", "http://a.example:443,https://a.example:8443")])?;
        assert_eq!(config.allowed_origins, ["http://a.example:443", "https://a.example:8443"]);
        assert!(refused("CORS_ALLOWED_ORIGINS", "capacitor://localhost.evil.example").is_some());
        assert!(refused("SUPABASE_URL", "capacitor://localhost").is_some());
        let config = read(&[("SUPABASE_URL", "http://127.0.0.1:54321/")])?;
        assert_eq!(config.rest_url, "http://127.0.0.1:54321/rest/v1");
        Ok(())
    }

    #[test]
    fn postgrest_may_be_somewhere_else_than_the_project() -> Result<(), ConfigError> {
        assert_eq!(read(&[])?.rest_url, "https://x.supabase.co/rest/v1");
        for address in ["http://127.0.0.1:3000", "http://127.0.0.1:3000/"] {
            assert_eq!(read(&[("SUPABASE_REST_URL", address)])?.rest_url, "http://127.0.0.1:3000");
        }
        assert_eq!(
            read(&[("SUPABASE_REST_URL", "https://db.example/api")])?.rest_url,
            "https://db.example/api"
        );
        Ok(())
    }
}
