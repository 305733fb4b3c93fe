//! `mps init`: a configuration and its secrets for a new installation.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::config::{self, Config};
use crate::output::{Output, say};
use crate::secrets;

/// What is changed of it is asked for.
const TEMPLATE: &str = include_str!("../../../deploy/config/environments/production.yml");

#[derive(Args)]
#[command(
    long_about = "Begin an installation: write its configuration and generate its secrets\n\n\
                  Nothing is overwritten: a configuration that is there stays, and so does every secret. What has to be set by hand is named.",
    after_help = "Example:\n  mps init --host pay.example.com --supabase-url https://project.supabase.co --publishable-key sb_publishable_…\n\n\
                  Then: mps config check, mps secrets set SUPABASE_SECRET_KEY, mps migrate up, mps admin first (docs/operations/install.md)."
)]
pub(crate) struct Options {
    /// The folder of mps.yml, the age identity and the secrets
    #[arg(long, default_value = "/etc/mps", value_name = "FOLDER")]
    dir: PathBuf,
    /// The name in the certificate: pay.example.com
    #[arg(long, value_name = "NAME")]
    host: String,
    /// <https://project.supabase.co>, or where one's own Auth and PostgREST are
    #[arg(long, value_name = "URL")]
    supabase_url: String,
    /// The key that every page may have
    #[arg(long, value_name = "KEY")]
    publishable_key: String,
    /// An origin whose pages may read answers; that of --host when left out
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let file = options.dir.join("mps.yml");
    let text = filled(options)?;
    let config = Config::parse(&text).context("what was asked for makes no configuration")?;
    // Refused before anything is written.
    config::must_be_right(&config)?;
    fs::create_dir_all(&options.dir).with_context(|| format!("cannot make {}", options.dir.display()))?;
    match OpenOptions::new().write(true).create_new(true).open(&file) {
        Ok(mut new) => {
            new.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
            say(&format!("wrote {}", file.display()));
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            say(&format!("{} is there already and stays as it is", file.display()));
        }
        Err(error) => bail!("cannot write {}: {error}", file.display()),
    }
    secrets::begin(&config::read(&file)?, output)?;
    Ok(ExitCode::SUCCESS)
}

fn filled(options: &Options) -> Result<String> {
    let origins = match options.origin.as_slice() {
        [] => vec![format!("https://{}", options.host)],
        given => given.to_vec(),
    };
    let origins: Vec<String> = origins.iter().map(|origin| format!("- {origin}")).collect();
    let folder = options.dir.display().to_string();
    let mut text = TEMPLATE.to_owned();
    for (from, to) in [
        ("# yaml-language-server: $schema=../schema.json\n", ""),
        ("https://your-project.supabase.co", options.supabase_url.as_str()),
        ("sb_publishable_your-key", options.publishable_key.as_str()),
        ("- https://app.mps.example.com", &origins.join("\n    ")),
        ("api.mps.example.com", options.host.as_str()),
        ("/etc/mps/", &format!("{}/", folder.trim_end_matches('/'))),
    ] {
        if !text.contains(from) {
            bail!("the template has no {from}");
        }
        text = text.replace(from, to);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_takes_all_that_is_asked_for_and_is_right() -> Result<()> {
        let options = Options {
            dir: "/srv/mps".into(),
            host: "pay.shop.example".to_owned(),
            supabase_url: "https://abc.supabase.co".to_owned(),
            publishable_key: "sb_publishable_x".to_owned(),
            origin: vec!["https://a.example".to_owned(), "https://b.example".to_owned()],
        };
        let text = filled(&options)?;
        assert!(!text.contains("mps.example.com") && !text.contains("your-"), "{text}");
        let config = Config::parse(&text)?;
        config::must_be_right(&config)?;
        assert_eq!(config.security.cors.origin, ["https://a.example", "https://b.example"]);
        assert_eq!(config.proxy.map(|proxy| proxy.host).as_deref(), Some("pay.shop.example"));
        Ok(())
    }
}
