//! Operations: is the database there, do its books balance.

use serde::{Deserialize, Serialize};

use super::{read_row, read_rows};
use crate::connection::Call;
use crate::wire::Instant;

/// `test_connection`: anyone may ask.
#[derive(Debug, Serialize)]
pub struct TestConnection {}

/// The answer of [`TestConnection`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Always true; the database answered.
    pub ok: bool,
    /// The database's clock.
    pub server_time: Instant,
    /// The newest migration it has.
    pub schema_version: String,
}

impl Call for TestConnection {
    type Reply = ServerStatus;
    const RPC: &'static str = "test_connection";

    fn is_repeatable(&self) -> bool {
        true
    }

    fn read_reply(body: &[u8]) -> Option<ServerStatus> {
        read_row(body)
    }
}

/// `verify_ledger`: a row for each violation of the books' rules; none when all is well. Admins and the service.
#[derive(Debug, Serialize)]
pub struct VerifyLedger {}

/// A row of [`VerifyLedger`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Violation {
    /// Which rule.
    pub rule: String,
    /// Whose.
    pub object: String,
    /// What is wrong.
    pub detail: String,
}

impl Call for VerifyLedger {
    type Reply = Vec<Violation>;
    const RPC: &'static str = "verify_ledger";

    fn is_repeatable(&self) -> bool {
        true
    }

    fn read_reply(body: &[u8]) -> Option<Vec<Violation>> {
        read_rows(body)
    }
}
