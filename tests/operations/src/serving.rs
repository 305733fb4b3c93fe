//! `mps`, and what it says while it serves.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use mps_e2e::{fresh, send, variable};

/// The program, which is told nothing by this process's own environment.
pub fn mps() -> Command {
    let mut command = Command::new(variable("MPS_E2E_MPS"));
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command
}

/// `mps serve` and the lines that it writes.
pub struct Serving {
    /// The program itself.
    pub child: Child,
    said: Receiver<String>,
}

impl Serving {
    /// Starts it, the edges' lines in a log of this name; `arguments` and the environment say the rest.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let log = format!("{}/{}.log", variable("MPS_E2E_LOGS"), fresh(name));
        let log = fs::File::create(log).expect("a log");
        let mut child = command.stdin(Stdio::null()).stdout(log).stderr(Stdio::piped()).spawn().expect("mps");
        let lines = BufReader::new(child.stderr.take().expect("its standard error"));
        let (sender, said) = channel();
        // It is read to its end: a full pipe would stop the program.
        thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { child, said }
    }

    /// The next line with this text.
    pub fn wait_for(&self, text: &str) -> String {
        loop {
            let line = self.said.recv_timeout(Duration::from_mins(1));
            let line = line.unwrap_or_else(|_| panic!("it never says {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        signal(&self.child.id().to_string(), name);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Its edges stop with it when it is asked, and not when it is killed.
            self.signal("TERM");
            let _ = self.child.wait();
        }
    }
}

/// Sends a process a signal.
pub(crate) fn signal(id: &str, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), id]).status().expect("kill");
    assert!(sent.success(), "no process {id}");
}

/// How many answers of `/health` the edge at an address has counted.
pub fn health_count(address: SocketAddr, ops_token: &str) -> u64 {
    let authorization = format!("Bearer {ops_token}");
    let page =
        send("GET", &format!("http://{address}/metrics"), &[("authorization", &authorization)], "").text;
    let series = r#"http_requests_total{method="GET",route="/health",status="200"} "#;
    page.lines().find_map(|line| line.strip_prefix(series)?.parse().ok()).unwrap_or_default()
}
