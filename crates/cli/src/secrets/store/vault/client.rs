//! Vault's HTTP API: who we are, what to try again, and what each refusal means. No text of an answer is shown: whoever answers may have
//! put what they were sent into it.

use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use http::Uri;
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use zeroize::Zeroizing;

use super::super::super::value::Secret;
use crate::config::SecretsVault;

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// How often one is asked to come again, and how long somebody in front of a shell waits for that.
const WAITS_MAX: u32 = 3;
const WAIT_SECONDS_MAX: u64 = 30;

/// A token that ends within this is not begun with.
const LEASE_REST: Duration = Duration::from_secs(5);

pub(super) struct Client {
    agent: Agent,
    address: String,
    namespace: Option<String>,
    login: Login,
    token: RefCell<Option<Token>>,
}

enum Login {
    TokenFile(PathBuf),
    AppRole { role_id: String, secret_id_file: PathBuf, mount: String },
}

struct Token {
    value: Secret,
    /// `None` for one whose end is not known.
    ends_at: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
    retry_after: Option<u64>,
}

/// What Vault says of a token.
#[derive(Deserialize)]
pub(super) struct TokenState {
    #[serde(default)]
    pub(super) policies: Vec<String>,
    #[serde(default)]
    pub(super) renewable: bool,
    /// Seconds; 0 for one that never ends.
    #[serde(default)]
    pub(super) ttl: u64,
    #[serde(default)]
    creation_ttl: u64,
}

#[derive(Serialize)]
struct AppRole<'a> {
    role_id: &'a str,
    secret_id: Secret,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: Secret,
    /// Seconds; 0 for one that never ends.
    #[serde(default)]
    lease_duration: u64,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

impl Answer {
    /// Whether Vault gave this reason.
    pub(super) fn says(&self, words: &str) -> bool {
        serde_json::from_slice::<Errors>(&self.body)
            .is_ok_and(|Errors { errors }| errors.iter().any(|error| error.contains(words)))
    }
}

impl Client {
    pub(super) fn new(settings: &SecretsVault) -> Result<Self> {
        Self::with_patience(settings, ANSWER_PATIENCE)
    }

    fn with_patience(settings: &SecretsVault, patience: Duration) -> Result<Self> {
        let login = match (&settings.token_file, &settings.role_id, &settings.secret_id_file) {
            (Some(path), _, _) => Login::TokenFile(path.into()),
            (None, Some(role_id), Some(path)) => Login::AppRole {
                role_id: role_id.clone(),
                secret_id_file: path.into(),
                mount: settings.approle_mount.clone(),
            },
            _ => bail!("secrets.token_file: either token_file, or role_id and secret_id_file"),
        };
        let roots = match &settings.ca_file {
            None => RootCerts::WebPki,
            Some(path) => authorities(Path::new(path))?,
        };
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            // A token is for the address in the configuration and for no other.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_PATIENCE))
            .timeout_global(Some(patience))
            .user_agent(concat!("mps/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        if !settings.address.starts_with("https://") {
            // To this machine, past any proxy.
            agent = agent.proxy(None);
        }
        Ok(Self {
            agent: agent.build().new_agent(),
            address: settings.address.trim_end_matches('/').to_owned(),
            namespace: settings.namespace.clone(),
            login,
            token: RefCell::new(None),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// What we show who we are with.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let (Login::TokenFile(path) | Login::AppRole { secret_id_file: path, .. }) = &self.login;
        std::iter::once(path.as_path())
    }

    pub(super) const fn has_token_file(&self) -> bool {
        matches!(self.login, Login::TokenFile(_))
    }

    /// Asks with a token. One that Vault does not take (any more) is replaced once.
    pub(super) fn call(&self, method: Method, path: &str, body: Option<&[u8]>) -> Result<Answer> {
        let mut has_asked_again = false;
        loop {
            let token = self.token()?;
            let answer = self.send(method, path, Some(&token), body)?;
            if answer.status != 403 {
                return Ok(answer);
            }
            let is_another = !has_asked_again && self.replace_token(&token)?;
            if !is_another {
                return Err(self.forbidden(path));
            }
            has_asked_again = true;
        }
    }

    /// Of the token in use; `None` where it may not look at itself.
    pub(super) fn look_up(&self) -> Result<Option<TokenState>> {
        let token = self.token()?;
        self.look_up_token(&token)
    }

    fn look_up_token(&self, token: &Secret) -> Result<Option<TokenState>> {
        let answer = self.send(Method::Get, "auth/token/lookup-self", Some(token), None)?;
        let state = serde_json::from_slice::<super::Data<TokenState>>(&answer.body);
        Ok(state.ok().map(|super::Data { data }| data).filter(|_| answer.status == 200))
    }

    fn token(&self) -> Result<Secret> {
        if let Some(token) = self.token.borrow().as_ref()
            && token.ends_at.is_none_or(|end| end > Instant::now() + LEASE_REST)
        {
            return Ok(token.value.clone());
        }
        let token = match &self.login {
            Login::TokenFile(path) => {
                let value = read_secret(path)?;
                self.renew(&value)?;
                Token { value, ends_at: None }
            }
            Login::AppRole { role_id, secret_id_file, mount } => {
                self.log_in(role_id, secret_id_file, mount)?
            }
        };
        let value = token.value.clone();
        self.token.replace(Some(token));
        Ok(value)
    }

    /// Whether there is another one than the one that was refused.
    fn replace_token(&self, refused: &Secret) -> Result<bool> {
        self.token.replace(None);
        Ok(self.token()? != *refused)
    }

    /// A token in a file ends unless somebody renews it: whoever uses it does, once half of its time is over.
    fn renew(&self, token: &Secret) -> Result<()> {
        if let Some(state) = self.look_up_token(token)?
            && state.renewable
            && state.ttl < state.creation_ttl / 2
        {
            // One that can be renewed no more still works to its end; the audit tells.
            self.send(Method::Post, "auth/token/renew-self", Some(token), Some(b"{}"))?;
        }
        Ok(())
    }

    fn log_in(&self, role_id: &str, secret_id_file: &Path, mount: &str) -> Result<Token> {
        let body = Secret::of_json(&AppRole { role_id, secret_id: read_secret(secret_id_file)? })?;
        let path = format!("auth/{mount}/login");
        let asked_at = Instant::now();
        let answer = self.send(Method::Post, &path, None, Some(body.expose().as_bytes()))?;
        match answer.status {
            200 => {
                let LoggedIn { auth } = serde_json::from_slice(&answer.body)
                    .map_err(|_| anyhow!("{} answered a login without a token", self.address))?;
                let lease = Some(auth.lease_duration).filter(|seconds| *seconds > 0);
                Ok(Token {
                    value: auth.client_token,
                    ends_at: lease.map(|seconds| asked_at + Duration::from_secs(seconds)),
                })
            }
            400 | 403 => bail!(
                "Vault does not take the AppRole of secrets.role_id: its secret id in {} is over, used up, of another role or bound to \
                 another address; `vault write -f auth/{mount}/role/ROLE/secret-id` issues one",
                secret_id_file.display()
            ),
            404 => bail!(
                "secrets.approle_mount: AppRole is not enabled at {mount} of {}: `vault auth enable -path={mount} approle`",
                self.address
            ),
            _ => Err(self.unexpected(&answer, &path)),
        }
    }

    /// One request, again where Vault asks to come again.
    fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<&[u8]>,
    ) -> Result<Answer> {
        let mut waits = 0;
        loop {
            let answer = self.send_once(method, path, token, body)?;
            match answer.status {
                429 => {
                    let seconds = answer.retry_after.unwrap_or(1);
                    waits += 1;
                    if waits > WAITS_MAX || seconds > WAIT_SECONDS_MAX {
                        bail!(
                            "{} limits how often it is asked and wants {seconds} seconds of rest: try again then, or raise its quota",
                            self.address
                        );
                    }
                    thread::sleep(Duration::from_secs(seconds));
                }
                503 => bail!(
                    "Vault at {} is sealed or down for maintenance: `vault status` tells, `vault operator unseal` opens it",
                    self.address
                ),
                501 => bail!("Vault at {} is not initialised: `vault operator init`", self.address),
                300..400 => bail!(
                    "secrets.address: {} sends on to another address, as a standby does: name the active one, or what stands in front of both",
                    self.address
                ),
                _ => return Ok(answer),
            }
        }
    }

    fn send_once(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<&[u8]>,
    ) -> Result<Answer> {
        let url: Uri = format!("{}/v1/{path}", self.address).parse().context("secrets.address")?;
        let mut request = http::Request::builder().uri(url).header("X-Vault-Request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(token) = token {
            request = request.header("X-Vault-Token", token.expose());
        }
        let answer = match (method, body) {
            (Method::Get, _) => self.agent.run(request.method("GET").body(())?),
            (Method::Post, body) => {
                let request = request.method("POST").header("Content-Type", "application/json");
                self.agent.run(request.body(body.unwrap_or_default())?)
            }
        };
        let unknown = if method == Method::Post && path.contains("/data/") {
            "; whether it was written is not known: look with `mps secrets list`, then repeat"
        } else {
            ""
        };
        let failed =
            |error: &ureq::Error| anyhow!("{} does not answer: {}{unknown}", self.address, reason(error));
        let mut answer = answer.map_err(|error| failed(&error))?;
        let retry_after = answer.headers().get("Retry-After");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = Zeroizing::new(body.map_err(|error| failed(&error))?);
        Ok(Answer { status, body, retry_after })
    }

    fn forbidden(&self, path: &str) -> anyhow::Error {
        let who = match &self.login {
            Login::TokenFile(file) => format!("the token in {} is over or revoked, or", file.display()),
            Login::AppRole { .. } => "the AppRole logs in, but".to_owned(),
        };
        anyhow!(
            "Vault refuses (403): {who} its policy does not allow {path}: it needs create, read and update there (docs/operations/secrets.md \
             has the policy)"
        )
    }

    pub(super) fn unexpected(&self, answer: &Answer, path: &str) -> anyhow::Error {
        let status = answer.status;
        anyhow!("{} answered {status} to {path}: its log and its audit log say why", self.address)
    }
}

/// A file with one line.
fn read_secret(path: &Path) -> Result<Secret> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = Zeroizing::new(text);
    let line = text.trim();
    // It becomes a header.
    if line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{} is no single word", path.display());
    }
    Ok(Secret::new(line.to_owned()))
}

fn authorities(path: &Path) -> Result<RootCerts> {
    let pem = fs::read(path).with_context(|| format!("secrets.ca_file: cannot read {}", path.display()))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        bail!("secrets.ca_file: no certificate in PEM is in {}", path.display());
    }
    Ok(certificates.into_iter().into())
}

/// None of these has anything of what was sent or answered in it.
fn reason(error: &ureq::Error) -> String {
    let tls = "TLS fails: its certificate is not signed by secrets.ca_file (where that is not set, by a public authority), it is of another \
               host, or no TLS is spoken there";
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "no such host".to_owned(),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => tls.to_owned(),
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => tls.to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        _ => "it speaks no HTTP that is understood".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_vault_that_says_nothing_is_waited_for_so_long_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "hvs.x").unwrap();
        // It takes connections, by the system's hand, and answers none.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = serde_json::from_value(serde_json::json!({
            "address": format!("http://{}", silent.local_addr().unwrap()), "path": "mps", "token_file": token,
        }));
        let client = Client::with_patience(&settings.unwrap(), Duration::from_millis(200)).unwrap();
        let begun = Instant::now();
        let said = client.call(Method::Get, "secret/data/mps", None).err().unwrap().to_string();
        assert!(said.contains("no answer in time") && begun.elapsed() < CONNECT_PATIENCE, "{said}");
    }
}
