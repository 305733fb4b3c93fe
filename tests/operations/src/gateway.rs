//! postrust before the installation's database.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mps_e2e::{fresh, in_time, try_send, variable};

/// Runs as long as it lives.
pub struct Gateway {
    /// Where its RPCs are, below `/rpc/`.
    pub url: String,
    child: Child,
}

impl Gateway {
    /// As that file of `NAME=value` lines and those secrets tell it, which are `PGRST_JWT_SECRET` and the password.
    pub fn start(database_url: &str, variables: &BTreeMap<String, String>) -> Self {
        Self::start_at("127.0.0.1", database_url, variables)
    }

    /// The same where containers can ask it too.
    pub fn start_for_containers(database_url: &str, keys: &str) -> Self {
        let variables = [
            ("PGRST_DB_ANON_ROLE", "anon"),
            ("PGRST_DB_SCHEMAS", "public"),
            ("PGRST_DB_POOL", "24"),
            ("PGRST_JWT_SECRET", keys),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self::start_at("0.0.0.0", database_url, &variables.map(owned).into())
    }

    fn start_at(host: &str, database_url: &str, variables: &BTreeMap<String, String>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let log = Path::new(&variable("MPS_E2E_LOGS")).join(format!("{}.log", fresh("gateway-")));
        let log = File::create(log).expect("a log");
        let mut command = Command::new(variable("MPS_OPS_POSTRUST"));
        command.env("POSTRUST_COMPAT_MODE", "true").env("DATABASE_URL", database_url);
        command.envs(variables);
        command.env("PGRST_SERVER_HOST", host).env("PGRST_SERVER_PORT", port.to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let gateway =
            Self { url: format!("http://127.0.0.1:{port}"), child: command.spawn().expect("postrust") };
        in_time("postrust", || {
            let json = [("content-type", "application/json")];
            let answer = try_send("POST", &format!("{}/rpc/test_connection", gateway.url), &json, "{}")?;
            (answer.status == 200).then_some(())
        });
        gateway
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
