//! The real nginx with the configuration of deploy/nginx, in front of edges of a test's own. It is asked by curl, as a shop's program would.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Answer, soon, variable};

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

/// Requests a second, and how many more at once.
pub struct Rates {
    /// Of a caller.
    pub api: (u32, u32),
    /// Of a caller, for payments.
    pub payment: (u32, u32),
    /// Of an address.
    pub address: (u32, u32),
}

impl Rates {
    /// None that a test meets.
    pub const HIGH: Self = Self { api: (1000, 1000), payment: (1000, 1000), address: (1000, 1000) };
}

impl Proxy {
    /// In front of these edges (`http://host:port`), as `mps config render` writes it; of its files, texts are replaced by others.
    pub fn start(name: &str, edges: &[&str], rates: &Rates, texts: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |part: &str| folder.path().join(part);
        for part in ["site/assets", "acme/.well-known/acme-challenge"] {
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
        let [tls, plain] = free_addresses();
        let path = |part: &str| at(part).display().to_string();
        let rate = |(per_second, burst): (u32, u32)| json!({"per_second": per_second, "burst": burst});
        let edges: Vec<String> = edges.iter().map(|edge| edge.replace("http://", "")).collect();
        let config = json!({
            "app": {"name": name, "environment": "staging"},
            "supabase": {"url": variable("MPS_E2E_SUPABASE_URL"), "publishable_key": variable("MPS_E2E_PUBLISHABLE_KEY")},
            "security": {"trusted_address_header": "X-Real-IP", "cors": {"origin": ["https://wallet.example"]}},
            "proxy": {
                "host": HOST, "edges": edges, "http_listen": plain.to_string(), "https_listen": tls.to_string(),
                "certificate": path("server.pem"), "certificate_key": path("server.key"), "acme_root": path("acme"),
                "site_root": path("site"), "site_config": path("config.json"), "maintenance_file": path("maintenance"),
                "api": rate(rates.api), "payment": rate(rates.payment), "address": rate(rates.address),
            },
        });
        // JSON is YAML.
        fs::write(at("mps.yml"), config.to_string()).expect("a file");
        let rendered = Command::new(variable("MPS_E2E_MPS"))
            .args(["config", "render", &path("mps.yml"), "--for", "nginx", "--out", &path("")])
            .output()
            .expect("mps");
        assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        let mut files =
            ["mps.conf", "mps/http.conf"].map(|file| (file, fs::read_to_string(at(file)).expect("a text")));
        for (from, to) in texts {
            assert!(files.iter().any(|(_, text)| text.contains(from)), "{from} is in no file");
            for (_, text) in &mut files {
                *text = text.replace(from, to);
            }
        }
        for (file, text) in files {
            fs::write(at(file), text).expect("a file");
        }
        // For Prometheus' exporter of nginx.
        let status = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/nginx-status.conf");
        fs::create_dir_all(at("local")).expect("a folder");
        fs::copy(status, at("local/status.conf")).expect("a file");
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
        soon(|| proxy.curl(&[&proxy.url("/config.json")]));
        proxy
    }

    /// An address behind it.
    pub fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.tls.port())
    }

    /// The certificate of whoever vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
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
        let ran = self.run_curl(arguments);
        // Whoever is refused while they still send may find the connection closed after the answer.
        let text = String::from_utf8_lossy(&ran.stdout);
        (ran.status.success() || text.starts_with("HTTP/")).then(|| read_answer(&text))
    }

    /// The same, and what curl says of it by its exit code.
    pub fn run_curl(&self, arguments: &[&str]) -> Output {
        let (host, plain) = (format!("{HOST}:{}", self.tls.port()), format!("{HOST}:{}", self.plain.port()));
        Command::new("curl")
            .args(["--silent", "--include", "--max-time", "30", "--noproxy", "*", "--cacert"])
            .arg(self.authority())
            .args(["--resolve", &format!("{host}:127.0.0.1"), "--resolve", &format!("{plain}:127.0.0.1")])
            .args(arguments)
            .output()
            .expect("curl")
    }

    /// The lines of its log about a path, as soon as there are so many: they are written after the answers.
    pub fn log(&self, path: &str, count: usize) -> Vec<Value> {
        soon(|| {
            let text = fs::read_to_string(self.folder.path().join("logs/access.log")).expect("a log");
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            let lines: Vec<Value> = lines.filter(|line| line["path"] == path).collect();
            (lines.len() == count).then_some(lines)
        })
    }

    /// Says that somebody is at work on the system, or no longer.
    pub fn maintain(&self, is_on: bool) {
        let mut command = Command::new(variable("MPS_E2E_MPS"));
        command.args(["maintenance", if is_on { "on" } else { "off" }, "--config"]);
        let output = command.arg(self.folder.path().join("mps.yml")).output().expect("mps");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its workers go when the master is told to; a kill would leave them.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A port of this machine that nobody has.
pub fn free_address() -> SocketAddr {
    let [address] = free_addresses();
    address
}

/// So many, of which no two are the same: each is held until all are found.
pub fn free_addresses<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.each_ref().map(|listener| listener.local_addr().expect("an address"))
}

/// A private authority and what it certifies, by openssl: authority.pem, server.pem and server.key in the folder.
pub fn make_certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let ran =
            Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().expect("openssl");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    fs::write(folder.join("names.cnf"), format!("subjectAltName=DNS:{HOST},DNS:localhost\n"))
        .expect("a file");
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
