//! An edge of a test's own: workerd with the build, told what the test says. It can be killed, as a machine is.

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::http::try_send;
use crate::{soon, variable};

/// Where workerd.capnp and the build are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../edge");

/// Runs as long as it lives.
pub struct Edge {
    /// Scheme, host and port; the same after a restart.
    pub url: String,
    variables: Vec<(String, String)>,
    log: PathBuf,
    child: Child,
}

impl Edge {
    /// Its log is kept under that name.
    pub fn start(name: &str, variables: Vec<(String, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let log = Path::new(&variable("MPS_E2E_LOGS")).join(format!("{name}.log"));
        let child = launch(&url, &variables, &log);
        let edge = Self { url, variables, log, child };
        edge.wait();
        edge
    }

    /// It is gone in the middle of whatever it did.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("its end");
    }

    /// The same edge again, after it was killed.
    pub fn restart(&mut self) {
        self.child = launch(&self.url, &self.variables, &self.log);
        self.wait();
    }

    /// A line of its log, as soon as there is one that has all of this in it.
    pub fn line_with(&self, parts: &[&str]) -> String {
        soon(|| {
            let log = fs::read_to_string(&self.log).expect("a log");
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        })
    }

    fn wait(&self) {
        let url = format!("{}/health", self.url);
        soon(|| try_send("GET", &url, &[], "").filter(|answer| answer.status == 200));
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(url: &str, variables: &[(String, String)], log: &Path) -> Child {
    // Counters of its own, new at every start.
    let state = log.with_extension("state");
    let _ = fs::remove_dir_all(&state);
    fs::create_dir_all(&state).expect("a folder");
    let file = OpenOptions::new().append(true).create(true).open(log).expect("a log");
    Command::new(variable("MPS_E2E_WORKERD"))
        .current_dir(FOLDER)
        .args(["serve", "workerd.capnp", "--verbose"])
        .arg(format!("--socket-addr=http={}", url.replace("http://", "")))
        .arg(format!("--directory-path=state={}", state.display()))
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a log"))
        .stderr(file)
        .spawn()
        .expect("workerd")
}
