//! `mps secrets` as an operator runs it: the real program, its files, and a server that speaks Vault's API.
#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod audit;
mod file;
mod installation;
mod rotation;
mod terminal;
mod tls;
mod vault;
mod vault_server;
