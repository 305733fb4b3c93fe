//! buildah, which makes the images; podman and podman-compose, which run them in tests.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::report::{self, Outcome};
use crate::repository::on_path;
use crate::setup::python::Environment;
use crate::setup::system::{self, Package};

const BUILDAH: Package = Package { title: "buildah", debian: &["buildah", "binutils"], homebrew: &[] };

/// With what a pod and a network of theirs want.
const PODMAN: Package =
    Package { title: "podman", debian: &["podman", "runc", "catatonit", "iptables"], homebrew: &[] };

/// Debian's is of 2022 and does not wait for what others depend on.
pub(crate) const COMPOSE: Environment = Environment {
    name: "podman-compose",
    requirements: include_str!("podman-compose.txt"),
    takes: "about 10 s",
};

fn ensure_all(package: &Package, programs: &[&str]) -> Result<Outcome> {
    let is_there = |name: &&str| on_path(name).is_some() || Path::new("/usr/sbin").join(name).is_file();
    if programs.iter().all(is_there) {
        return Ok(Outcome::Cached(programs[0].to_owned()));
    }
    let way = system::install(package)?;
    ensure!(programs.iter().all(is_there), "{way} made no {}", programs.join(", "));
    Ok(Outcome::Done(way))
}

pub(crate) fn ensure_buildah() -> Result<()> {
    report::step("buildah and strip", || ensure_all(&BUILDAH, &["buildah", "strip"]))
}

pub(crate) fn ensure_podman() -> Result<()> {
    let programs = ["podman", "runc", "catatonit", "iptables"];
    report::step("podman with runc", || ensure_all(&PODMAN, &programs))?;
    report::step(COMPOSE.name, || COMPOSE.ensure())
}
