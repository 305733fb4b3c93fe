//! kubernetes-validate: every object against the schemas of Kubernetes' oldest release that we promise and of the newest that it has.

use std::path::Path;
use std::process::Command;
use std::slice;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Overlay, tell, write_objects};
use crate::process;
use crate::setup::linters::LINTERS;
use crate::test::tally::Tally;

/// What the operations guide asks for.
const OLDEST: Option<&str> = Some("1.28");
const NEWEST: Option<&str> = None;

pub(super) fn check(overlays: &[Overlay], work: &Path) -> Result<Tally> {
    let mut total = Tally::default();
    for overlay in overlays {
        let name = &overlay.name;
        for (release, title) in [(OLDEST, "1.28"), (NEWEST, "the newest release")] {
            total += tell(&format!("{name}: kubernetes-validate, {title}"), || {
                invalid(&overlay.file, overlay.installation.objects.len(), release)
            })?;
        }
    }
    total += tell("kubernetes-validate finds faults", || planted(&overlays[0].installation.objects, work))?;
    Ok(total)
}

/// What it does not take of a file with so many objects. It ends well when it has no schema for a kind, and when a file is empty.
fn invalid(file: &Path, objects: usize, release: Option<&str>) -> Result<Vec<String>> {
    let mut command = Command::new(LINTERS.program("kubernetes-validate")?);
    command.arg("--strict");
    if let Some(release) = release {
        command.args(["-k", release]);
    }
    let finished = process::run(command.arg(file), false)?;
    Ok(unexpected(&finished.output, objects))
}

fn unexpected(output: &str, objects: usize) -> Vec<String> {
    let (passed, other): (Vec<&str>, Vec<&str>) =
        output.lines().partition(|line| line.starts_with("INFO") && line.contains(" passed for resource "));
    let mut found: Vec<String> = other.into_iter().map(str::to_owned).collect();
    if passed.len() != objects {
        found.push(format!("{} of {objects} objects passed", passed.len()));
    }
    found
}

/// What it must find in a Deployment, and must not.
fn planted(objects: &[Value], work: &Path) -> Result<Vec<String>> {
    let edge = objects.iter().find(|object| object["kind"] == "Deployment").context("no Deployment")?;
    let with = |place: &str, value: Value| {
        let mut object = edge.clone();
        object["spec"]["template"]["spec"]["containers"][0][place] = value;
        object
    };
    let unknown_field = with("imagepullPolicy", json!("Always"));
    // The reason for `mps serve --stop-delay`.
    let sleep = with("lifecycle", json!({"preStop": {"sleep": {"seconds": 5}}}));
    let mut unknown_kind = edge.clone();
    unknown_kind["kind"] = "Gadget".into();
    let cases = [
        (&unknown_field, OLDEST, "imagepullPolicy"),
        (&unknown_field, NEWEST, "imagepullPolicy"),
        (&sleep, OLDEST, "sleep"),
        (&sleep, NEWEST, ""),
        (&unknown_kind, NEWEST, "Gadget"),
    ];
    let file = work.join("planted.yaml");
    let mut missed = Vec::new();
    for (object, release, what) in cases {
        write_objects(&file, slice::from_ref(object))?;
        let found = invalid(&file, 1, release)?.join("\n");
        if !found.contains(what) || (what.is_empty() && !found.is_empty()) {
            missed.push(format!("{what} against {}: {found}", release.unwrap_or("the newest release")));
        }
    }
    Ok(missed)
}

#[cfg(test)]
mod tests {
    use super::unexpected;

    #[test]
    fn only_as_many_objects_as_there_are_have_passed() {
        let passed = "INFO a.yaml passed for resource service/a against version 1.28\n";
        assert!(unexpected(passed, 1).is_empty());
        assert_eq!(unexpected("", 1), ["0 of 1 objects passed"]);
        let warned = format!("{passed}WARN a.yaml Couldn't find schema for kind Gadget\n");
        assert_eq!(unexpected(&warned, 2).len(), 2);
    }
}
