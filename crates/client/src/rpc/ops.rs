//! Operations: is the database there, do its books balance.

use serde::{Deserialize, Serialize};

use super::{UserId, read_row, read_rows, read_scalar};
use crate::connection::{Call, Repeat};
use crate::error::Params;
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
    const REPEAT: Repeat = Repeat::Always;

    fn is_repeatable(&self) -> bool {
        true
    }

    fn read_reply(body: &[u8]) -> Option<ServerStatus> {
        read_row(body)
    }
}

rpc! {
    /// `verify_ledger`: a row for each violation of the books' rules; none when all is well. Admins and the service.
    VerifyLedger = "verify_ledger", always, read_rows -> Vec<Violation> {}
}

rpc! {
    /// `report_refusal`: writes an audit row of a call that was refused, whose own row rolled back with it. The service.
    ReportRefusal = "report_refusal", never, read_scalar -> bool {
        /// The name of the refused RPC.
        rpc: String,
        /// Why, of the catalogue.
        code: String,
        /// Who called.
        actor_user_id: Option<UserId>,
        /// Which merchant the call named.
        merchant_code: Option<String>,
        /// What the catalogue lets the refusal carry.
        params: Option<Params>,
        /// The refused request's own id.
        request_id: Option<String>,
    }
}

/// A row of [`VerifyLedger`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Violation {
    /// Which rule.
    pub rule: String,
    /// Whose.
    pub object: String,
    /// What is wrong.
    pub detail: String,
}
