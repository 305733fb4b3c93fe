//! Prometheus and Alertmanager with the files of deploy/, edges that are played, and who is told: a chat's address and a mail server.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test bench fails by panicking")]

mod chat;
mod edge;
mod mail;
mod shorten;
mod watch;
mod web;

use std::thread;
use std::time::{Duration, Instant};

pub use chat::Chat;
pub use edge::Edge;
pub use mail::{Mail, MailServer};
pub use shorten::shortened;
pub use watch::{Addresses, Watch};

/// What the work answers as soon as it has an answer; two minutes are too late.
pub fn in_time<T>(what: &str, mut work: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = work() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{what} does not come");
        thread::sleep(Duration::from_millis(50));
    }
}
