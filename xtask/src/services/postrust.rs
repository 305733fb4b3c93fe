//! postrust before one database, with the roles and the token secret of a Supabase project.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{Service, free_port};
use crate::services::http;
use crate::setup::postrust;

const START_MAX: Duration = Duration::from_secs(30);

/// As many as the edge has requests in flight in a measurement, and some.
const CONNECTIONS: &str = "24";

/// A running gateway. Its RPCs are at `/rpc/` and not below `/rest/v1`.
pub(crate) struct Postrust {
    service: Service,
    port: u16,
}

impl Postrust {
    pub(crate) fn start(database_url: &str, jwt_secret: &str, log: PathBuf) -> Result<Self> {
        let port = free_port(0)?;
        let mut command = Command::new(postrust::program()?);
        command.env("POSTRUST_COMPAT_MODE", "true").env("DATABASE_URL", database_url);
        command.env("PGRST_DB_ANON_ROLE", "anon").env("PGRST_DB_SCHEMAS", "public");
        command.env("PGRST_JWT_SECRET", jwt_secret).env("PGRST_DB_POOL", CONNECTIONS);
        command.env("PGRST_SERVER_HOST", "127.0.0.1").env("PGRST_SERVER_PORT", port.to_string());
        let mut service = Service::start("postrust", &mut command, log)?;
        service.wait_until(START_MAX, || {
            http::status(
                http::local(port),
                "POST",
                "/rpc/test_connection",
                &[("Content-Type", "application/json")],
                "{}",
            ) == Some(200)
        })?;
        Ok(Self { service, port })
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
