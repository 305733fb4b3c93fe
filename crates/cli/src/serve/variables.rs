//! What the edges are told: from the configuration, a file and the environment, looked at before anything starts.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, bail};

use crate::secrets::Secret;

const OPS_TOKEN: &str = "OPS_TOKEN";

const REQUIRED: &[&str] = &["SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"];

/// The variables of one run. There is no `Debug`: secrets are among them.
#[derive(Clone)]
pub(super) struct Variables(BTreeMap<String, Secret>);

impl Variables {
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Of those that the edge of a release reads. The environment wins over the file, the file over the configuration.
    pub(super) fn read(
        names: &[String],
        configured: BTreeMap<String, Secret>,
        file: Option<&Path>,
    ) -> Result<Self> {
        let text = match file {
            Some(path) => {
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            None => String::new(),
        };
        let mut variables =
            Self::from(names, configured, &text, |name| env::var(name).ok().map(Secret::new))?;
        if !variables.0.contains_key(OPS_TOKEN) {
            // The jobs need one; nobody else then knows it.
            variables.0.insert(OPS_TOKEN.to_owned(), Secret::generate()?);
        }
        Ok(variables)
    }

    fn from(
        names: &[String],
        configured: BTreeMap<String, Secret>,
        file: &str,
        environment: impl Fn(&str) -> Option<Secret>,
    ) -> Result<Self> {
        let mut values = configured;
        values.extend(parse(names, file)?);
        values.extend(names.iter().filter_map(|name| Some((name.clone(), environment(name)?))));
        values.retain(|name, value| !value.expose().is_empty() && names.contains(name));
        let missing: Vec<&str> =
            REQUIRED.iter().copied().filter(|name| !values.contains_key(*name)).collect();
        if !missing.is_empty() {
            bail!(
                "not set: {}. Put them into the configuration, the secrets, the environment or a file for --env-file; edge/README.md says what they are",
                missing.join(", ")
            );
        }
        Ok(Self(values))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose()))
    }

    pub(super) fn ops_token(&self) -> &str {
        self.0.get(OPS_TOKEN).map_or("", Secret::expose)
    }
}

fn parse(names: &[String], file: &str) -> Result<BTreeMap<String, Secret>> {
    let mut values = BTreeMap::new();
    for (index, line) in file.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line itself may hold a secret.
        let wrong = || anyhow!("line {} of the file of variables is not NAME=value", index + 1);
        let (name, value) = line.split_once('=').ok_or_else(wrong)?;
        let name = name.trim_start_matches("export ").trim();
        if !names.iter().any(|known| known == name) {
            bail!("line {}: {name} is no variable of the edge", index + 1);
        }
        let value = Secret::new(unquoted(value.trim()));
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// As systemd and shells read it, and as `mps secrets render --for env` writes it: in single quotes as it is, in double ones with escapes.
fn unquoted(text: &str) -> String {
    let within = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(text) = within('\'') {
        return text.to_owned();
    }
    let Some(quoted) = within('"') else { return text.to_owned() };
    let (mut plain, mut letters) = (String::with_capacity(quoted.len()), quoted.chars());
    while let Some(letter) = letters.next() {
        let is_escape = letter == '\\' && letters.as_str().starts_with(['"', '\\', '$', '`']);
        plain.push(if is_escape { letters.next().unwrap_or(letter) } else { letter });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# keys\nSUPABASE_URL=https://x.supabase.co\nexport SUPABASE_PUBLISHABLE_KEY=\"a=b\"\n\nJWT_ISSUER = 'c'\n";

    fn names() -> Vec<String> {
        let more = ["JWT_ISSUER", OPS_TOKEN, "JWT_AUDIENCE"];
        REQUIRED.iter().copied().chain(more).map(str::to_owned).collect()
    }

    fn error(file: &str) -> String {
        let read = Variables::from(&names(), BTreeMap::new(), file, |_| None);
        read.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_missing_variable_is_named() {
        assert!(error(FILE).starts_with("not set: SUPABASE_SECRET_KEY."));
        assert!(error("").contains("SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY"));
        assert!(error("SUPABASE_URL=").contains("SUPABASE_URL"));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_configuration() -> Result<()> {
        let environment = |name: &str| match name {
            "SUPABASE_SECRET_KEY" => Some(Secret::new("from the environment".to_owned())),
            "SUPABASE_URL" => Some(Secret::new("https://y.supabase.co".to_owned())),
            "HOME" => Some(Secret::new("/root".to_owned())),
            _ => None,
        };
        let configured = [("JWT_ISSUER", "configured"), ("JWT_AUDIENCE", "configured"), ("OTHER", "x")];
        let configured =
            configured.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).into();
        let variables = Variables::from(&names(), configured, FILE, environment)?;
        let value = |name: &str| variables.0.get(name).map_or("", Secret::expose);
        assert_eq!(value("SUPABASE_URL"), "https://y.supabase.co");
        assert_eq!(value("SUPABASE_PUBLISHABLE_KEY"), "a=b");
        assert_eq!(value("JWT_ISSUER"), "c");
        assert_eq!(value("JWT_AUDIENCE"), "configured");
        assert_eq!((value("HOME"), value("OTHER")), ("", ""));
        Ok(())
    }

    #[test]
    fn quotes_are_read_as_a_shell_reads_them() {
        for (text, value) in [
            ("plain", "plain"),
            ("'a\\nb\"$'", "a\\nb\"$"),
            (r#""a\"b\\c\$d\`e\nf""#, r#"a"b\c$d`e\nf"#),
            ("\"", "\""),
            ("''", ""),
        ] {
            assert_eq!(unquoted(text), value, "{text}");
        }
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number_and_its_text_is_not_told() {
        assert!(error("SUPABASE_URL=x\nsecret").contains("line 2"));
        assert!(!error("sb_secret_x").contains("sb_secret_x"));
        assert!(error("SUPABASE_SECRET=x").contains("SUPABASE_SECRET is no variable"));
    }
}
