//! What the other commands need on the machine: each step looks first, then does the least.

pub(crate) mod postgres;
mod system;
