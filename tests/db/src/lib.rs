//! What the tests of this crate stand on: a database of its own for each, calls as PostgREST makes them, races.

pub mod call;
pub mod database;
pub mod differential;
pub mod listener;
pub mod scene;
pub mod session;
pub mod storm;
pub mod vectors;

pub use call::{Answer, Call, Caller, Charge, Outcome, Refusal, assert_ends};
pub use database::{TestDatabase, on_a_fresh_database};
pub use session::Session;
