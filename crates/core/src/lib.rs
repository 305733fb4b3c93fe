//! The rules of MPS that need no state: money, pricing, levels and points, card types, payment codes, errors.
//!
//! No I/O, no clock, no randomness: time and random bytes are arguments, so that a phone, a Worker and a test
//! give one answer. What needs state (balance, single use, idempotency, limits of a day) is SQL's alone.
//!
//! **Amounts** are [`Money`], made from *text*. A JSON number never passes through a float: who reads requests
//! keeps the number's own text (for example with `serde_json::value::RawValue`) and gives it to
//! [`Money::parse_price`]; the `serde` feature here reads and writes decimal strings only.
#![forbid(unsafe_code)]

pub mod error;
mod generated;
pub mod money;
pub mod payment_code;

pub use error::{ErrorCode, Retry};
pub use generated::limits;
pub use money::Money;
pub use payment_code::{CodeParts, PaymentCode};
