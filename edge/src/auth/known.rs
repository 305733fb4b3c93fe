//! Tokens whose signature was right: who comes again with one is not computed again. A hash of each is kept, and for no longer than the keys
//! that verified it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rsa::sha2::{Digest, Sha256};

use super::KeySet;

/// More than an isolate serves users within the life of its keys; a fuller memory begins anew.
const TOKENS_MAX: usize = 10_000;

/// The tokens that an isolate has verified.
#[derive(Default)]
pub(super) struct KnownTokens(Mutex<Verified>);

#[derive(Default)]
struct Verified {
    by: Option<Arc<KeySet>>,
    tokens: HashSet<[u8; 32]>,
}

impl KnownTokens {
    /// Whether one of these very keys has signed it.
    pub(super) fn has(&self, token: &str, keys: &Arc<KeySet>) -> bool {
        let verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        verified.by.as_ref().is_some_and(|by| Arc::ptr_eq(by, keys)) && verified.tokens.contains(&hash(token))
    }

    pub(super) fn keep(&self, token: &str, keys: &Arc<KeySet>) {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_by_others = verified.by.as_ref().is_none_or(|by| !Arc::ptr_eq(by, keys));
        if is_by_others || verified.tokens.len() >= TOKENS_MAX {
            *verified = Verified { by: Some(keys.clone()), tokens: HashSet::new() };
        }
        verified.tokens.insert(hash(token));
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
