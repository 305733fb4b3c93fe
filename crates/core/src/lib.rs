//! The rules of MPS that need no state: money, pricing, levels and points, card types, payment codes, errors.
//!
//! No I/O, no clock, no randomness: time and random bytes are arguments, so that a phone, a Worker and a test
//! give one answer. What needs state (balance, single use, idempotency, limits of a day) is SQL's alone.
//!
//! **Amounts** are [`Money`], made from *text*. A JSON number never passes through a float: who reads requests
//! keeps the number's own text (for example with `serde_json::value::RawValue`) and gives it to
//! [`Money::parse_price`]; the `serde` feature here reads and writes decimal strings only.
#![forbid(unsafe_code)]

pub mod barcode;
pub mod card;
pub mod discount;
pub mod error;
pub mod fingerprint;
mod generated;
pub mod idempotency;
pub mod level;
pub mod money;
pub mod payment_code;
pub mod price;
pub mod refund;
pub mod role;

pub use card::CardType;
pub use discount::Discount;
pub use error::{ErrorCode, Retry};
pub use fingerprint::Fingerprint;
pub use generated::limits;
pub use idempotency::IdempotencyKey;
pub use level::Levels;
pub use money::Money;
pub use payment_code::{CodeParts, PaymentCode};
pub use price::{PriceRequest, Quote, points_for, quote};
pub use refund::{RefundPreview, RefundablePayment};
pub use role::BindingRole;
