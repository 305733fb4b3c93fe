//! gixy over nginx's files as an operator has them rendered.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::tell;
use crate::process;
use crate::repository::Repository;
use crate::setup::linters::LINTERS;
use crate::test::tally::Tally;

const CONFIG: &str = "deploy/config/environments/production.yml";

/// Checks of gixy that are wrong here, each with why.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "hsts_header",
        "the edges send it with each answer, and what nginx answers itself has it where it is answered",
    ),
    (
        "try_files_is_evil_too",
        "it is about speed: a page is looked for under three names, and there are a dozen of them",
    ),
];

/// A file that nginx.conf includes by way of another one, what is put into it, and what gixy calls that.
const PLANTED: (&str, &str, &str) = (
    "mps.conf",
    "location /planted { return 302 https://$host$uri; }\n  location = /health {",
    "[http_splitting]",
);

pub(super) fn check(repository: &Repository, mps: &str, work: &Path) -> Result<Tally> {
    let folder = work.join("nginx");
    let mut command = Command::new(mps);
    command.args(["config", "render"]).arg(repository.join(CONFIG)).args(["--for", "nginx", "--out"]);
    process::must(command.arg(&folder))?;
    let mut total = tell("gixy", || Ok(findings(&folder)?.map_or(Vec::new(), |output| vec![output])))?;
    let (file, fault, name) = PLANTED;
    let path = folder.join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("there is no {file}"))?;
    fs::write(&path, text.replace("location = /health {", fault))
        .with_context(|| format!("cannot write {file}"))?;
    total += tell("gixy finds a fault", || {
        let found = findings(&folder)?.unwrap_or_default();
        Ok(if found.contains(name) { Vec::new() } else { vec![format!("no {name} in: {found}")] })
    })?;
    Ok(total)
}

/// What gixy says when it does not say that there is nothing.
fn findings(folder: &Path) -> Result<Option<String>> {
    let skipped: Vec<&str> = EXCEPTIONS.iter().map(|(check, _)| *check).collect();
    let mut command = Command::new(LINTERS.program("gixy")?);
    command.args(["--skips", &skipped.join(",")]).arg(folder.join("nginx.conf"));
    let finished = process::run(&mut command, false)?;
    let is_right = finished.status.success() && finished.output.contains("No issues found.");
    Ok((!is_right).then_some(finished.output))
}
