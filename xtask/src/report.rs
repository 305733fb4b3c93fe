//! What the terminal shows: one line a step with its time, errors with what to do next.

use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use anyhow::{Error, Result};

use crate::forecast;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

/// How a step came to its end.
pub(crate) enum Outcome {
    /// It was right already; the text says how that was seen.
    Cached(String),
    /// It was done now; the text says which way was taken.
    Done(String),
}

/// Runs one step and shows its one line.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Result<Outcome>) -> Result<()> {
    let start = Instant::now();
    forecast::begin(name);
    let result = work();
    let took = matches!(result, Ok(Outcome::Done(_))).then(|| start.elapsed());
    forecast::end(name, took);
    match result {
        Ok(Outcome::Cached(how)) => println!("{GREEN}✓{RESET} {name} {DIM}({}cached){RESET}", before(&how)),
        Ok(Outcome::Done(how)) => {
            println!("{GREEN}✓{RESET} {name} {DIM}({}{}){RESET}", before(&how), seconds(start.elapsed()));
        }
        Err(error) => {
            println!("{RED}✗{RESET} {name} {DIM}({}){RESET}", seconds(start.elapsed()));
            return Err(error);
        }
    }
    Ok(())
}

/// A line that tells what a long step is doing now.
pub(crate) fn progress(text: &str) {
    println!("{DIM}· {text}{RESET}");
}

/// A heading between the stages of a long run.
pub(crate) fn heading(text: &str) {
    println!("\n{BOLD}── {text}{RESET}");
}

/// A passed or failed line of a stage.
pub(crate) fn verdict(passed: bool, text: &str, elapsed: Duration) {
    let (colour, mark) = if passed { (GREEN, "✓") } else { (RED, "✗") };
    println!("{colour}{mark}{RESET} {text} {DIM}({}){RESET}", seconds(elapsed));
}

/// A line that something failed.
pub(crate) fn failure(text: &str) {
    println!("{RED}✗{RESET} {text}");
}

/// The error and its causes.
pub(crate) fn error(error: &Error) {
    eprintln!("{RED}error:{RESET} {error:#}");
}

fn before(how: &str) -> String {
    if how.is_empty() { String::new() } else { format!("{how}, ") }
}

/// A time as a person reads it.
pub(crate) fn seconds(elapsed: Duration) -> String {
    if elapsed.as_secs() >= 60 {
        format!("{} min {} s", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
    } else {
        format!("{:.1} s", elapsed.as_secs_f64())
    }
}
