//! The edge on workerd, as it is self-hosted.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

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

/// A running edge.
pub(crate) struct Edge {
    service: Service,
    port: u16,
}

impl Edge {
    pub(crate) fn start(repository: &Repository, settings: &Settings, log: PathBuf) -> Result<Self> {
        let mut command = Command::new(repository.npm_bin("workerd"));
        command.current_dir(repository.join("edge")).args(["serve", "workerd.capnp", "--verbose"]);
        command.arg(format!("--socket-addr=http=127.0.0.1:{}", settings.port));
        settings.keys.apply(&mut command);
        command.env("SUPABASE_URL", settings.supabase_url).env("CORS_ALLOWED_ORIGINS", settings.origins);
        command.env("JWT_AUDIENCE", "authenticated");
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
