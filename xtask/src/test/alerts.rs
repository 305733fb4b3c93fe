//! The stage `alerts`: what deploy/ has for Prometheus and Alertmanager, by their own tools; that every alert is tested and has its page; and
//! both programs at work, down to a mail and a message in a chat.

mod book;
mod names;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::runner::{self, Selection};
use super::tally::{Tally, tell};
use super::{TestContext, web};
use crate::files;
use crate::lanes;
use crate::process;
use crate::repository::Repository;
use crate::setup::prometheus::program;
use book::Book;

const FOLDER: &str = "deploy/prometheus";
const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";
/// Where an installation has them.
const INSTALLED: &str = "/etc/prometheus/";

pub(super) fn stage(context: &TestContext) -> Result<Tally> {
    let repository = context.repository;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let mut total = by_their_tools(repository, folder.path())?;
    let book = Book::read(repository)?;
    for (rule, find) in book::RULES {
        total += tell(rule, || Ok(find(&book)))?;
    }
    let (mut beside, mut here) = (Tally::default(), Tally::default());
    let environment = environment(repository)?;
    lanes::beside(
        || {
            beside = cases(repository, folder.path())?;
            Ok(())
        },
        || {
            let selection =
                Selection { packages: &["mps-alerts-tests"], filter: context.filter, left_out: None };
            here = runner::rust_tests(repository, selection, &environment)?;
            Ok(())
        },
    )?;
    total += beside;
    total += here;
    Ok(total)
}

fn environment(repository: &Repository) -> Result<Vec<(&'static str, String)>> {
    let logs = web::logs_of_tests(repository, "alerts")?;
    Ok(vec![
        ("MPS_E2E_LOGS", logs.display().to_string()),
        ("MPS_ALERTS_PROMETHEUS", program("prometheus")?.display().to_string()),
        ("MPS_ALERTS_ALERTMANAGER", program("prometheus-alertmanager")?.display().to_string()),
    ])
}

/// Each also finds a fault of ours.
fn by_their_tools(repository: &Repository, work: &Path) -> Result<Tally> {
    let mut total = Tally::default();
    // promtool looks whether the files are there that the configuration names.
    let installed = work.join("installed");
    fs::create_dir_all(installed.join("rules")).context("no folder")?;
    fs::write(installed.join("mps.token"), "x").context("no token")?;
    let place = |text: &str| text.replace(INSTALLED, &format!("{}/", installed.display()));
    let read =
        |name: &str| fs::read_to_string(repository.join(name)).with_context(|| format!("cannot read {name}"));
    let prometheus = place(&read(&format!("{FOLDER}/prometheus.yml"))?);
    let rules = read(&format!("{FOLDER}/rules/mps.yml"))?;
    let alertmanager = read(ALERTMANAGER)?;
    fs::write(installed.join("rules/mps.yml"), &rules).context("no rules")?;
    for (tool, words, file, text, right, wrong) in [
        (
            "promtool",
            ["check", "config"],
            "prometheus.yml",
            &prometheus,
            "scrape_interval: 15s",
            "scrape_interval: 15",
        ),
        ("promtool", ["check", "rules"], "mps.yml", &rules, "sum(up{", "sun(up{"),
        (
            "amtool",
            ["check-config", ""],
            "alertmanager.yml",
            &alertmanager,
            "receiver: page",
            "receiver: pager",
        ),
    ] {
        let path = installed.join(file);
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let name = format!("{tool} {}", words.join(" "));
        let run = |text: &str| {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            process::run(Command::new(program(tool)?).args(&words).arg(&path), false)
        };
        total += tell(&format!("{name} {file}"), || {
            let finished = run(text)?;
            Ok(if finished.status.success() { Vec::new() } else { vec![finished.output] })
        })?;
        total += tell(&format!("{name} finds a fault"), || {
            let planted = text.replacen(right, wrong, 1);
            let is_found = planted != **text && !run(&planted)?.status.success();
            Ok(if is_found { Vec::new() } else { vec![format!("{wrong} was not found")] })
        })?;
    }
    Ok(total)
}

/// `promtool test rules`, and that it finds one that is wrong.
fn cases(repository: &Repository, work: &Path) -> Result<Tally> {
    let mut total = Tally::default();
    let run = |file: &Path| {
        process::run(Command::new(program("promtool")?).args(["test", "rules"]).arg(file), false)
    };
    let files = case_files(repository)?;
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        total += tell(&format!("promtool test rules {name}"), || {
            let finished = run(file)?;
            Ok(if finished.status.success() { Vec::new() } else { vec![finished.output] })
        })?;
    }
    // A rule that is wrong: half of what may fail.
    let folder = work.join("planted");
    for part in ["rules", "tests"] {
        fs::create_dir_all(folder.join(part)).context("no folder")?;
    }
    let rules =
        fs::read_to_string(repository.join(&format!("{FOLDER}/rules/mps.yml"))).context("no rules")?;
    let (planted, file) = (rules.replacen("> 0.05", "> 0.02", 1), folder.join("tests/application.yml"));
    fs::write(folder.join("rules/mps.yml"), &planted).context("nothing can be planted")?;
    fs::copy(repository.join(&format!("{FOLDER}/tests/application.yml")), &file).context("no cases")?;
    total += tell("promtool test rules finds a fault", || {
        let finished = run(&file)?;
        let is_found = planted != rules && !finished.status.success();
        Ok(if is_found { Vec::new() } else { vec!["another bound was not found".to_owned()] })
    })?;
    Ok(total)
}

fn case_files(repository: &Repository) -> Result<Vec<PathBuf>> {
    files::walk(&repository.join(&format!("{FOLDER}/tests")))
}
