//! The files of deploy/compose: against the schema of such files, and against what MPS wants of its containers and no schema knows.

mod rules;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use self::rules::{Installation, RULES};
use super::{program, tell, variables_of};
use crate::process;
use crate::repository::Repository;
use crate::setup::linters::LINTERS;
use crate::test::tally::Tally;

const FOLDER: &str = "deploy/compose";
const FILES: [&str; 2] = ["compose.yml", "compose.database.yml"];

/// No service may have it, and nobody but the schema says so.
const PLANTED: (&str, &str) = ("    read_only: yes\n    reed_only: true\n", "reed_only");

pub(super) fn check(repository: &Repository, mps: &str, work: &Path) -> Result<Tally> {
    let folder = repository.join(FOLDER);
    let mut total = tell("compose: check-jsonschema", || of_schema(&FILES.map(|file| folder.join(file))))?;
    let planted = work.join("compose.yml");
    let (text, found) = PLANTED;
    fs::write(&planted, format!("services:\n  planted:\n    image: x\n{text}"))
        .context("nothing can be planted")?;
    total += tell("check-jsonschema finds a fault", || {
        let said = of_schema(&[planted])?.join("\n");
        Ok(if said.contains(found) { Vec::new() } else { vec![format!("no {found} in: {said}")] })
    })?;
    for count in 1..=FILES.len() {
        let installation = Installation::read(repository.root(), &FILES[..count])?;
        let name = FILES[..count].join(" with ");
        let found: Vec<String> = RULES
            .iter()
            .flat_map(|(rule, find)| {
                find(&installation).into_iter().map(move |what| format!("{rule}: {what}"))
            })
            .collect();
        total += tell(&format!("{name}: {} rules", RULES.len()), || Ok(found))?;
        total += tell(&format!("{name}: mps takes what containers call it with"), || {
            unknown_words(&installation, mps)
        })?;
    }
    Ok(total)
}

fn of_schema<P: AsRef<Path>>(files: &[P]) -> Result<Vec<String>> {
    let mut command = Command::new(LINTERS.program("check-jsonschema")?);
    command.args(["--color", "never", "--builtin-schema", "vendor.compose-spec"]);
    let finished = process::run(command.args(files.iter().map(AsRef::as_ref)), false)?;
    if finished.status.success() {
        return Ok(Vec::new());
    }
    Ok(finished.output.lines().map(str::to_owned).collect())
}

impl Installation {
    /// These files, each over those before it.
    fn read(root: &Path, files: &[&str]) -> Result<Self> {
        let folder = root.join(FOLDER);
        let mut whole = Value::Null;
        for file in files {
            lay_over(&mut whole, read(&folder.join(file))?);
        }
        let services = whole["services"].as_object().context("there are no services")?;
        Ok(Self {
            services: services.iter().map(|(name, service)| (name.clone(), service.clone())).collect(),
            networks: whole["networks"].clone(),
            secrets: whole["secrets"].clone(),
            config: read(&folder.join("mps.yml"))?,
            variables: variables_of(root)?,
        })
    }
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| anyhow!("{}: {error}", file.display()))
}

/// As far as our files need what compose does with a second one.
fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// Each word that `mps` does not take.
fn unknown_words(installation: &Installation, mps: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let is_ours = |image: &Value| image.as_str().is_some_and(|image| image.contains("MPS_EDGE_IMAGE"));
    for (name, service) in installation.services.iter().filter(|(_, service)| is_ours(&service["image"])) {
        let words: Vec<&str> =
            service["command"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // `jobs` and `migrate` have commands of their own below them.
        let commands: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
        let help = process::run(Command::new(mps).args(&commands).arg("--help"), false)?;
        let above = process::run(Command::new(mps).args(commands.first()).arg("--help"), false)?;
        if !help.status.success() || commands.is_empty() {
            found.push(format!("{name}: mps has no {}", commands.join(" ")));
            continue;
        }
        let known = format!("{}\n{}", help.output, above.output);
        let flags = words.iter().copied().filter(|word| word.starts_with('-'));
        found.extend(program::not_in(flags, &known).into_iter().map(|what| format!("{name}: {what}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lay_over;

    #[test]
    fn a_second_file_adds_and_exchanges() {
        let mut below = json!({"services": {"a": {"networks": {"front": 1}, "command": ["x", "y"]}}});
        lay_over(
            &mut below,
            json!({"services": {"a": {"networks": {"back": 2}, "command": ["z"]}, "b": {}}}),
        );
        assert_eq!(
            below,
            json!({"services": {"a": {"networks": {"front": 1, "back": 2}, "command": ["z"]}, "b": {}}})
        );
    }
}
