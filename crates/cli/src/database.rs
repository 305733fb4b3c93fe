//! PostgreSQL, as whoever owns the database: for migrations and the first admin.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use postgres::Client;
use postgres::config::SslMode;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::secrets::{self, DATABASE_URL, Secret};

const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Which database.
#[derive(Args)]
pub(crate) struct Database {
    /// A file with its address, <postgres://user:password@host/database>; the variable `DATABASE_URL` or --config when left out
    #[arg(long = "database-url-file", value_name = "FILE")]
    url_file: Option<PathBuf>,
    /// The configuration whose secrets have its address as `DATABASE_URL`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The certificate of the authority that vouches for it, in PEM; Supabase's is in the project's database settings
    #[arg(long = "database-ca", value_name = "FILE")]
    authority: Option<PathBuf>,
}

impl Database {
    /// The configuration, where one was named.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Another secret of the same configuration.
    pub(crate) fn secret(&self, name: &str) -> Result<Secret> {
        secrets::find(self.config.as_deref(), name)
    }

    /// Over TLS wherever the server has it, and only so where `sslmode=require` is in the address.
    pub(crate) fn connect(&self) -> Result<Client> {
        let address = match &self.url_file {
            Some(file) => {
                fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
            }
            None => secrets::find(self.config.as_deref(), DATABASE_URL)?.expose().to_owned(),
        };
        // Its error would quote the password.
        let mut config: postgres::Config =
            address.trim().parse().map_err(|_| anyhow!("DATABASE_URL is no address of a PostgreSQL"))?;
        config.connect_timeout(CONNECT_MAX).application_name("mps");
        let is_local = config.get_hosts().iter().all(is_local);
        if is_local && config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Disable);
        }
        let tls = MakeRustlsConnect::new(tls(self.authority.as_deref())?);
        config.connect(tls).map_err(|error| anyhow!("the database does not let us in: {}", describe(&error)))
    }
}

fn is_local(host: &postgres::config::Host) -> bool {
    match host {
        postgres::config::Host::Tcp(name) => ["127.0.0.1", "::1", "localhost"].contains(&name.as_str()),
        postgres::config::Host::Unix(_) => true,
    }
}

fn tls(authority: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match authority {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            for certificate in certificates {
                let shown = || format!("{} is no certificate in PEM", file.display());
                roots.add(certificate.with_context(shown)?).with_context(shown)?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The checks of books and seals are an admin's and the service's.
pub(crate) fn act_as_service(database: &mut Client) -> Result<()> {
    let claims = r#"set request.jwt.claims = '{"role": "service_role"}'"#;
    database.batch_execute(claims).map_err(|error| told(&error))
}

/// The same as an error.
pub(crate) fn told(error: &postgres::Error) -> anyhow::Error {
    anyhow!("{}", describe(error))
}

/// What PostgreSQL says of it, with its hint.
pub(crate) fn describe(error: &postgres::Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        let more = [refusal.detail(), refusal.hint(), refusal.where_()];
        let more: Vec<&str> = more.into_iter().flatten().collect();
        let text = format!("{} ({}) {}", refusal.message(), refusal.code().code(), more.join("; "));
        return text.trim_end().to_owned();
    }
    let error: &dyn std::error::Error = error;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
