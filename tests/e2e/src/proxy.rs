//! The real nginx with the configuration of deploy/nginx, in front of edges of a test's own. It is asked by curl, as a shop's program would.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Answer, in_time, variable};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/nginx");
/// Where the proxy is, by its certificate.
pub const HOST: &str = "pay.example";

/// Runs as long as it lives.
pub struct Proxy {
    /// Where it speaks TLS.
    pub tls: SocketAddr,
    /// Where it only sends elsewhere.
    pub plain: SocketAddr,
    folder: tempfile::TempDir,
    child: Child,
}

/// What a test has otherwise than an installation has it.
type Values<'a> = &'a [(&'a str, &'a str)];

impl Proxy {
    /// In front of these edges (`http://host:port`); `values` are of the configuration's `${…}`, and `texts` of it are replaced.
    pub fn start(name: &str, edges: &[&str], values: Values<'_>, texts: Values<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |part: &str| folder.path().join(part);
        for part in ["mps", "pages", "run", "logs", "site/assets", "acme/.well-known/acme-challenge"] {
            fs::create_dir_all(at(part)).expect("a folder");
        }
        make_certificates(folder.path());
        for (file, text) in [
            ("site/index.html", "<!doctype html><title>MPS</title>"),
            ("site/member.html", "<!doctype html><title>member</title>"),
            ("site/assets/a-1.js", "1"),
            ("config.json", r#"{"edgeUrl":"/"}"#),
            ("acme/.well-known/acme-challenge/token", "proof"),
        ] {
            fs::write(at(file), text).expect("a file");
        }
        let (tls, plain) = (free_address(), free_address());
        let servers: String =
            edges.iter().map(|edge| format!("server {};\n", edge.replace("http://", ""))).collect();
        let path = |part: &str| at(part).display().to_string();
        let mut all = vec![
            ("MPS_EDGES", servers),
            ("MPS_ORIGINS", "https://wallet.example https://wallet.example;".to_owned()),
            ("MPS_HOST", HOST.to_owned()),
            ("MPS_HTTP_LISTEN", plain.to_string()),
            ("MPS_HTTPS_LISTEN", tls.to_string()),
            ("MPS_CERTIFICATE", path("server.pem")),
            ("MPS_CERTIFICATE_KEY", path("server.key")),
            ("MPS_ACME_ROOT", path("acme")),
            ("MPS_SITE_ROOT", path("site")),
            ("MPS_SITE_CONFIG", path("config.json")),
            ("MPS_NGINX_FOLDER", path("")),
            ("MPS_MAINTENANCE_FILE", path("maintenance")),
            ("MPS_RATE_API", "1000r/s".to_owned()),
            ("MPS_BURST_API", "1000".to_owned()),
            ("MPS_RATE_PAYMENT", "1000r/s".to_owned()),
            ("MPS_BURST_PAYMENT", "1000".to_owned()),
            ("MPS_RATE_ADDRESS", "1000r/s".to_owned()),
            ("MPS_BURST_ADDRESS", "1000".to_owned()),
        ];
        for (key, value) in values {
            let known = all.iter_mut().find(|(known, _)| known == key).expect("a value of it");
            (*value).clone_into(&mut known.1);
        }
        for file in files_of(Path::new(FOLDER)) {
            let mut text = fs::read_to_string(Path::new(FOLDER).join(&file)).expect("a text");
            for (key, value) in &all {
                text = text.replace(&format!("${{{key}}}"), value);
            }
            for (from, to) in texts {
                text = text.replace(from, to);
            }
            assert!(!text.contains("${"), "{}: {text}", file.display());
            fs::write(at(&file.display().to_string()), text).expect("a file");
        }
        let log = Path::new(&variable("MPS_E2E_LOGS")).join(format!("{name}-nginx.log"));
        let log = fs::File::create(log).expect("a log");
        let child = Command::new(variable("MPS_E2E_NGINX"))
            .args(["-p", &path(""), "-c", &path("nginx.conf"), "-g", "daemon off; user root;"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("nginx");
        let proxy = Self { tls, plain, folder, child };
        in_time(|| proxy.curl(&[&proxy.url("/config.json")]));
        proxy
    }

    /// An address behind it.
    pub fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.tls.port())
    }

    /// One request over HTTP/2.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.try_send(method, path, headers, body).expect("an answer")
    }

    /// The same where nobody may answer.
    pub fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
        let url = self.url(path);
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let mut arguments = vec!["--http2", "--request", method];
        for line in &lines {
            arguments.extend(["--header", line]);
        }
        if !body.is_empty() {
            arguments.extend(["--data-binary", body]);
        }
        arguments.push(&url);
        self.curl(&arguments)
    }

    /// curl with these arguments, which trusts the test's own authority and knows where the host is.
    pub fn curl(&self, arguments: &[&str]) -> Option<Answer> {
        let (host, plain) = (format!("{HOST}:{}", self.tls.port()), format!("{HOST}:{}", self.plain.port()));
        let authority = self.folder.path().join("authority.pem");
        let ran = Command::new("curl")
            .args(["--silent", "--include", "--max-time", "30", "--noproxy", "*", "--cacert"])
            .arg(authority)
            .args(["--resolve", &format!("{host}:127.0.0.1"), "--resolve", &format!("{plain}:127.0.0.1")])
            .args(arguments)
            .output()
            .expect("curl");
        // Whoever is refused while they still send may find the connection closed after the answer.
        let text = String::from_utf8_lossy(&ran.stdout);
        (ran.status.success() || text.starts_with("HTTP/")).then(|| read_answer(&text))
    }

    /// The lines of its log as JSON.
    pub fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("logs/access.log")).expect("a log");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Says that somebody is at work on the system, or no longer.
    pub fn maintain(&self, is_on: bool) {
        let file = self.folder.path().join("maintenance");
        if is_on { fs::write(file, "") } else { fs::remove_file(file) }.expect("a file");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its workers go when the master is told to; a kill would leave them.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for part in ["", "mps", "pages"] {
        for entry in fs::read_dir(folder.join(part)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() && path.extension().is_some_and(|ending| ending != "md") {
                files.push(path.strip_prefix(folder).expect("within").to_owned());
            }
        }
    }
    files
}

/// A private authority and what it certifies, by openssl.
fn make_certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let ran =
            Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().expect("openssl");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    fs::write(folder.join("names.cnf"), format!("subjectAltName=DNS:{HOST}\n")).expect("a file");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {key} -keyout authority.key -out authority.pem -days 2 -subj /CN=Authority"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN={HOST}"));
    openssl(
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names.cnf -out server.pem",
    );
}

fn read_answer(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: HeaderName = name.parse().expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    Answer { status, headers, body: serde_json::from_str(body).unwrap_or(Value::Null), text: body.to_owned() }
}
