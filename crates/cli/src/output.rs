//! What is told on the terminal: text for people, JSON for programs.

use anstream::{eprintln, println};
use serde::Serialize;
use serde_json::json;

/// How it is told.
pub(crate) struct Output {
    pub(crate) is_json: bool,
}

impl Output {
    /// The result of a command.
    pub(crate) fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.is_json {
            println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
        } else {
            println!("{}", text());
        }
    }

    /// Why there is none.
    pub(crate) fn failure(&self, error: &anyhow::Error) {
        if self.is_json {
            println!("{}", json!({"error": format!("{error:#}")}));
        } else {
            eprintln!("error: {error:#}");
        }
    }
}

/// What a program that goes on says meanwhile: on standard error, since standard output is the edges'.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
