//! The parts of an installation, put together by the operator's own commands.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use mps_e2e::{Proxy, Rates, Token, fresh, variable};
use postgres::{Client, NoTls};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::load::Pair;
use crate::{Gateway, Serving, mps};

/// Two edges behind nginx, before a database of its own.
pub struct Installation {
    // Dropped in this order: who asks before who is asked.
    /// nginx.
    pub proxy: Proxy,
    /// `mps serve`.
    pub serving: Serving,
    /// postrust.
    pub gateway: Gateway,
    /// What its files lie in.
    pub folder: tempfile::TempDir,
    /// As its superuser.
    pub database: Client,
    /// Its address.
    pub database_url: String,
    users: Vec<(String, String, String, String)>,
}

/// What verifies access tokens at first.
pub const JWT_SECRET: &str = "the-first-secret-of-more-than-32-letters";
/// Opens the jobs at first.
pub const OPS_TOKEN: &str = "an-operator-s-token-of-32-letters-or-more";

impl Installation {
    /// An empty database, migrated; an installed release; two edges; nginx.
    pub fn make(name: &str, members: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut database, database_url) = empty_database();
        let release = PathBuf::from(variable("MPS_E2E_RELEASE"));
        let release_text = release.display().to_string();
        let migrate = |arguments: &[&str]| {
            let mut command = mps();
            command.env("DATABASE_URL", &database_url).args(["--json", "migrate"]).args(arguments);
            done(&command.arg("--release").arg(&release_text).output().expect("mps"))
        };
        let applied = migrate(&["up", "--plain"])["applied"].as_u64().expect("a count");
        assert!(applied > 50, "{applied}");
        assert_eq!(migrate(&["up"])["applied"], 0);
        assert_eq!(migrate(&["status"])["pending"], json!([]));
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../supabase/tests/fixtures.sql");
        database.batch_execute(&fs::read_to_string(fixtures).expect("fixtures")).expect("fixtures");
        let users = people(&mut database, members);
        let gateway = Gateway::start(&database_url, &[JWT_SECRET]);
        let edges = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let variables = variables_of(&gateway.url, JWT_SECRET, &[]);
        fs::write(folder.path().join("edge.env"), variables).expect("a file");
        let mut serve = mps();
        serve.args(["serve", "--env-file"]).arg(folder.path().join("edge.env"));
        serve.arg("--state").arg(folder.path().join("state"));
        serve.arg("--release").arg(folder.path().join("root/current"));
        for edge in &edges {
            serve.args(["--listen", edge]);
        }
        fs::create_dir_all(folder.path().join("root")).expect("a folder");
        std::os::unix::fs::symlink(&release, folder.path().join("root/current")).expect("a link");
        let serving = Serving::start(name, &mut serve);
        for edge in &edges {
            serving.wait_for(&format!("the edge listens at http://{edge} "));
        }
        let edges = edges.each_ref().map(String::as_str);
        let texts = [("server_name pay.example;", "server_name pay.example localhost;")];
        let proxy = Proxy::start(name, &edges, &Rates::HIGH, &texts);
        Self { proxy, serving, gateway, folder, database, database_url, users }
    }

    /// Writes what the edges are told from the next roll on.
    pub fn tell_edges(&self, gateway: &Gateway, secret: &str, more: &[(&str, &str)]) {
        let text = variables_of(&gateway.url, secret, more);
        fs::write(self.folder.path().join("edge.env"), text).expect("a file");
    }

    /// Everybody, signed in with tokens of this secret.
    pub fn pairs(&self, secret: &str) -> Vec<Pair> {
        let sign = |user: &String| Token::of(user).sign(secret);
        let pair = |(member, cashier, card_id, merchant_code): &(String, String, String, String)| Pair {
            member: sign(member),
            cashier: sign(cashier),
            card_id: card_id.clone(),
            merchant_code: merchant_code.clone(),
        };
        self.users.iter().map(pair).collect()
    }

    /// Where it is from outside.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.proxy.tls.port())
    }

    /// Whoever trusts its authority.
    pub fn agent(&self) -> Agent {
        let pem = fs::read(self.proxy.authority()).expect("a certificate");
        let certificate = Certificate::from_pem(&pem).expect("a certificate");
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(vec![certificate]))).build();
        let config = Agent::config_builder().http_status_as_error(false).tls_config(tls).proxy(None);
        config.timeout_global(Some(Duration::from_secs(30))).build().into()
    }

    /// `mps smoke` with the first member and their cashier, whose tokens `secret` signs.
    pub fn smoke(&self, secret: &str) -> Output {
        let (member, cashier, _, merchant) = &self.users[0];
        let mut command = mps();
        command.args(["--json", "smoke", "--url", &self.url(), "--merchant", merchant]);
        command
            .args(["--member-user", member, "--cashier-user", cashier, "--cacert"])
            .arg(self.proxy.authority());
        command.env("SUPABASE_JWT_SECRET", secret).output().expect("mps")
    }

    /// `mps deploy` with these arguments.
    pub fn deploy(&self, arguments: &[&str]) -> Output {
        let mut command = mps();
        command
            .args(["--json", "deploy", "--watch-seconds", "2", "--root"])
            .arg(self.folder.path().join("root"));
        command.arg("--state").arg(self.folder.path().join("state")).args(arguments).output().expect("mps")
    }

    /// A copy of the release under another version, changed by the work.
    pub fn release(&self, version: &str, change: impl FnOnce(&Path)) -> PathBuf {
        let folder = self.folder.path().join(format!("mps-{version}"));
        let copied = Command::new("cp").arg("-r").arg(variable("MPS_E2E_RELEASE")).arg(&folder).status();
        assert!(copied.expect("cp").success());
        fs::write(folder.join("release.json"), json!({"version": version}).to_string()).expect("a file");
        change(&folder);
        folder
    }

    /// The first column of one row, as text.
    pub fn value(&mut self, query: &str) -> String {
        value(&mut self.database, query)
    }
}

/// What a command that went well answered.
pub fn done(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{answer}");
    serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"))
}

fn variables_of(gateway: &str, secret: &str, more: &[(&str, &str)]) -> String {
    let service = Token::of("service").with("role", json!("service_role")).with("sub", Value::Null);
    let service = service.with_time("exp", 365 * 86400).sign(secret);
    let mut lines = vec![
        format!("SUPABASE_URL={gateway}"),
        format!("SUPABASE_REST_URL={gateway}"),
        "SUPABASE_JWKS_URL=off".to_owned(),
        "SUPABASE_PUBLISHABLE_KEY=sb_publishable_x".to_owned(),
        format!("SUPABASE_SECRET_KEY={service}"),
        format!("SUPABASE_JWT_SECRET={secret}"),
        "TRUSTED_ADDRESS_HEADER=X-Real-IP".to_owned(),
        "RATE_LIMIT_USER=off\nRATE_LIMIT_PAYMENT=off\nRATE_LIMIT_ADDRESS=off".to_owned(),
    ];
    if !more.iter().any(|(name, _)| *name == "OPS_TOKEN") {
        lines.push(format!("OPS_TOKEN={OPS_TOKEN}"));
    }
    lines.extend(more.iter().map(|(name, value)| format!("{name}={value}")));
    lines.join("\n")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn empty_database() -> (Client, String) {
    let cluster = variable("MPS_E2E_DATABASE_URL");
    let name = fresh("ops_")[..20].to_owned();
    let mut any = Client::connect(&cluster, NoTls).expect("the cluster");
    any.batch_execute(&format!("create database {name}")).expect("a database");
    let (server, _) = cluster.rsplit_once('/').expect("an address with a database");
    let url = format!("{server}/{name}");
    (Client::connect(&url, NoTls).expect("the new database"), url)
}

/// Members with money, each with a cashier of a merchant of their own.
fn people(database: &mut Client, count: usize) -> Vec<(String, String, String, String)> {
    value(database, "select fx.ensure_master_key()");
    (0..count)
        .map(|index| {
            let merchant = format!("OPS{index:05}");
            let member =
                value(database, &format!("select fx.make_member('m{index}@fixture.example', 10000)"));
            value(database, &format!("select fx.make_merchant('{merchant}')"));
            let cashier = value(database, &format!("select fx.make_merchant_user('{merchant}')"));
            let card = value(database, &format!("select fx.standard_card('{member}')"));
            (member, cashier, card, merchant)
        })
        .collect()
}

fn value(database: &mut Client, query: &str) -> String {
    let rows = database.simple_query(query).expect("a right query");
    let first = rows.iter().find_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    first.unwrap_or_default()
}
