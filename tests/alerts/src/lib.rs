//! Prometheus and Alertmanager with the files of deploy/, edges that are played, and who is told: a chat's address and a mail server.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test bench fails by panicking")]

mod chat;
mod edge;
mod mail;
mod shorten;
mod watch;
mod web;

pub use chat::Chat;
pub use edge::Edge;
pub use mail::{Mail, MailServer};
pub use shorten::shortened;
pub use watch::{Addresses, Watch};
