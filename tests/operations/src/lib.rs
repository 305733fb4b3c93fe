//! An installation as docs/operations makes one: PostgreSQL, a gateway with PostgREST's dialect, edges that `mps serve` runs, nginx in front; and shops that
//! charge all the time.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test bench fails by panicking")]

mod archived;
mod auth;
mod doors;
mod gateway;
mod installation;
mod load;
mod recharges;
mod serving;

pub use archived::Archived;
pub use auth::Auth;
pub use doors::{Knocking, Swallowing};
pub use gateway::Gateway;
pub use installation::{
    Installation, POOL_SIZE, PUBLISHABLE_KEY, Place, done, empty_database, migrate, people, value,
};
pub use load::{Load, Pair, Totals};
pub use serving::{Serving, health_count, mps};
