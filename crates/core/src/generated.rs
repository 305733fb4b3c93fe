//! The copies of spec/*.toml that `cargo xtask codegen` writes.

pub(crate) mod error_code;
pub mod limits;
