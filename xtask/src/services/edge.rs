//! The edge on workerd, as it is self-hosted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Service;
use crate::repository::Repository;
use crate::services::http;
use crate::services::keys::Keys;

const START_SECONDS_MAX: u64 = 30;

/// What the edge of one run is told.
pub(crate) struct Settings<'a> {
    pub(crate) port: u16,
    pub(crate) supabase_url: &'a str,
    pub(crate) keys: &'a Keys,
    /// Origins of browsers that may call it.
    pub(crate) origins: &'a str,
}

/// The command that serves edge/build: where it listens, and its folder of counters.
pub(crate) fn workerd(repository: &Repository, listen: &str, state: &Path) -> Command {
    let mut command = Command::new(repository.npm_bin("workerd"));
    command.current_dir(repository.join("edge")).args(["serve", "workerd.capnp"]);
    command.arg(format!("--socket-addr=http={listen}"));
    command.arg(format!("--directory-path=state={}", state.display()));
    command
}

/// A configuration like workerd.capnp for the build that can be made to panic.
fn write_panicking_config(repository: &Repository) -> Result<()> {
    let text = fs::read_to_string(repository.join("edge/workerd.capnp")).context("no edge/workerd.capnp")?;
    fs::write(repository.join("edge/build-panic/workerd.capnp"), text.replace("\"build/", "\""))
        .context("cannot write edge/build-panic/workerd.capnp")
}

/// A running edge.
pub(crate) struct Edge {
    service: Service,
    port: u16,
}

impl Edge {
    pub(crate) fn start(repository: &Repository, settings: &Settings, log: PathBuf) -> Result<Self> {
        Self::start_with(repository, settings, &[], log)
    }

    /// The build that can be made to panic.
    pub(crate) fn start_panicking(
        repository: &Repository,
        settings: &Settings,
        log: PathBuf,
    ) -> Result<Self> {
        write_panicking_config(repository)?;
        Self::launch(repository, settings, &[], true, log)
    }

    /// With more variables, or others.
    pub(crate) fn start_with(
        repository: &Repository,
        settings: &Settings,
        variables: &[(&str, &str)],
        log: PathBuf,
    ) -> Result<Self> {
        Self::launch(repository, settings, variables, false, log)
    }

    fn launch(
        repository: &Repository,
        settings: &Settings,
        variables: &[(&str, &str)],
        is_panicking: bool,
        log: PathBuf,
    ) -> Result<Self> {
        // Counters of its own, new at every start.
        let state = log.with_extension("state");
        let _ = fs::remove_dir_all(&state);
        fs::create_dir_all(&state).with_context(|| format!("cannot make {}", state.display()))?;
        let mut command = workerd(repository, &format!("127.0.0.1:{}", settings.port), &state);
        if is_panicking {
            command.current_dir(repository.join("edge/build-panic"));
        }
        command.arg("--verbose");
        settings.keys.apply(&mut command);
        command.env("SUPABASE_URL", settings.supabase_url).env("CORS_ALLOWED_ORIGINS", settings.origins);
        command.env("JWT_AUDIENCE", "authenticated");
        // Many users of a test are one address, and races ask more than any person.
        for limit in ["RATE_LIMIT_USER", "RATE_LIMIT_PAYMENT", "RATE_LIMIT_ADDRESS"] {
            command.env(limit, "off");
        }
        command.envs(variables.iter().copied());
        Ok(Self { service: Service::start("the edge", &mut command, log)?, port: settings.port })
    }

    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let port = self.port;
        self.service.wait_until(Duration::from_secs(START_SECONDS_MAX), || {
            http::status(port, "GET", "/health", &[], "") == Some(200)
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.service
    }
}
