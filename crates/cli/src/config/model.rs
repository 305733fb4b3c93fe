//! The configuration's keys. What is written here is in the JSON Schema too, word for word.

use anyhow::{Result, anyhow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one installation of MPS runs. Secrets are not in it: `mps secrets` keeps them, and the edge is handed them as variables of their own.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) app: App,
    pub(crate) supabase: Supabase,
    #[serde(default)]
    pub(crate) database: Database,
    #[serde(default)]
    pub(crate) features: Features,
    #[serde(default)]
    pub(crate) security: Security,
    #[serde(default)]
    pub(crate) providers: Providers,
    /// nginx in front; left out where Cloudflare is.
    pub(crate) proxy: Option<Proxy>,
    /// Where `mps secrets` keeps the secrets; a file at its default place when left out.
    pub(crate) secrets: Option<Secrets>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct App {
    /// What people call it: "MPS Production".
    pub(crate) name: String,
    pub(crate) environment: Environment,
    /// Where payment providers reach it: `https://pay.example.com`. Needed for recharges.
    pub(crate) public_url: Option<String>,
    /// The least that a line of the edge's log must be to be written.
    #[serde(default)]
    pub(crate) log_level: LogLevel,
}

/// A request that was answered is `info`, one that was turned away at the door `warn`, one that could not be answered `error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    #[default]
    Info,
    Warn,
    Error,
}

impl LogLevel {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// The connections that PostgREST keeps to a database of one's own: `mps config render --for postgrest`. Supabase's are set in its dashboard.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// 1 to 1000 for each PostgREST, and all of them fewer than PostgreSQL's `max_connections`.
    pub(crate) pool_size: u32,
    /// How long a call waits for a connection, in milliseconds, whole seconds of them: 1000 to 10000, which is all the time that an edge has.
    pub(crate) timeout: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self { pool_size: 20, timeout: 4000 }
    }
}

/// What the house may choose of how MPS works.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Features {
    pub(crate) qr_rotation: QrRotation,
    pub(crate) payment_retry: PaymentRetry,
    pub(crate) audit_logging: AuditLogging,
}

/// Payment codes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QrRotation {
    /// How long a code lives whose request does not say, in seconds: 60 to 86400. The wallet that comes with MPS asks for 60.
    pub(crate) default_ttl: u32,
}

impl Default for QrRotation {
    fn default() -> Self {
        Self { default_ttl: 900 }
    }
}

/// Calls to the database that were not answered, or not now.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PaymentRetry {
    /// How often the edge sends one in all, with the same key: 1 to 3, which is what ten seconds have room for.
    pub(crate) max_attempts: u32,
}

impl Default for PaymentRetry {
    fn default() -> Self {
        Self { max_attempts: 3 }
    }
}

/// Who did what.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditLogging {
    /// How many days the audit log is kept: 2555, which is seven years, to 36500. The books are kept for ever.
    pub(crate) retention_days: u32,
}

impl Default for AuditLogging {
    fn default() -> Self {
        Self { retention_days: 2555 }
    }
}

/// Production refuses what only a developer's machine may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Environment {
    Development,
    Staging,
    Production,
}

/// The database's gateway and who signs access tokens.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Supabase {
    /// `https://<project>.supabase.co`, no path.
    pub(crate) url: String,
    /// Where PostgREST is, when it is not under `url`.
    pub(crate) rest_url: Option<String>,
    /// The key that every page may have.
    pub(crate) publishable_key: String,
    /// Where the keys of access tokens are published; "off" for a project that signs with its secret only.
    pub(crate) jwks_url: Option<String>,
    /// One of a token's `aud`.
    #[serde(default = "audience")]
    pub(crate) jwt_audience: String,
    /// A token's `iss`; not looked at when left out.
    pub(crate) jwt_issuer: Option<String>,
}

fn audience() -> String {
    "authenticated".to_owned()
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Security {
    /// Of one user.
    pub(crate) rate_limit: RateLimit,
    /// Of one user, for what moves money.
    pub(crate) payment_rate_limit: RateLimit,
    /// Of unauthenticated requests from one address.
    pub(crate) address_rate_limit: RateLimit,
    /// Of one user at one moment; 1 to 10000.
    pub(crate) requests_in_flight: u32,
    pub(crate) cors: Cors,
    /// The header in which the proxy in front writes the client's address: X-Real-IP behind our nginx, CF-Connecting-IP on Cloudflare.
    pub(crate) trusted_address_header: Option<String>,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            rate_limit: RateLimit { window_ms: 60_000, max_requests: 1000 },
            payment_rate_limit: RateLimit { window_ms: 10_000, max_requests: 50 },
            address_rate_limit: RateLimit { window_ms: 10_000, max_requests: 100 },
            requests_in_flight: 32,
            cors: Cors::default(),
            trusted_address_header: None,
        }
    }
}

/// So many requests in any window of that length.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimit {
    /// Milliseconds, whole seconds of them.
    pub(crate) window_ms: u32,
    pub(crate) max_requests: u32,
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cors {
    /// Origins of pages that may read the answers: `https://app.example.com`.
    pub(crate) origin: Vec<String>,
    /// There are no cookies here: access tokens are sent by name. It must be false, or left out.
    pub(crate) credentials: bool,
}

/// Who takes money for recharges.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Providers {
    pub(crate) wechat: Option<Wechat>,
    pub(crate) alipay: Option<Alipay>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wechat {
    pub(crate) mchid: String,
    pub(crate) appid: String,
    /// Of the merchant's certificate.
    pub(crate) serial_no: String,
    /// WeChat's public keys, each after its id, as edge/README.md has them.
    pub(crate) public_keys: String,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alipay {
    pub(crate) app_id: String,
    pub(crate) seller_id: String,
    /// Alipay's public keys, as edge/README.md has them.
    pub(crate) public_keys: String,
}

/// nginx, as deploy/nginx/README.md describes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proxy {
    /// The name in the certificate: "pay.example.com".
    pub(crate) host: String,
    #[serde(default = "http_listen")]
    pub(crate) http_listen: String,
    #[serde(default = "https_listen")]
    pub(crate) https_listen: String,
    /// Paths of the certificate with its chain, and of its key.
    pub(crate) certificate: String,
    pub(crate) certificate_key: String,
    /// Every edge: "127.0.0.1:8787".
    pub(crate) edges: Vec<String>,
    /// Where certbot's --webroot writes.
    #[serde(default = "acme_root")]
    pub(crate) acme_root: String,
    /// The built pages.
    #[serde(default = "site_root")]
    pub(crate) site_root: String,
    /// What the pages read of this installation.
    #[serde(default = "site_config")]
    pub(crate) site_config: String,
    /// While this file is there, the API answers 503 and people see a page.
    #[serde(default = "maintenance_file")]
    pub(crate) maintenance_file: String,
    /// Where nginx writes its process's number and its log, below its own folder when it begins with no slash.
    #[serde(default = "pid_file")]
    pub(crate) pid_file: String,
    #[serde(default = "log_file")]
    pub(crate) log_file: String,
    /// Of one caller: a token, or an address without one.
    #[serde(default = "api_rate")]
    pub(crate) api: Rate,
    /// Of one caller, under /api/payment/.
    #[serde(default = "payment_rate")]
    pub(crate) payment: Rate,
    /// Of all behind one address.
    #[serde(default = "address_rate")]
    pub(crate) address: Rate,
}

/// Where secrets are kept. Not one of them is in here.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "store", rename_all = "lowercase")]
pub(crate) enum Secrets {
    /// A file on this machine, encrypted with age.
    File(SecretsFile),
    /// HashiCorp Vault or OpenBao: one secret of a KV engine of version 2.
    Vault(SecretsVault),
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SecretsFile {
    /// The encrypted file.
    pub(crate) path: String,
    /// The age identity that opens it: readable by its owner only.
    pub(crate) identity: String,
    /// Public keys (age1…) of whoever else may open it: a second operator, a key that is kept offline.
    pub(crate) recipients: Vec<String>,
}

impl Default for SecretsFile {
    fn default() -> Self {
        Self {
            path: "/etc/mps/secrets.age".to_owned(),
            identity: "/etc/mps/identity.txt".to_owned(),
            recipients: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretsVault {
    /// `https://vault.example.com:8200`, no path.
    pub(crate) address: String,
    /// Where the KV engine is mounted.
    #[serde(default = "vault_mount")]
    pub(crate) mount: String,
    /// The secret's path under the mount: "mps/production".
    pub(crate) path: String,
    /// Of Vault Enterprise, HCP and OpenBao.
    pub(crate) namespace: Option<String>,
    /// The certificate authority of Vault's certificate, in PEM; Mozilla's when left out.
    pub(crate) ca_file: Option<String>,
    /// A file with a token, as Vault's agent writes it; or an AppRole by the next two.
    pub(crate) token_file: Option<String>,
    pub(crate) role_id: Option<String>,
    /// A file with the AppRole's secret id.
    pub(crate) secret_id_file: Option<String>,
    /// Where AppRole is mounted.
    #[serde(default = "approle_mount")]
    pub(crate) approle_mount: String,
}

fn vault_mount() -> String {
    "secret".to_owned()
}

fn approle_mount() -> String {
    "approle".to_owned()
}

/// So many a second, and so many more at once.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

fn http_listen() -> String {
    "80".to_owned()
}

fn https_listen() -> String {
    "443".to_owned()
}

fn acme_root() -> String {
    "/var/lib/mps/acme".to_owned()
}

fn site_root() -> String {
    "/usr/share/mps/www".to_owned()
}

fn site_config() -> String {
    "/etc/mps/config.json".to_owned()
}

fn maintenance_file() -> String {
    "/run/mps/maintenance".to_owned()
}

fn pid_file() -> String {
    "run/nginx.pid".to_owned()
}

fn log_file() -> String {
    "logs/access.log".to_owned()
}

fn api_rate() -> Rate {
    Rate { per_second: 10, burst: 20 }
}

fn payment_rate() -> Rate {
    Rate { per_second: 5, burst: 10 }
}

fn address_rate() -> Rate {
    Rate { per_second: 100, burst: 200 }
}

impl Config {
    /// Its error names the key, the line and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_saphyr::from_str(text).map_err(|error| anyhow!("{error}"))
    }
}
