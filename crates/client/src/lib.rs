//! The typed RPC calls of MPS over PostgREST, and the one classifier of PostgREST's errors.
//!
//! A call is a struct of its arguments ([`rpc`]); [`Client::call`] sends it as one [`Caller`] and answers its typed
//! reply or an [`RpcError`] that says who must act. [`retry::call_repeatedly`] asks again where that is safe.
//!
//! No business rule lives here, no clock and no randomness: who calls brings them ([`retry::Host`]).
#![forbid(unsafe_code)]

pub mod argument;
pub mod budget;
pub mod classify;
mod connection;
mod error;
mod generated;
pub mod retry;
pub mod rpc;
pub mod transport;
pub mod wire;

pub use connection::{
    AccessToken, ApiKey, Call, CallContext, Caller, CallerKind, Client, MalformedHeader, Repeat, RequestId,
};
pub use error::{Params, Refusal, RpcError, UpstreamCode};
