//! Who is calling: a verified access token, and nothing else. No route trusts a header that did not come through here.

mod hs256;

pub(crate) use hs256::Hs256Verifier;

use mps_client::{AccessToken, Caller};

/// What a verifier has looked at; nobody else can make one.
pub(crate) struct Verified<T>(T);

/// The parts of an access token that the edge needs.
pub(crate) struct Claims {
    token: AccessToken,
    subject: String,
}

impl Verified<Claims> {
    /// The user's id.
    pub(crate) fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Calls made with this are the user's own.
    pub(crate) fn into_caller(self) -> Caller {
        Caller::User(self.0.token)
    }
}

/// A token that is malformed, forged, expired, not yet valid or meant for somebody else. Which one is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenRefused;
