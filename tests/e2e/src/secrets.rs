//! The secrets that tests used, in one file for the whole run; `cargo xtask test` looks for them in the logs at its end.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;

use serde_json::json;

/// Adds these under the test's name, in one write: tests are processes of their own.
pub(crate) fn keep(secrets: &[String]) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("a test");
    let lines: String = secrets.iter().map(|secret| json!([name, secret]).to_string() + "\n").collect();
    let path = crate::variable("MPS_E2E_SECRETS");
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file of secrets");
    file.write_all(lines.as_bytes()).expect("room for the secrets");
}
