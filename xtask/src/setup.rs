//! `cargo xtask setup`: what the other commands need on the machine. Each step looks first, then does the least.

pub(crate) mod chromium;
pub(crate) mod containers;
pub(crate) mod linters;
pub(crate) mod nginx;
pub(crate) mod npm;
mod pgbackrest;
pub(crate) mod postgres;
pub(crate) mod postrust;
pub(crate) mod prometheus;
mod python;
pub(crate) mod sbom;
pub(crate) mod schemathesis;
mod system;
pub(crate) mod tools;
pub(crate) mod wasm_target;

use anyhow::Result;
use clap::Args;

use crate::lanes;
use crate::report;
use crate::repository::Repository;

/// Install what is missing to build and run MPS
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask setup\n  cargo xtask setup --tests")]
pub(crate) struct Options {
    /// Also what the tests need: PostgreSQL with its test extensions, pgBackRest, nginx, postrust, Prometheus, Chromium, schemathesis, linters
    #[arg(long)]
    tests: bool,
}

/// One thing that a command needs; they are seen to in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    WasmTarget,
    WasmTools,
    Npm,
    Postgres,
    Pgbackrest,
    Nginx,
    Postrust,
    Prometheus,
    Chromium,
    Schemathesis,
    Linters,
    Buildah,
    Podman,
    Sbom,
}

impl Need {
    const ALL: &[Self] = &[
        Self::WasmTarget,
        Self::WasmTools,
        Self::Npm,
        Self::Postgres,
        Self::Pgbackrest,
        Self::Nginx,
        Self::Postrust,
        Self::Prometheus,
        Self::Chromium,
        Self::Schemathesis,
        Self::Linters,
        Self::Buildah,
        Self::Podman,
        Self::Sbom,
    ];

    /// Of a long run and of `cargo xtask image` only.
    const OF_IMAGES: &[Self] = &[Self::Buildah, Self::Podman, Self::Sbom];

    /// What `build` and `dev` need.
    pub(crate) const BUILD: &[Self] = &[Self::WasmTarget, Self::WasmTools, Self::Npm];

    /// By `cargo install`, one after the other: they share what they are made of.
    fn is_compiled(self) -> bool {
        matches!(self, Self::WasmTools | Self::Postrust | Self::Sbom)
    }

    fn ensure(self, repository: &Repository) -> Result<()> {
        match self {
            Self::WasmTarget => report::step("wasm32 target", || wasm_target::ensure(repository)),
            Self::WasmTools => {
                let target = tools::target()?;
                tools::TOOLS
                    .iter()
                    .try_for_each(|tool| report::step(tool.name, || tool.ensure(repository, &target)))
            }
            Self::Npm => report::step("npm packages", || npm::ensure(repository)),
            Self::Postgres => report::step("PostgreSQL with pgTAP and plpgsql_check", postgres::ensure),
            Self::Pgbackrest => report::step("pgBackRest", pgbackrest::ensure),
            Self::Nginx => report::step("nginx, curl and openssl", nginx::ensure),
            Self::Postrust => report::step("postrust", postrust::ensure),
            Self::Prometheus => report::step("Prometheus and Alertmanager", prometheus::ensure),
            Self::Chromium => report::step("Chromium", chromium::ensure),
            Self::Schemathesis => report::step("schemathesis", schemathesis::ensure),
            Self::Linters => linters::ensure(),
            Self::Buildah => containers::ensure_buildah(),
            Self::Podman => containers::ensure_podman(),
            Self::Sbom => sbom::ensure(),
        }
    }
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let tests = || Need::ALL.iter().filter(|need| !Need::OF_IMAGES.contains(need)).copied();
    let needs: Vec<Need> = if options.tests { tests().collect() } else { Need::BUILD.to_vec() };
    ensure(repository, &needs)
}

/// Sees to each need: compiles programs beside everything else, which mostly waits for downloads. The first need that cannot be met stops
/// all with what to do.
pub(crate) fn ensure(repository: &Repository, needs: &[Need]) -> Result<()> {
    let wanted = Need::ALL.iter().filter(|need| needs.contains(need));
    let (compiled, other): (Vec<&Need>, Vec<&Need>) = wanted.partition(|need| need.is_compiled());
    lanes::beside(
        || compiled.iter().try_for_each(|need| need.ensure(repository)),
        || other.iter().try_for_each(|need| need.ensure(repository)),
    )
}
