//! One secret of a KV engine of version 2, in HashiCorp Vault or OpenBao, by their HTTP API: every write names the version that it was
//! made from, so that two writers cannot lose one another's change.

mod client;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::client::{Answer, Client, Method};
use super::super::document::Document;
use super::super::mode;
use super::{IfMissing, StoreFinding};
use crate::config::SecretsVault;

/// So many writers one after the other may come between; then something is wrong.
const CONFLICTS_MAX: u32 = 5;

/// A token that ends sooner, and cannot be renewed, wants an operator.
const TOKEN_SECONDS_MIN: u64 = 7 * 86_400;

/// More than all secrets together are, so that nothing grows and leaves a copy behind.
const BODY_BYTES: usize = 1 << 17;

pub(crate) struct VaultStore {
    client: Client,
    mount: String,
    path: String,
}

/// What was read, and the version that the next write is made from: 0 where there is none.
struct Version {
    number: u64,
    document: Document,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct SecretVersion {
    data: Option<Document>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}

#[derive(Deserialize)]
struct Mount {
    #[serde(rename = "type")]
    engine: String,
    options: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct Write<'a> {
    options: Options,
    data: &'a Document,
}

#[derive(Serialize)]
struct Options {
    cas: u64,
}

enum Written {
    Yes,
    /// Another writer came first.
    Conflict,
}

impl VaultStore {
    pub(super) fn open(settings: &SecretsVault) -> Result<Self> {
        Ok(Self {
            client: Client::new(settings)?,
            mount: settings.mount.clone(),
            path: settings.path.clone(),
        })
    }

    pub(super) fn place(&self) -> String {
        format!("{} at {}", self.address(), self.client.address())
    }

    fn address(&self) -> String {
        format!("{}/data/{}", self.mount, self.path)
    }

    pub(super) fn read(&self) -> Result<Document> {
        Ok(self.version()?.ok_or_else(|| self.missing())?.document)
    }

    pub(super) fn update<T>(
        &self,
        missing: IfMissing,
        change: impl Fn(&mut Document) -> Result<T>,
    ) -> Result<T> {
        for _ in 0..CONFLICTS_MAX {
            let version = match self.version()? {
                None if missing == IfMissing::Refuse => return Err(self.missing()),
                None => Version { number: 0, document: Document::default() },
                Some(version) => version,
            };
            let mut document = version.document;
            let outcome = change(&mut document)?;
            if !document.is_changed() {
                return Ok(outcome);
            }
            match self.write(version.number, &document)? {
                Written::Yes => return Ok(outcome),
                Written::Conflict => {}
            }
        }
        bail!(
            "{}: others wrote {CONFLICTS_MAX} times meanwhile; nothing was changed, try again",
            self.place()
        )
    }

    /// `None` where there is none yet.
    fn version(&self) -> Result<Option<Version>> {
        let answer = self.client.call(Method::Get, &self.address(), None)?;
        match answer.status {
            200 => {
                let Data { data } = parsed::<Data<SecretVersion>>(&answer, &self.place())?;
                let document = data.data.ok_or_else(|| self.deleted(data.metadata.version))?;
                Ok(Some(Version { number: data.metadata.version, document }))
            }
            404 if answer.says("no handler for route") || answer.says("unsupported path") => {
                Err(self.no_engine())
            }
            // A version that was deleted or destroyed is told as not found, with what is known of it.
            404 => match parsed::<Data<SecretVersion>>(&answer, "") {
                Ok(Data { data }) => Err(self.deleted(data.metadata.version)),
                Err(_) => self.check_engine().map(|()| None),
            },
            _ => Err(self.client.unexpected(&answer, &self.address())),
        }
    }

    fn write(&self, from: u64, document: &Document) -> Result<Written> {
        let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES));
        serde_json::to_writer(&mut *body, &Write { options: Options { cas: from }, data: document })
            .map_err(|_| anyhow!("the secrets cannot be written as JSON"))?;
        let answer = self.client.call(Method::Post, &self.address(), Some(&body))?;
        match answer.status {
            200 => Ok(Written::Yes),
            400 if answer.says("check-and-set parameter did not match") => Ok(Written::Conflict),
            404 => Err(self.no_engine()),
            _ => Err(self.client.unexpected(&answer, &self.address())),
        }
    }

    /// An engine of version 1 has nothing at that path either, and would take what is written there for a secret of its own.
    fn check_engine(&self) -> Result<()> {
        let answer = self.client.call(Method::Get, &format!("sys/internal/ui/mounts/{}", self.mount), None);
        // Whoever may not look learns it from the write.
        let Ok(Data { data: mount }) = answer.and_then(|answer| parsed::<Data<Mount>>(&answer, "")) else {
            return Ok(());
        };
        let version = mount.options.as_ref().and_then(|options| options.get("version"));
        if mount.engine != "kv" || version.is_none_or(|version| version != "2") {
            bail!(
                "secrets.mount: what is mounted at {} is no KV engine of version 2: `vault secrets enable -version=2 -path={} kv`, or `vault kv enable-versioning {}`",
                self.mount,
                self.mount,
                self.mount
            );
        }
        Ok(())
    }

    pub(super) fn findings(&self) -> Vec<StoreFinding> {
        let mut found = Vec::new();
        for path in self.client.files() {
            let mode = mode::of(path).ok().flatten().filter(|mode| mode & 0o007 != 0);
            found.extend(mode.map(|mode| StoreFinding {
                what: format!("{} has mode {mode:04o}: everybody on this machine may use it", path.display()),
                fix: format!("chmod o= {}", path.display()),
            }));
        }
        // A policy may keep a token from looking at itself; then nothing is known of it.
        if let Ok(Some(token)) = self.client.look_up() {
            if token.policies.iter().any(|policy| policy == "root") {
                found.push(StoreFinding {
                    what: "the token is a root token: it may do anything in Vault".to_owned(),
                    fix: "use one whose policy allows this path only (docs/operations/secrets.md), and revoke this one"
                        .to_owned(),
                });
            }
            if self.client.has_token_file() && !token.renewable && (1..TOKEN_SECONDS_MIN).contains(&token.ttl)
            {
                found.push(StoreFinding {
                    what: format!("the token ends in {} hours and cannot be renewed", token.ttl / 3600),
                    fix: "write a new one into secrets.token_file, or let Vault's agent do it".to_owned(),
                });
            }
        }
        found
    }

    fn missing(&self) -> anyhow::Error {
        anyhow!("there are no secrets at {}: `mps secrets init` begins them", self.place())
    }

    fn deleted(&self, version: u64) -> anyhow::Error {
        let (mount, path) = (&self.mount, &self.path);
        anyhow!(
            "version {version}, the newest of {}, was deleted: `vault kv undelete -mount={mount} -versions={version} {path}`; where it was \
             destroyed, `vault kv rollback` to one before",
            self.place()
        )
    }

    fn no_engine(&self) -> anyhow::Error {
        let namespace = self.client.namespace().map_or_else(
            || "secrets.namespace is not set".to_owned(),
            |namespace| format!("secrets.namespace is {namespace}"),
        );
        anyhow!(
            "secrets.mount: nothing is mounted at {} of {} ({namespace}): `vault secrets list` names what is",
            self.mount,
            self.client.address()
        )
    }
}

/// What serde says of a text that it cannot read may quote it.
fn parsed<'a, T: Deserialize<'a>>(answer: &'a Answer, place: &str) -> Result<T> {
    serde_json::from_slice(&answer.body)
        .map_err(|_| anyhow!("{place} is not as mps writes it: {{NAME: {{value, set_at}}}}"))
}
