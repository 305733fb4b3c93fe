//! What `cargo xtask codegen` writes.

pub(crate) mod upstream_codes;
