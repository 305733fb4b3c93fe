//! What the pods call `mps` with, against what it says that it takes: a wrong word there is seen at first in a cluster.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use super::rules::Installation;
use crate::process;

/// Each word that it does not take.
pub(super) fn unknown_words(installation: &Installation, mps: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (_, container) in installation.containers().filter(|(_, container)| container["command"][0] == "mps")
    {
        let command = container["command"][1].as_str().unwrap_or_default();
        let help = process::run(Command::new(mps).args([command, "--help"]), false)?;
        if help.status.success() {
            found.extend(not_in_help(container, &help.output));
        } else {
            found.push(format!("mps has no {command}"));
        }
    }
    Ok(found)
}

fn not_in_help(container: &Value, help: &str) -> Vec<String> {
    let known: BTreeSet<&str> = help.split_whitespace().map(|word| word.trim_end_matches(',')).collect();
    let words = container["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let flags = words.map(|word| word.split('=').next().unwrap_or(word));
    flags.filter(|flag| !known.contains(flag)).map(|flag| format!("mps does not take {flag}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::not_in_help;

    #[test]
    fn a_flag_that_the_help_does_not_have_is_found() {
        let help =
            "Usage: mps serve [OPTIONS]\n      --listen <ADDRESS:PORT>  Where\n  -n, --no-jobs  Start none\n";
        let of = |args| not_in_help(&json!({"args": args}), help);
        assert!(of(json!(["--listen=0.0.0.0:8787", "--no-jobs"])).is_empty());
        assert_eq!(
            of(json!(["--list=0.0.0.0:8787", "--no"])),
            ["mps does not take --list", "mps does not take --no"]
        );
    }
}
