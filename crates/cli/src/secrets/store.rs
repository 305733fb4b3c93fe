//! Where secrets are kept: read whole, changed whole, and never by two writers at once without the second seeing what the first did.

mod file;
mod vault;

use anyhow::{Result, bail};
use serde::Serialize;

use self::file::FileStore;
use self::vault::VaultStore;
use super::document::Document;
use crate::config::{self, Config, Secrets, SecretsFile};

pub(crate) enum Store {
    File(FileStore),
    Vault(VaultStore),
}

/// What to do where there is none yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    Refuse,
    Create,
}

/// What is wrong with how the store is kept, and what to do.
#[derive(Serialize)]
pub(crate) struct StoreFinding {
    pub(crate) what: String,
    pub(crate) fix: String,
}

/// What `init` made, for people: no part of it is secret.
#[derive(Default, Serialize)]
pub(crate) struct Made {
    /// The identity's path, where one was made.
    pub(crate) identity: Option<String>,
    /// The identity's public key.
    pub(crate) recipient: Option<String>,
}

impl Store {
    /// Refuses a configuration that says it wrongly; whatever else is wrong with it holds up nobody who rotates in a hurry.
    pub(crate) fn open(config: &Config) -> Result<Self> {
        if let Some(finding) = config::findings_of_secrets(config).first() {
            bail!("{finding}; `mps config check` names all");
        }
        Ok(match &config.secrets {
            None => Self::File(FileStore::open(&SecretsFile::default())),
            Some(Secrets::File(settings)) => Self::File(FileStore::open(settings)),
            Some(Secrets::Vault(settings)) => Self::Vault(VaultStore::open(settings)?),
        })
    }

    /// Makes what has to be there before anything can be kept.
    pub(crate) fn prepare(&self) -> Result<Made> {
        match self {
            Self::File(store) => store.prepare(),
            Self::Vault(_) => Ok(Made::default()),
        }
    }

    pub(crate) fn read(&self) -> Result<Document> {
        match self {
            Self::File(store) => store.read(),
            Self::Vault(store) => store.read(),
        }
    }

    /// `change` may be called again: on what another writer has written meanwhile.
    pub(crate) fn update<T>(
        &self,
        missing: IfMissing,
        change: impl Fn(&mut Document) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::File(store) => store.update(missing, change),
            Self::Vault(store) => store.update(missing, change),
        }
    }

    /// Can be asked of a store that cannot be read.
    pub(crate) fn findings(&self) -> Result<Vec<StoreFinding>> {
        match self {
            Self::File(store) => store.findings(),
            Self::Vault(store) => Ok(store.findings()),
        }
    }

    /// For people.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::File(store) => store.place(),
            Self::Vault(store) => store.place(),
        }
    }
}
