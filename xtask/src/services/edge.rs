//! The edge on workerd, as it is self-hosted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::build;
use crate::process::{Service, free_port};
use crate::repository::Repository;
use crate::services::http;
use crate::services::keys::Keys;

/// wrangler is the slowest.
const START_SECONDS_MAX: u64 = 90;

const WRANGLER: &str = "../node_modules/wrangler/bin/wrangler.js";

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

/// A configuration like workerd.capnp in the folder of another build.
fn write_config(repository: &Repository, build: &Path) -> Result<()> {
    let text = fs::read_to_string(repository.join("edge/workerd.capnp")).context("no edge/workerd.capnp")?;
    let file = build.join("workerd.capnp");
    fs::write(&file, text.replace("\"build/", "\""))
        .with_context(|| format!("cannot write {}", file.display()))
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
        Self::start_build(repository, &repository.join("edge/build-panic"), settings, &[], log)
    }

    /// Another build than edge/build: the folder of its index.js.
    pub(crate) fn start_build(
        repository: &Repository,
        build: &Path,
        settings: &Settings,
        variables: &[(&str, &str)],
        log: PathBuf,
    ) -> Result<Self> {
        write_config(repository, build)?;
        Self::launch(repository, settings, variables, build, log)
    }

    /// With more variables, or others.
    pub(crate) fn start_with(
        repository: &Repository,
        settings: &Settings,
        variables: &[(&str, &str)],
        log: PathBuf,
    ) -> Result<Self> {
        Self::launch(repository, settings, variables, &repository.join("edge"), log)
    }

    /// Under `wrangler dev`, which has what workerd by itself has not: scheduled events by address, and rate limit bindings.
    pub(crate) fn start_wrangler(
        repository: &Repository,
        settings: &Settings,
        variables: &[(&str, &str)],
        log: PathBuf,
    ) -> Result<Self> {
        let (state, file) = (log.with_extension("state"), log.with_extension("env"));
        let _ = fs::remove_dir_all(&state);
        let keys = settings.keys;
        let own = [
            ("SUPABASE_URL", settings.supabase_url),
            ("SUPABASE_PUBLISHABLE_KEY", &keys.publishable),
            ("SUPABASE_SECRET_KEY", &keys.secret),
            ("SUPABASE_JWT_SECRET", &keys.jwt_secret),
        ];
        let lines = own.iter().chain(variables).map(|(name, value)| format!("{name}={value}\n"));
        fs::write(&file, lines.collect::<String>())
            .with_context(|| format!("cannot write {}", file.display()))?;
        let (port, inspector_port) = (settings.port.to_string(), free_port(0)?.to_string());
        let mut command = build::node(repository, &[WRANGLER, "dev", "--local", "--ip", "127.0.0.1"])?;
        command.current_dir(repository.join("edge")).args([
            "--port",
            &port,
            "--inspector-port",
            &inspector_port,
        ]);
        command.arg("--persist-to").arg(&state).arg("--env-file").arg(&file);
        command.arg("--show-interactive-dev-session=false");
        command.env("WRANGLER_SEND_METRICS", "false").env("CI", "1");
        // It has nothing to ask of the internet.
        command.env("WRANGLER_HIDE_BANNER", "true").env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
        Ok(Self { service: Service::start("wrangler", &mut command, log)?, port: settings.port })
    }

    fn launch(
        repository: &Repository,
        settings: &Settings,
        variables: &[(&str, &str)],
        folder: &Path,
        log: PathBuf,
    ) -> Result<Self> {
        // Counters of its own, new at every start.
        let state = log.with_extension("state");
        let _ = fs::remove_dir_all(&state);
        fs::create_dir_all(&state).with_context(|| format!("cannot make {}", state.display()))?;
        let mut command = workerd(repository, &format!("127.0.0.1:{}", settings.port), &state);
        command.current_dir(folder).arg("--verbose");
        settings.keys.apply(&mut command);
        command.env("SUPABASE_URL", settings.supabase_url).env("CORS_ALLOWED_ORIGINS", settings.origins);
        command.env("JWT_AUDIENCE", "authenticated");
        // Many users of a test are one address, and races ask more than any person.
        for limit in ["RATE_LIMIT_USER", "RATE_LIMIT_PAYMENT", "RATE_LIMIT_ADDRESS", "REQUESTS_IN_FLIGHT"] {
            command.env(limit, "off");
        }
        command.envs(variables.iter().copied());
        Ok(Self { service: Service::start("the edge", &mut command, log)?, port: settings.port })
    }

    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let port = self.port;
        self.service.wait_until(Duration::from_secs(START_SECONDS_MAX), || {
            http::status(http::local(port), "GET", "/health", &[], "") == Some(200)
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.service
    }
}
