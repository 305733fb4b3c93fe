//! One target a parser: bytes from outside in, nothing out but a panic when a rule of the parser is broken.
//!
//! `cargo xtask fuzz` runs them millions of times under libFuzzer, `tests/replay.rs` some thousand times anywhere. What they
//! begin with, and what once broke them, is in `seeds/`: a line a seed, as [`seeds::parse`] reads it.

mod client;
mod core;
pub mod mutate;
mod scanner;
pub mod seeds;
mod wasm;

use std::borrow::Cow;

/// A parser and where to begin with it.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of its seeds and of its results.
    pub name: &'static str,
    /// Panics when the parser does, or when what it read does not hold.
    pub run: fn(&[u8]),
    /// The lines of its file in `seeds/`.
    pub seeds: &'static str,
    /// The longest input worth trying.
    pub bytes_max: usize,
}

macro_rules! targets {
    ($($name:ident: $run:path, $bytes_max:literal;)*) => {
        /// Every target, by name.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $run,
            seeds: include_str!(concat!("../seeds/", stringify!($name), ".txt")),
            bytes_max: $bytes_max,
        }),*];
    };
}

targets! {
    access_token: mps_edge::fuzz::access_token, 1024;
    alipay_answer: mps_edge::fuzz::alipay_answer, 1024;
    alipay_notice: mps_edge::fuzz::alipay_notice, 1024;
    amount: core::amount, 32;
    arguments: client::arguments, 256;
    body: mps_edge::fuzz::body, 1024;
    client_address: mps_edge::fuzz::client_address, 128;
    code_making: core::code_making, 128;
    device_key: core::device_key, 80;
    discount: core::discount, 16;
    fingerprint: core::fingerprint, 256;
    frame: scanner::frame, 1024;
    handle: core::handle, 32;
    headers: client::headers, 160;
    idempotency_key: core::idempotency_key, 300;
    ids: client::ids, 64;
    key_header: mps_edge::fuzz::key_header, 300;
    key_set: mps_edge::fuzz::key_set, 2048;
    levels: core::levels, 256;
    names: core::names, 64;
    payment_code: core::payment_code, 48;
    plain_price: wasm::plain_price, 64;
    postgrest_error: client::postgrest_error, 512;
    price: core::price, 64;
    qr: wasm::qr, 64;
    query: mps_edge::fuzz::query, 512;
    refund: core::refund, 64;
    reply: mps_edge::fuzz::reply, 1024;
    settings: mps_edge::fuzz::settings, 256;
    terminal_code: core::terminal_code, 16;
    token_claims: mps_edge::fuzz::token_claims, 512;
    wechat_answer: mps_edge::fuzz::wechat_answer, 1024;
    wechat_contents: mps_edge::fuzz::wechat_contents, 1024;
    wechat_notice: mps_edge::fuzz::wechat_notice, 2048;
    wire: client::wire, 128;
}

/// The target of that name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Any bytes as text: parsers of text never see any that is none.
fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// Takes so many bytes off the front, zeros where there are no more.
fn take<const N: usize>(data: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    let count = N.min(data.len());
    let (front, rest) = data.split_at(count);
    taken[..count].copy_from_slice(front);
    *data = rest;
    taken
}
