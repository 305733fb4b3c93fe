//! The address that a chat has for programs: what is posted there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::web;

/// Takes messages as Slack does, as long as the test runs.
pub struct Chat {
    /// Where.
    pub address: SocketAddr,
    messages: Arc<Mutex<Vec<String>>>,
}

impl Chat {
    /// Empty.
    #[expect(clippy::new_without_default, reason = "it listens")]
    pub fn new() -> Self {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&messages);
        let address = web::serve(move |asked| {
            shared.lock().unwrap_or_else(PoisonError::into_inner).push(asked.body.clone());
            Some((200, "text/plain", "ok".to_owned()))
        });
        Self { address, messages }
    }

    /// What was posted.
    pub fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The message with all of this in it, once it is there.
    pub fn find(&self, parts: &[&str]) -> Option<String> {
        self.messages().into_iter().find(|message| parts.iter().all(|part| message.contains(part)))
    }
}
