//! Workflows, container files, shell scripts and units, each by those who read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{files_of, tell};
use crate::process::{self, Finished};
use crate::report;
use crate::repository::{Repository, on_path};
use crate::setup::linters::LINTERS;
use crate::test::tally::Tally;

/// A workflow that anybody can make run what they like.
const WORKFLOW: &str = "name: planted\non: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      \
                        - run: echo ${{ github.event.pull_request.title }}\n      - run: echo $UNQUOTED/*\n";

const UNIT: &str = "[Service]\nExecStart=/bin/true\nRestrt=always\n";

/// One tool.
struct Linter {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    files: Vec<PathBuf>,
    /// Whether there must be some.
    has_files: bool,
    planted: Planted,
    /// What it finds, of what it said.
    read: fn(&Finished) -> Vec<String>,
}

/// A file with faults, and what is said of each.
struct Planted {
    file: &'static str,
    text: &'static str,
    found: &'static [&'static str],
}

pub(super) fn check(repository: &Repository, work: &Path) -> Result<Tally> {
    let mut total = Tally::default();
    for linter in linters(repository)? {
        total += linter.check(work)?;
    }
    Ok(total)
}

fn linters(repository: &Repository) -> Result<Vec<Linter>> {
    let workflows = files_of(repository, ".github/workflows", "", ".yml")?;
    let shellcheck = LINTERS.program("shellcheck")?;
    let mut all = vec![
        Linter {
            name: "actionlint",
            program: LINTERS.program("actionlint")?,
            // With it the commands of workflows are checked as well.
            arguments: words(&["-no-color", "-shellcheck", &shellcheck.display().to_string()]),
            files: workflows.clone(),
            has_files: true,
            planted: Planted { file: "planted.yml", text: WORKFLOW, found: &["untrusted", "SC2086"] },
            read: what_fails,
        },
        Linter {
            name: "zizmor",
            program: LINTERS.program("zizmor")?,
            arguments: words(&[
                "--offline",
                "--no-progress",
                "--strict-collection",
                "--color=never",
                "--quiet",
            ]),
            files: workflows,
            has_files: true,
            planted: Planted {
                file: "planted.yml",
                text: WORKFLOW,
                found: &["error[template-injection]", "error[dangerous-triggers]"],
            },
            read: what_fails,
        },
        Linter {
            name: "hadolint",
            program: LINTERS.program("hadolint")?,
            arguments: words(&["--no-color"]),
            files: files_of(repository, "deploy/image", "Containerfile", "")?,
            has_files: true,
            planted: Planted { file: "Containerfile", text: "FROM debian:latest\n", found: &["DL3007"] },
            read: what_fails,
        },
        Linter {
            name: "shellcheck",
            program: shellcheck,
            arguments: words(&["--color=never"]),
            files: scripts(repository)?,
            has_files: true,
            planted: Planted { file: "planted.sh", text: "#!/bin/sh\nrm -r $1/*\n", found: &["SC2086"] },
            read: what_fails,
        },
    ];
    match on_path("systemd-analyze") {
        None => report::progress("no systemd-analyze here: units are not checked"),
        Some(program) => all.push(Linter {
            name: "systemd-analyze verify",
            program,
            // Not those of the machine that a unit names.
            arguments: words(&["verify", "--man=no", "--recursive-errors=no"]),
            files: units(repository)?,
            has_files: false,
            planted: Planted { file: "planted.service", text: UNIT, found: &["Unknown key"] },
            read: what_is_wrong_with_a_unit,
        }),
    }
    Ok(all)
}

impl Linter {
    fn check(&self, work: &Path) -> Result<Tally> {
        let folder = work.join(self.name);
        fs::create_dir_all(&folder).context("no folder for what is planted")?;
        let planted = folder.join(self.planted.file);
        fs::write(&planted, self.planted.text).context("nothing can be planted")?;
        let mut total = tell(&format!("{} finds faults", self.name), || {
            let said = self.run(&[planted])?.join("\n");
            let missed = self.planted.found.iter().filter(|what| !said.contains(**what));
            Ok(missed.map(|what| format!("no {what} in: {said}")).collect())
        })?;
        if self.has_files || !self.files.is_empty() {
            total += tell(&format!("{}, {} files", self.name, self.files.len()), || {
                if self.files.is_empty() {
                    return Ok(vec!["there is nothing to check".to_owned()]);
                }
                self.run(&self.files)
            })?;
        }
        Ok(total)
    }

    fn run(&self, files: &[PathBuf]) -> Result<Vec<String>> {
        let finished = process::run(Command::new(&self.program).args(&self.arguments).args(files), false)?;
        Ok((self.read)(&finished))
    }
}

fn what_fails(finished: &Finished) -> Vec<String> {
    if finished.status.success() {
        return Vec::new();
    }
    finished.output.lines().map(str::to_owned).collect()
}

/// It ends well whatever it warns of, and badly where a program is not installed, which says nothing about the unit.
fn what_is_wrong_with_a_unit(finished: &Finished) -> Vec<String> {
    of_units(&finished.output)
}

fn of_units(output: &str) -> Vec<String> {
    let is_of_this_machine = |line: &&str| line.ends_with("is not executable: No such file or directory");
    output.lines().filter(|line| !line.is_empty() && !is_of_this_machine(line)).map(str::to_owned).collect()
}

/// Services and what starts them.
fn units(repository: &Repository) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for (folder, end) in
        [("deploy/systemd", ".service"), ("deploy/postgres", ".service"), ("deploy/postgres", ".timer")]
    {
        found.extend(files_of(repository, folder, "", end)?);
    }
    Ok(found)
}

/// Every committed file that a shell runs.
fn scripts(repository: &Repository) -> Result<Vec<PathBuf>> {
    let listed = process::capture(Command::new("git").current_dir(repository.root()).arg("ls-files"))
        .context("the list of scripts comes from git")?;
    let mut found: Vec<PathBuf> = listed.lines().map(|path| repository.join(path)).collect();
    found.retain(|path| fs::read_to_string(path).is_ok_and(|text| is_script(&text)));
    Ok(found)
}

fn is_script(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.starts_with("#!") && first.trim_end().ends_with("sh")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{is_script, of_units};

    #[test]
    fn a_script_is_what_a_shell_runs() {
        for text in ["#!/bin/sh\n", "#!/usr/bin/env bash\nset -e", "#!/usr/bin/bash"] {
            assert!(is_script(text), "{text}");
        }
        for text in ["", "#!/usr/bin/env python3\n", "echo sh", "// #!/bin/sh"] {
            assert!(!is_script(text), "{text}");
        }
    }

    #[test]
    fn a_units_warnings_count_and_what_is_not_installed_does_not() {
        let missing = "mps.service: Command /usr/bin/mps is not executable: No such file or directory";
        let unknown = "mps.service:5: Unknown key 'Restrt' in section [Service], ignoring.";
        assert_eq!(of_units(&format!("{missing}\n{unknown}\n")), [unknown]);
        assert!(of_units("").is_empty());
    }
}
