//! The keys of a local Supabase: made at random, kept in a git-ignored file where a run is to find them again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};

/// 64 characters, so that six bits of a random byte name one without bias.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const PUBLISHABLE: &str = "SUPABASE_PUBLISHABLE_KEY";
const SECRET: &str = "SUPABASE_SECRET_KEY";
const JWT_SECRET: &str = "SUPABASE_JWT_SECRET";

/// The two API keys and the secret that signs access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) publishable: String,
    pub(crate) secret: String,
    pub(crate) jwt_secret: String,
}

impl Keys {
    /// New ones.
    pub(crate) fn random() -> Result<Self> {
        Ok(Self {
            publishable: format!("sb_publishable_{}_{}", letters(22)?, letters(8)?),
            secret: format!("sb_secret_{}_{}", letters(22)?, letters(8)?),
            jwt_secret: letters(48)?,
        })
    }

    /// Those of the file, which is written when there is none.
    pub(crate) fn kept_in(file: &Path) -> Result<Self> {
        if let Ok(text) = fs::read_to_string(file) {
            return Self::parse(&text)
                .with_context(|| format!("{} lacks a key: remove it to have new ones made", file.display()));
        }
        let keys = Self::random()?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(file, keys.to_text()).with_context(|| format!("cannot write {}", file.display()))?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
        Ok(keys)
    }

    /// Gives the keys to a program under the names that config.toml and the edge read.
    pub(crate) fn apply(&self, command: &mut Command) {
        command
            .env(PUBLISHABLE, &self.publishable)
            .env(SECRET, &self.secret)
            .env(JWT_SECRET, &self.jwt_secret);
    }

    fn to_text(&self) -> String {
        format!(
            "{PUBLISHABLE}={}\n{SECRET}={}\n{JWT_SECRET}={}\n",
            self.publishable, self.secret, self.jwt_secret
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Some(Self {
            publishable: value(PUBLISHABLE)?,
            secret: value(SECRET)?,
            jwt_secret: value(JWT_SECRET)?,
        })
    }
}

/// Random letters, six bits each.
fn letters(count: usize) -> Result<String> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect())
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn keys_are_kept_between_runs() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("state/dev.env");
        let made = Keys::kept_in(&file)?;
        assert_eq!(Keys::kept_in(&file)?, made);
        Ok(())
    }

    #[test]
    fn two_sets_of_keys_differ_and_the_secret_is_long_enough() -> anyhow::Result<()> {
        let (one, other) = (Keys::random()?, Keys::random()?);
        assert_ne!(one.secret, other.secret);
        assert_ne!(one.jwt_secret, other.jwt_secret);
        assert!(one.jwt_secret.len() >= 32);
        Ok(())
    }

    #[test]
    fn a_file_without_all_keys_is_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("dev.env");
        std::fs::write(&file, "SUPABASE_SECRET_KEY=x\n")?;
        assert!(Keys::kept_in(&file).is_err());
        Ok(())
    }
}
