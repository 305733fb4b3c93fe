//! A server that answers as Vault's public HTTP API says that Vault does: KV version 2, tokens, AppRole, namespaces, and what goes wrong.
//! It is no Vault: what the documentation leaves open is as we read it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// Who logs in so is given a token.
pub(crate) const ROLE_ID: &str = "5f9a1f2c-1c53-4f7e-9a55-0f4d5d1f3b11";
pub(crate) const SECRET_ID: &str = "841771dc-11c9-bbc7-bcac-6a3945a69cd9";
/// A token of its own.
pub(crate) const TOKEN: &str = "hvs.Tq8Zw2Lk5Xn7Vb3Mc9Rd1Fg4";

#[derive(Clone)]
pub(crate) struct Vault {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) policies: Vec<&'static str>,
    pub(crate) ttl: u64,
    pub(crate) creation_ttl: u64,
    pub(crate) renewable: bool,
    /// Whether its policy allows the secret's path.
    pub(crate) is_allowed: bool,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            policies: vec!["default", "mps"],
            ttl: 3600,
            creation_ttl: 3600,
            renewable: true,
            is_allowed: true,
        }
    }
}

pub(crate) type Change = Box<dyn FnOnce(&mut State) + Send>;

#[allow(clippy::struct_excessive_bools, reason = "each is a switch of a test")]
pub(crate) struct State {
    pub(crate) tokens: BTreeMap<String, Token>,
    /// What a login gives: seconds that its token lives, and whether it may use the path.
    pub(crate) lease_duration: u64,
    pub(crate) login_is_allowed: bool,
    pub(crate) logins: u32,
    pub(crate) renewals: u32,
    pub(crate) has_approle: bool,
    /// Of the engine at `secret`; none is mounted elsewhere.
    pub(crate) kv_version: &'static str,
    pub(crate) namespace: Option<&'static str>,
    /// Each version's data; `None` where it was deleted.
    pub(crate) versions: Vec<Option<Value>>,
    pub(crate) is_sealed: bool,
    /// Answered first, one a request: a status with its headers and body.
    pub(crate) replies: VecDeque<(u16, &'static str, String)>,
    /// What others do once somebody has read, one a read; and just before somebody's write, one a write.
    pub(crate) after_read: VecDeque<Change>,
    pub(crate) before_write: VecDeque<Change>,
    /// What happens before a token is refused.
    pub(crate) on_refusal: Option<Change>,
    /// A write that is done and whose answer is lost.
    pub(crate) loses_an_answer: bool,
    pub(crate) requests: Vec<String>,
}

struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Vault {
    pub(crate) fn start() -> Self {
        Self::serve("http", |stream| Some(Box::new(stream)))
    }

    /// Over what `accept` makes of a connection.
    pub(crate) fn serve<S: Connection + 'static>(
        scheme: &str,
        accept: impl Fn(std::net::TcpStream) -> Option<Box<S>> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let address = format!("{scheme}://127.0.0.1:{}", listener.local_addr().expect("its address").port());
        let state = Arc::new(Mutex::new(State {
            tokens: BTreeMap::from([(TOKEN.to_owned(), Token::default())]),
            lease_duration: 3600,
            login_is_allowed: true,
            logins: 0,
            renewals: 0,
            has_approle: true,
            kv_version: "2",
            namespace: None,
            versions: Vec::new(),
            is_sealed: false,
            replies: VecDeque::new(),
            after_read: VecDeque::new(),
            before_write: VecDeque::new(),
            on_refusal: None,
            loses_an_answer: false,
            requests: Vec::new(),
        }));
        let vault = Self { address, state };
        let server = vault.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(mut connection) = stream.ok().and_then(&accept) else { continue };
                server.answer(&mut *connection);
            }
        });
        vault
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("the state"))
    }

    /// The newest version.
    pub(crate) fn secrets(&self) -> Value {
        self.with(|state| state.versions.last().cloned().flatten().expect("a version"))
    }

    fn answer(&self, connection: &mut impl Connection) {
        // A client that will not speak to us says nothing.
        let Some(request) = read(connection) else { return };
        let (status, headers, body) = self.with(|state| {
            state.requests.push(format!("{} {}", request.method, request.path));
            state.replies.pop_front().unwrap_or_else(|| {
                let (status, body) = state.reply(&request);
                (status, "", if body.is_null() { String::new() } else { body.to_string() })
            })
        });
        if status == 0 {
            return;
        }
        let length = body.len();
        let _ = write!(
            connection,
            "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        );
        let _ = connection.flush();
        connection.close();
    }
}

fn errors(status: u16, errors: &[&str]) -> (u16, Value) {
    (status, json!({"errors": errors}))
}

impl State {
    fn reply(&mut self, request: &Request) -> (u16, Value) {
        if self.is_sealed {
            return errors(503, &["Vault is sealed"]);
        }
        if self.namespace != request.headers.get("x-vault-namespace").map(String::as_str) {
            return errors(404, &["no handler for route \"secret/data/mps/test\". route entry not found."]);
        }
        let path = request.path.as_str();
        if let Some(mount) = path.strip_prefix("/v1/auth/").and_then(|rest| rest.strip_suffix("/login")) {
            return self.log_in(mount, &request.body);
        }
        let name = request.headers.get("x-vault-token").cloned().unwrap_or_default();
        let Some(token) = self.tokens.get(&name).cloned() else {
            if path.contains("/data/")
                && let Some(change) = self.on_refusal.take()
            {
                change(self);
            }
            return errors(403, &["permission denied"]);
        };
        match (request.method.as_str(), path) {
            ("GET", "/v1/auth/token/lookup-self") => (
                200,
                json!({"data": {"policies": token.policies, "ttl": token.ttl, "creation_ttl": token.creation_ttl,
                                "renewable": token.renewable}}),
            ),
            ("POST", "/v1/auth/token/renew-self") => {
                self.renewals += 1;
                (
                    200,
                    json!({"auth": {"client_token": name, "lease_duration": token.creation_ttl, "renewable": true}}),
                )
            }
            ("GET", "/v1/sys/internal/ui/mounts/secret") => (
                200,
                json!({"data": {"path": "secret/", "type": "kv", "options": {"version": self.kv_version}}}),
            ),
            (method, "/v1/secret/data/mps/test") => {
                if !token.is_allowed {
                    return errors(403, &["1 error occurred:\n\t* permission denied\n\n"]);
                }
                match (method, self.kv_version) {
                    ("GET", "2") => self.read(),
                    ("POST", "2") => self.write(&request.body),
                    // A secret of that name, to version 1.
                    ("GET", _) => errors(404, &[]),
                    _ => (204, Value::Null),
                }
            }
            _ if path.starts_with("/v1/secret/") => {
                errors(403, &["1 error occurred:\n\t* permission denied\n\n"])
            }
            _ => errors(404, &[&format!("no handler for route \"{}\". route entry not found.", &path[4..])]),
        }
    }

    fn log_in(&mut self, mount: &str, body: &Value) -> (u16, Value) {
        if mount != "approle" || !self.has_approle {
            return errors(
                404,
                &[&format!("no handler for route \"auth/{mount}/login\". route entry not found.")],
            );
        }
        if (&body["role_id"], &body["secret_id"]) != (&json!(ROLE_ID), &json!(SECRET_ID)) {
            return errors(400, &["invalid role or secret ID"]);
        }
        self.logins += 1;
        let name = format!("hvs.login{}Kp6Yt3Wq8Zx5", self.logins);
        self.tokens.insert(name.clone(), Token { is_allowed: self.login_is_allowed, ..Token::default() });
        let auth = json!({"client_token": name, "lease_duration": self.lease_duration, "renewable": true});
        (200, json!({"auth": auth, "data": null, "lease_duration": 0}))
    }

    fn read(&mut self) -> (u16, Value) {
        let version = self.versions.len();
        let answer = match self.versions.last() {
            None => errors(404, &[]),
            Some(None) => {
                (404, json!({"data": {"data": null, "metadata": metadata(version, "2026-01-01T00:00:00Z")}}))
            }
            Some(Some(data)) => (200, json!({"data": {"data": data, "metadata": metadata(version, "")}})),
        };
        if let Some(change) = self.after_read.pop_front() {
            change(self);
        }
        answer
    }

    fn write(&mut self, body: &Value) -> (u16, Value) {
        if let Some(change) = self.before_write.pop_front() {
            change(self);
        }
        if body["options"]["cas"].as_u64() != Some(self.versions.len() as u64) {
            return errors(400, &["check-and-set parameter did not match the current version"]);
        }
        self.versions.push(Some(body["data"].clone()));
        if std::mem::take(&mut self.loses_an_answer) {
            return (0, Value::Null);
        }
        (200, json!({"data": metadata(self.versions.len(), "")}))
    }
}

fn metadata(version: usize, deletion_time: &str) -> Value {
    json!({"created_time": "2026-01-01T00:00:00Z", "custom_metadata": null, "deletion_time": deletion_time,
           "destroyed": false, "version": version})
}

/// A stream, with TLS or without.
pub(crate) trait Connection: Read + Write {
    /// Says that no more comes.
    fn close(&mut self) {}
}

impl Connection for std::net::TcpStream {}

fn read(connection: &mut impl Connection) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (method, rest) = line.split_once(' ')?;
    let (path, _) = rest.split_once(' ')?;
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}
