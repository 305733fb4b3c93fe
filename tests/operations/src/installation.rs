//! The parts of an installation, put together by the operator's own commands.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mps_e2e::gateway::{Gateway as Providers, WeChat, bare};
use mps_e2e::{Proxy, Rates, Token, free_addresses, fresh, variable};
use postgres::{Client, NoTls};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::load::Pair;
use crate::{Auth, Gateway, Serving, mps};

/// What pages send to Supabase.
pub const PUBLISHABLE_KEY: &str = "sb_publishable_x";

/// How many connections PostgREST may have; far fewer than clients, who would have it open more.
pub const POOL_SIZE: usize = 4;

/// Two edges behind nginx, before a database of its own.
pub struct Installation {
    // Dropped in this order: who asks before who is asked.
    /// nginx.
    pub proxy: Proxy,
    /// `mps serve`.
    pub serving: Serving,
    /// postrust.
    pub gateway: Gateway,
    /// Its files.
    pub place: Place,
    /// As its superuser.
    pub database: Client,
    /// Its address.
    pub database_url: String,
    users: Vec<(String, String, String, String)>,
    /// WeChat Pay.
    pub providers: Providers,
    edges: [String; 2],
    /// As whom the gateway logs in, with a password.
    login: String,
}

impl Installation {
    /// An empty database, migrated; an installed release; two edges; nginx.
    pub fn make(name: &str, members: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut database, database_url) = empty_database();
        let release = PathBuf::from(variable("MPS_E2E_RELEASE"));
        let release_text = release.display().to_string();
        let providers = Providers::start();
        let place = Place { folder, wechat: providers.wechat.clone() };
        // Secrets are told by the configuration, which wants to know where the gateway is; the gateway wants to know a secret.
        place.configure("http://127.0.0.1:9");
        done(&place.secrets(&["init"], ""));
        done(&place.secrets(&["set", "DATABASE_PASSWORD"], &fresh("a-password-")));
        // This cluster asks nobody for a password; the store wants one.
        let with_password = database_url.replace("postgres@", "postgres:jX3-hR9_kQ2wLz7vB4n@");
        done(&place.secrets(&["set", "DATABASE_URL"], &with_password));
        let migrate = |arguments: &[&str]| {
            let mut command = mps();
            command.args(["--json", "migrate"]).args(arguments).arg("--config").arg(place.at("mps.yml"));
            done(&command.arg("--release").arg(&release_text).output().expect("mps"))
        };
        let applied = migrate(&["up", "--plain"])["applied"].as_u64().expect("a count");
        assert!(applied > 50, "{applied}");
        assert_eq!(migrate(&["up"])["applied"], 0);
        assert_eq!(migrate(&["status"])["pending"], json!([]));
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../supabase/tests/fixtures.sql");
        database.batch_execute(&fs::read_to_string(fixtures).expect("fixtures")).expect("fixtures");
        let users = people(&mut database, members);
        let login = fresh("gateway_");
        database.batch_execute(&NEW_LOGIN.replace("{login}", &login)).expect("a role");
        give_password(&mut database, &login, &place.secret("DATABASE_PASSWORD"));
        let gateway = Gateway::start(&of(&database_url, &login), &place.of_postgrest());
        place.configure(&gateway.url);
        place.sign_for_service();
        done(&place.secrets(&["set", "WECHAT_PRIVATE_KEY"], &providers.wechat.merchant.private_pem()));
        done(&place.secrets(&["set", "WECHAT_API_V3_KEY"], &providers.wechat.api_v3_key));
        assert_eq!(done(&place.secrets(&["audit"], ""))["findings"], json!([]));
        let edges = free_addresses::<2>().map(|address| address.to_string());
        let mut serve = mps();
        serve.arg("serve").arg("--config").arg(place.at("mps.yml")).arg("--state").arg(place.at("state"));
        serve.arg("--release").arg(place.at("root/current"));
        for edge in &edges {
            serve.args(["--listen", edge]);
        }
        serve.env("WECHAT_BASE_URL", &providers.url);
        let mut install = mps();
        install.args(["--json", "deploy", "--install-only", "--root"]).arg(place.at("root")).arg(&release);
        assert_eq!(done(&install.output().expect("mps"))["version"], "0.0.0+tests");
        let serving = Serving::start(name, &mut serve);
        for edge in &edges {
            serving.wait_for(&format!("the edge listens at http://{edge} "));
        }
        let texts = [("server_name pay.example;", "server_name pay.example localhost;")];
        let proxy = Proxy::start(name, &edges.each_ref().map(String::as_str), &Rates::HIGH, &texts);
        Self { proxy, serving, gateway, place, database, database_url, users, providers, edges, login }
    }

    /// A PostgREST beside the one that is there, as configuration and secrets are now, with the role's password of now.
    pub fn another_gateway(&mut self) -> Gateway {
        give_password(&mut self.database, &self.login, &self.place.secret("DATABASE_PASSWORD"));
        Gateway::start(&of(&self.database_url, &self.login), &self.place.of_postgrest())
    }

    /// Whether the gateway's role gets in with that password.
    pub fn is_let_in(&self, password: &str) -> bool {
        let with_password = of(&self.database_url, &format!("{}:{password}", self.login));
        Client::connect(&with_password, NoTls).is_ok()
    }

    /// How many connections the gateways have.
    pub fn connections(&mut self) -> usize {
        let login = &self.login;
        let count = value(
            &mut self.database,
            &format!("select count(*) from pg_stat_activity where usename = '{login}'"),
        );
        count.parse().expect("a count")
    }

    /// Everybody, signed in with tokens of the secret that is kept.
    pub fn pairs(&self) -> Vec<Pair> {
        let secret = self.place.secret("SUPABASE_JWT_SECRET");
        let sign = |user: &String| Token::of(user).sign(&secret);
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

    /// The first of its edges.
    pub fn an_edge(&self) -> String {
        format!("http://{}", self.edges[0])
    }

    /// Whoever trusts its authority.
    pub fn agent(&self) -> Agent {
        let pem = fs::read(self.proxy.authority()).expect("a certificate");
        let certificate = Certificate::from_pem(&pem).expect("a certificate");
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(vec![certificate]))).build();
        let config = Agent::config_builder().http_status_as_error(false).tls_config(tls).proxy(None);
        config.timeout_global(Some(Duration::from_secs(30))).build().into()
    }

    /// `mps smoke` with the first member and their cashier; `secret` signs for them, or what is kept where it is empty.
    pub fn smoke(&self, secret: &str) -> Output {
        self.smoke_at(&self.url(), secret)
    }

    /// The same somewhere else.
    pub fn smoke_at(&self, url: &str, secret: &str) -> Output {
        let (member, cashier, _, merchant) = &self.users[0];
        let mut command = mps();
        command.args(["--json", "smoke", "--url", url, "--merchant", merchant]);
        command
            .args(["--member-user", member, "--cashier-user", cashier, "--cacert"])
            .arg(self.proxy.authority());
        command.arg("--config").arg(self.place.at("mps.yml"));
        command.env("SUPABASE_JWT_SECRET", secret).output().expect("mps")
    }

    /// `mps` with these arguments and variables.
    pub fn operate(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        mps().arg("--json").args(arguments).envs(variables.iter().copied()).output().expect("mps")
    }

    /// Supabase Auth before its database, with the secrets of now.
    pub fn auth(&self) -> Auth {
        let secret = |name| self.place.secret(name);
        Auth::start(
            &self.database_url,
            PUBLISHABLE_KEY,
            &secret("SUPABASE_SECRET_KEY"),
            &secret("SUPABASE_JWT_SECRET"),
        )
    }

    /// The first member's cashier's user.
    pub fn first_cashier(&self) -> &str {
        &self.users[0].1
    }

    /// The first member's user.
    pub fn first_user(&self) -> &str {
        &self.users[0].0
    }

    /// `mps health` from outside.
    pub fn health(&self) -> Output {
        let mut command = mps();
        command.args(["--json", "health", "--ready", "--url", &self.url(), "--cacert"]);
        command.arg(self.proxy.authority()).output().expect("mps")
    }

    /// `mps deploy` with these arguments.
    pub fn deploy(&self, arguments: &[&str]) -> Output {
        self.deploying(&["--watch-seconds", "2"]).args(arguments).output().expect("mps")
    }

    /// The same, not started yet.
    pub fn deploying(&self, arguments: &[&str]) -> Command {
        let mut command = mps();
        command.args(["--json", "deploy", "--root"]).arg(self.place.at("root"));
        command.arg("--state").arg(self.place.at("state")).args(arguments);
        command
    }

    /// A copy of the release under another version, changed by the work.
    pub fn release(&self, version: &str, change: impl FnOnce(&Path)) -> PathBuf {
        let folder = self.place.at(&format!("mps-{version}"));
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

/// The folder of an installation's configuration, secrets and releases.
pub struct Place {
    folder: tempfile::TempDir,
    wechat: WeChat,
}

impl Place {
    /// A path in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes what the edges are told from the next roll on.
    pub fn configure(&self, gateway: &str) {
        let many = |window_ms: u32| json!({"window_ms": window_ms, "max_requests": 1_000_000});
        let config = json!({
            "app": {"name": "operations", "environment": "staging", "public_url": "https://pay.example"},
            "supabase": {
                "url": gateway, "rest_url": gateway, "jwks_url": "off", "publishable_key": PUBLISHABLE_KEY,
            },
            "security": {
                "trusted_address_header": "X-Real-IP", "rate_limit": many(60_000),
                "payment_rate_limit": many(10_000), "address_rate_limit": many(10_000),
            },
            "database": {"pool_size": POOL_SIZE},
            "providers": {"wechat": {
                "mchid": self.wechat.mchid, "appid": self.wechat.appid, "serial_no": self.wechat.merchant_serial,
                "public_keys": json!({&self.wechat.public_key.0: bare(&self.wechat.public_key.1.public_pem())}).to_string(),
            }},
            "secrets": {"store": "file", "path": self.at("secrets.age"), "identity": self.at("identity.txt")},
        });
        fs::write(self.at("mps.yml"), config.to_string()).expect("a file");
    }

    /// `mps secrets` with these arguments, and that on its standard input.
    pub fn secrets(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = mps();
        command.args(["--json", "secrets"]).args(arguments).arg("--config").arg(self.at("mps.yml"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("mps");
        child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("a value");
        child.wait_with_output().expect("mps")
    }

    /// A secret that is kept.
    pub fn secret(&self, name: &str) -> String {
        let mut command = mps();
        command.args(["secrets", "get", name, "--reveal", "--config"]).arg(self.at("mps.yml"));
        let output = command.output().expect("mps");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end_matches('\n').to_owned()
    }

    /// What PostgREST is told: its configuration, the keys of tokens, its password.
    fn of_postgrest(&self) -> BTreeMap<String, String> {
        let config = self.at("mps.yml");
        let config = config.to_str().expect("a path");
        let configured = ["config", "render", config, "--for", "postgrest"];
        let secret = ["secrets", "render", "--for", "postgrest", "--config", config];
        let mut all = BTreeMap::new();
        for arguments in [&configured[..], &secret] {
            let text = String::from_utf8(mps().args(arguments).output().expect("mps").stdout).expect("text");
            let lines =
                text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
            all.extend(lines.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())));
        }
        assert!(all.contains_key("PGRST_JWT_SECRET") && all.contains_key("PGPASSWORD"), "{:?}", all.keys());
        all
    }

    /// Sets the key for the edge's own calls: a token that the secret of now signs.
    pub fn sign_for_service(&self) {
        let service = Token::of("service").with("role", json!("service_role")).with("sub", Value::Null);
        let token = service.with_time("exp", 365 * 86400).sign(&self.secret("SUPABASE_JWT_SECRET"));
        done(&self.secrets(&["set", "SUPABASE_SECRET_KEY"], &token));
    }
}

/// A role like the one that Supabase's PostgREST logs in as, which this cluster asks for a password.
const NEW_LOGIN: &str = "do $$ begin create role asked_for_a_password nologin;
    exception when duplicate_object or unique_violation then null; end $$;
    create role {login} login noinherit;
    grant anon, authenticated, service_role, asked_for_a_password to {login};";

fn give_password(database: &mut Client, login: &str, password: &str) {
    database.batch_execute(&format!("alter role {login} password '{password}'")).expect("a password");
}

/// The same database as somebody else.
fn of(database_url: &str, login: &str) -> String {
    database_url.replace("postgres@", &format!("{login}@"))
}

/// A new one, and its address.
pub fn empty_database() -> (Client, String) {
    let cluster = variable("MPS_E2E_DATABASE_URL");
    let name = fresh("ops_")[..20].to_owned();
    let mut any = Client::connect(&cluster, NoTls).expect("the cluster");
    any.batch_execute(&format!("create database {name}")).expect("a database");
    let (server, _) = cluster.rsplit_once('/').expect("an address with a database");
    let url = format!("{server}/{name}");
    (Client::connect(&url, NoTls).expect("the new database"), url)
}

/// `mps migrate` of that database, by the release of the tests.
pub fn migrate(database_url: &str, arguments: &[&str]) -> Output {
    let mut command = mps();
    command.args(["--json", "migrate"]).args(arguments).arg("--release").arg(variable("MPS_E2E_RELEASE"));
    command.env("DATABASE_URL", database_url).output().expect("mps")
}

/// Members with money, each with a cashier of a merchant of their own: member, cashier, card, merchant.
pub fn people(database: &mut Client, count: usize) -> Vec<(String, String, String, String)> {
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

/// The first column of one row, as text.
pub fn value(database: &mut Client, query: &str) -> String {
    let rows = database.simple_query(query).expect("a right query");
    let first = rows.iter().find_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    first.unwrap_or_default()
}
