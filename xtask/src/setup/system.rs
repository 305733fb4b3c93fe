//! The machine's own package manager, where it can be used without asking the person anything.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::report;
use crate::repository::on_path;

/// One thing to install, by its names in the package managers.
pub(crate) struct Package<'a> {
    /// What a person calls it.
    pub(crate) title: &'a str,
    pub(crate) debian: &'a [&'a str],
    /// Arguments of `brew install`; none when Homebrew has no such package.
    pub(crate) homebrew: &'a [&'a str],
}

/// Installs the package, or stops with the one command that does.
pub(crate) fn install(package: &Package<'_>) -> Result<String> {
    if is_debian() {
        return install_on_debian(package);
    }
    if cfg!(target_os = "macos") && !package.homebrew.is_empty() {
        let by_hand = format!("brew install {}", package.homebrew.join(" "));
        let Some(brew) = on_path("brew") else {
            bail!("{} is missing: install Homebrew, then run `{by_hand}`", package.title);
        };
        report::progress(&by_hand);
        process::must(Command::new(brew).arg("install").args(package.homebrew))?;
        return Ok("Homebrew".to_owned());
    }
    bail!("{} is missing: install it with the system's package manager, then run this again", package.title)
}

pub(crate) fn is_debian() -> bool {
    Path::new("/etc/debian_version").is_file() && on_path("apt-get").is_some()
}

fn install_on_debian(package: &Package<'_>) -> Result<String> {
    let by_hand = format!("sudo apt-get update && sudo apt-get install -y {}", package.debian.join(" "));
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && !process::succeeds(Command::new("sudo").args(["-n", "true"])) {
        bail!("{} is missing: run `{by_hand}`, then run this again", package.title);
    }
    let apt = |arguments: &[&str]| -> Result<String> {
        let mut command = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root {
            command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        process::must(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
            .with_context(|| format!("cannot install {}; try `{by_hand}`", package.title))
    };
    report::progress(&format!("apt-get install {}", package.debian.join(" ")));
    apt(&["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(package.debian);
    apt(&arguments)?;
    Ok("apt-get".to_owned())
}
