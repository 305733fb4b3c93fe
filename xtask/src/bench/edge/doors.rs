//! Charges at a rate that the edge bears easily, alone and beside those who want something else of it.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result};
use serde_json::Value;

use super::stand::{Load, OPS_TOKEN, Stand, Target, Timing};
use crate::report;
use crate::services::http;

/// A second, of which a busy edge of two cores makes hundreds.
const RATE: f64 = 50.0;
const CLIENTS: u64 = 16;
/// At once, each with the next one as soon as the last is answered.
const STRANGERS: usize = 16;
const IDLE: usize = 300;

/// What somebody else does meanwhile.
#[derive(Clone, Copy)]
enum Door {
    Nothing,
    /// Connections without a request.
    Idle,
    /// Every job of the edge, one after the other, again and again.
    Jobs,
    /// A request, again and again, each over a connection of its own.
    Asked {
        method: &'static str,
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    },
}

/// Signed by nobody, and with all that a right one has.
const FORGED: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwYmUwMDAwMC0wMDA0LTcwMDAtODAwMC0wMDAwMDAwMDEwMDAiLCJyb2xlIjoiYXV0aGVudGljYXRlZCIsImF1ZCI6ImF1dGhlbnRpY2F0ZWQiLCJleHAiOjk5OTk5OTk5OTl9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const DOORS: &[(&str, Door)] = &[
    ("300 idle connections", Door::Idle),
    ("16 who ask for /ready", Door::Asked { method: "GET", path: "/ready", headers: &[], body: "" }),
    (
        "16 with forged tokens",
        Door::Asked {
            method: "GET",
            path: "/api/member/me",
            headers: &[("authorization", FORGED)],
            body: "",
        },
    ),
    (
        "16 with a path that there is not",
        Door::Asked { method: "GET", path: "/nowhere", headers: &[], body: "" },
    ),
    (
        "16 with a body of 60 kB that is no JSON",
        Door::Asked {
            method: "POST",
            path: "/api/payment/charge",
            headers: &[("content-type", "application/json")],
            body: LONG,
        },
    ),
    ("an operator who starts every job again and again", Door::Jobs),
];

const LONG: &str = {
    static BYTES: [u8; 60_000] = [b'{'; 60_000];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

/// The lines of the table: each beside charges alone, in turn.
pub(crate) fn lines(stand: &mut Stand, seconds: u64) -> Result<Vec<String>> {
    DOORS
        .iter()
        .map(|(name, door)| {
            let alone = beside(stand, Door::Nothing, seconds)?;
            let meanwhile = beside(stand, *door, seconds)?;
            report::progress(&format!("{name}: p99 {:.1} ms, alone {:.1} ms", meanwhile.p99, alone.p99));
            Ok(format!(
                "| Charges, {RATE} a second, beside {name}: p99 (median) | {:.1} ms ({:.2}) | alone: {:.1} ms ({:.2}) | **{:.1} times** | – |",
                meanwhile.p99,
                meanwhile.median,
                alone.p99,
                alone.median,
                meanwhile.p99 / alone.p99
            ))
        })
        .collect()
}

fn beside(stand: &mut Stand, door: Door, seconds: u64) -> Result<Timing> {
    let address = http::local(stand.port(Target::Edge)?);
    let is_over = AtomicBool::new(false);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small rate")]
    let load = Load { way: "charge", clients: CLIENTS, count: seconds * RATE as u64, per_second: Some(RATE) };
    thread::scope(|scope| {
        let idle: Vec<TcpStream> = match door {
            Door::Idle => (0..IDLE).map(|_| TcpStream::connect(address)).collect::<Result<_, _>>(),
            _ => Ok(Vec::new()),
        }
        .context("the edge takes no more connections")?;
        if let Door::Asked { method, path, headers, body } = door {
            for _ in 0..STRANGERS {
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        // What they are answered is another test's business.
                        let _ = http::status(address, method, path, headers, body);
                    }
                });
            }
        }
        if matches!(door, Door::Jobs) {
            let (is_over, jobs) = (&is_over, jobs(address)?);
            scope.spawn(move || {
                for job in jobs.iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    let path = format!("/ops/cron/{job}");
                    let status = http::status(address, "POST", &path, &[("authorization", &operator())], "");
                    if status != Some(200) {
                        report::failure(&format!("the job {job}: {status:?}"));
                    }
                }
            });
        }
        let timing = stand.ask(Target::Edge, load);
        is_over.store(true, Ordering::Relaxed);
        drop(idle);
        timing
    })
}

fn operator() -> String {
    format!("Bearer {OPS_TOKEN}")
}

/// By name.
fn jobs(address: SocketAddr) -> Result<Vec<String>> {
    let (_, body) = http::answer(address, "GET", "/ops/cron", &[("authorization", &operator())], "")
        .context("the edge does not tell its jobs")?;
    let list: Vec<Value> = serde_json::from_str(&body).context("the edge's list of jobs is malformed")?;
    list.iter().map(|job| Ok(job["name"].as_str().context("a job without a name")?.to_owned())).collect()
}
