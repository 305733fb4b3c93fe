//! Prometheus and Alertmanager as deploy/ has them, with addresses of the test's own and a minute in a second.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mps_e2e::{free_addresses, in_time, send, try_send, variable};
use serde_json::Value;

use crate::shortened;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");

/// Who is there.
pub struct Addresses {
    /// Two edges.
    pub edges: [SocketAddr; 2],
    /// The exporters, all in one.
    pub exporters: SocketAddr,
    /// The chat.
    pub chat: SocketAddr,
    /// The mail server.
    pub mail: SocketAddr,
}

/// Both run as long as it lives.
pub struct Watch {
    prometheus: Program,
    alertmanager: Program,
    _folder: tempfile::TempDir,
}

impl Watch {
    /// The token is Prometheus' for the edges, the password Alertmanager's for the mail server.
    pub fn start(token: &str, password: &str, addresses: &Addresses) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("rules")).expect("a folder");
        fs::write(at("mps.token"), token).expect("a file");
        fs::write(at("smtp.password"), password).expect("a file");
        fs::write(at("chat.url"), format!("http://{}/services/x", addresses.chat)).expect("a file");
        let [one, other] = free_addresses();
        let files = folder.path().display().to_string() + "/";
        fs::write(at("rules/mps.yml"), shortened(&committed("prometheus/rules/mps.yml"))).expect("a file");
        let [first, second] = addresses.edges.map(|edge| edge.to_string());
        let exporters = addresses.exporters.to_string();
        let prometheus = replaced(
            &committed("prometheus/prometheus.yml"),
            &[
                ("scrape_interval: 15s", "scrape_interval: 1s"),
                ("evaluation_interval: 15s", "evaluation_interval: 500ms"),
                ("127.0.0.1:8787", &first),
                ("127.0.0.1:8788", &second),
                ("127.0.0.1:9187", &exporters),
                ("127.0.0.1:9113", &exporters),
                ("127.0.0.1:9100", &exporters),
                ("127.0.0.1:9093", &other.to_string()),
                ("/etc/prometheus/", &files),
            ],
        );
        fs::write(at("prometheus.yml"), prometheus).expect("a file");
        let alertmanager = replaced(
            &committed("alertmanager/alertmanager.yml"),
            &[
                ("smtp.example.com:587", &addresses.mail.to_string()),
                ("smtp_require_tls: true", "smtp_require_tls: false"),
                ("/etc/prometheus/", &files),
                ("group_wait: 30s", "group_wait: 100ms"),
                ("group_wait: 10s", "group_wait: 100ms"),
                ("group_interval: 5m", "group_interval: 500ms"),
                ("group_interval: 1m", "group_interval: 500ms"),
            ],
        );
        fs::write(at("alertmanager.yml"), alertmanager).expect("a file");
        let alertmanager = Program::start("alertmanager", "MPS_ALERTS_ALERTMANAGER", other, |command| {
            command.arg(format!("--config.file={}", at("alertmanager.yml").display()));
            command.arg(format!("--storage.path={}", at("alertmanager").display()));
            command.arg("--cluster.listen-address=");
        });
        let prometheus = Program::start("prometheus", "MPS_ALERTS_PROMETHEUS", one, |command| {
            command.arg(format!("--config.file={}", at("prometheus.yml").display()));
            command.arg(format!("--storage.tsdb.path={}", at("data").display()));
        });
        Self { prometheus, alertmanager, _folder: folder }
    }

    /// What Prometheus answers to a query: labels and value of each series.
    pub fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let url = format!("http://{}/api/v1/query?query={query}", self.prometheus.address);
        let answer = send("GET", &url, &[], "");
        assert_eq!(answer.body["status"], "success", "{}", answer.text);
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        let result = answer.body["data"]["result"].as_array().expect("a result").clone();
        result.iter().map(|series| (series["metric"].clone(), value(series).expect("a number"))).collect()
    }

    /// Which alerts fire.
    pub fn firing(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.query("ALERTS{alertstate=\"firing\"}").iter().map(|(labels, _)| name_of(labels)).collect();
        names.dedup();
        names
    }

    /// Which Alertmanager keeps to itself because of others.
    pub fn inhibited(&self) -> Vec<String> {
        let url = format!("http://{}/api/v2/alerts", self.alertmanager.address);
        let alerts = send("GET", &url, &[], "").body;
        let alerts = alerts.as_array().expect("alerts").iter();
        let inhibited = alerts.filter(|alert| alert["status"]["state"] == "suppressed");
        inhibited.map(|alert| name_of(&alert["labels"])).collect()
    }
}

fn name_of(labels: &Value) -> String {
    labels["alertname"].as_str().expect("a name").to_owned()
}

fn committed(name: &str) -> String {
    fs::read_to_string(Path::new(DEPLOY).join(name)).expect("a committed file")
}

/// Each must be there: else the test would say something of another file.
fn replaced(text: &str, texts: &[(&str, &str)]) -> String {
    texts.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from}");
        text.replace(from, to)
    })
}

/// One of the two.
struct Program {
    address: SocketAddr,
    child: Child,
}

impl Program {
    fn start(name: &str, variable_name: &str, address: SocketAddr, tell: impl FnOnce(&mut Command)) -> Self {
        let log = PathBuf::from(variable("MPS_E2E_LOGS")).join(format!("{name}.log"));
        let log = File::create(log).expect("a log");
        let mut command = Command::new(variable(variable_name));
        command.arg(format!("--web.listen-address={address}")).arg("--log.level=info");
        tell(&mut command);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let mut child = command.spawn().expect(name);
        let url = format!("http://{address}/-/ready");
        in_time(name, || {
            assert!(matches!(child.try_wait(), Ok(None)), "{name} ended by itself; its log says why");
            try_send("GET", &url, &[], "").filter(|answer| answer.status == 200)
        });
        Self { address, child }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
