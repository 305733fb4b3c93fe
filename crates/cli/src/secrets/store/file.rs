//! A file encrypted with age, which the program `age` opens too. It is replaced whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::document::Document;
use super::super::mode;
use super::{IfMissing, Made, StoreFinding};
use crate::config::SecretsFile;

/// A writer is done in milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// More than all secrets together are, so that nothing grows and leaves a copy behind.
const CONTENTS_BYTES: usize = 1 << 17;

pub(crate) struct FileStore {
    path: PathBuf,
    identity: PathBuf,
    recipients: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// Of this form; a newer mps may write another.
    format: u32,
    /// For whom it was encrypted: public keys.
    recipients: BTreeSet<String>,
    secrets: Document,
}

const FORMAT: u32 = 1;

impl FileStore {
    pub(super) fn open(settings: &SecretsFile) -> Self {
        Self {
            path: settings.path.clone().into(),
            identity: settings.identity.clone().into(),
            recipients: settings.recipients.clone(),
        }
    }

    pub(super) fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Makes the identity where there is none yet, unless a store is there that it could not open.
    pub(super) fn prepare(&self) -> Result<Made> {
        if mode::of(&self.identity)?.is_some() {
            let recipient = public_keys(&self.identities()?).into_iter().next();
            return Ok(Made { identity: None, recipient });
        }
        if mode::of(&self.path)?.is_some() {
            bail!(
                "{} is there and its identity {} is not: bring that back from its copy; a new one could not open it",
                self.place(),
                self.identity.display()
            );
        }
        for path in [&self.identity, &self.path] {
            let folder = folder_of(path);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let identity = Identity::generate();
        let recipient = identity.to_public().to_string();
        let cannot = || format!("cannot make {}", self.identity.display());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.identity);
        let mut file = file.with_context(cannot)?;
        let secret = identity.to_string();
        let lines = [
            &format!(
                "# Of MPS, by `mps secrets init`. It opens {}.\n# public key: {recipient}\n",
                self.place()
            ),
            secret.expose_secret(),
            "\n",
        ];
        for line in lines {
            file.write_all(line.as_bytes()).with_context(cannot)?;
        }
        file.sync_all()
            .and_then(|()| File::open(folder_of(&self.identity))?.sync_all())
            .with_context(cannot)?;
        Ok(Made { identity: Some(self.identity.display().to_string()), recipient: Some(recipient) })
    }

    pub(super) fn read(&self) -> Result<Document> {
        Ok(self.contents()?.ok_or_else(|| self.missing())?.secrets)
    }

    pub(super) fn update<T>(
        &self,
        missing: IfMissing,
        change: impl Fn(&mut Document) -> Result<T>,
    ) -> Result<T> {
        // Held until the end: whoever comes second reads what the first has written.
        let _lock = self.lock(LOCK_PATIENCE)?;
        let contents = match self.contents()? {
            None if missing == IfMissing::Refuse => return Err(self.missing()),
            contents => contents,
        };
        let recipients = self.all_recipients()?;
        let is_for_others = contents.as_ref().is_none_or(|contents| contents.recipients != recipients);
        let mut secrets = contents.map(|contents| contents.secrets).unwrap_or_default();
        let outcome = change(&mut secrets)?;
        if secrets.is_changed() || (is_for_others && missing == IfMissing::Create) {
            self.write(&Contents { format: FORMAT, recipients, secrets })?;
        }
        Ok(outcome)
    }

    pub(super) fn findings(&self) -> Result<Vec<StoreFinding>> {
        let mut found = Vec::new();
        for path in [&self.path, &self.identity] {
            let mode = mode::of(path)?.filter(|mode| !mode::is_private(*mode));
            found.extend(mode.map(|mode| StoreFinding {
                what: format!("{} has mode {mode:04o}: others may read or write it", path.display()),
                fix: format!("chmod 600 {}", path.display()),
            }));
        }
        if found.is_empty()
            && let Some(contents) = self.contents()?
            && contents.recipients != self.all_recipients()?
        {
            found.push(StoreFinding {
                what: "it is encrypted for others than secrets.recipients names".to_owned(),
                fix:
                    "mps secrets init (it encrypts it anew; whoever could open it still knows what they read)"
                        .to_owned(),
            });
        }
        Ok(found)
    }

    /// What a link names is replaced, not the link.
    fn target(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    fn missing(&self) -> anyhow::Error {
        anyhow!("there are no secrets at {}: `mps secrets init` begins them", self.place())
    }

    /// The folder is locked and not the file, which is another one after each change.
    fn lock(&self, patience: Duration) -> Result<File> {
        let target = self.target();
        let folder = folder_of(&target);
        let cannot = || format!("cannot lock {}", folder.display());
        let file = File::open(folder).with_context(cannot)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => bail!(
                    "another mps has been writing {} for {} seconds: end it, or try again",
                    self.place(),
                    patience.as_secs()
                ),
            }
        }
    }

    fn identities(&self) -> Result<Vec<Identity>> {
        let path = self.identity.display();
        let mode = mode::of(&self.identity)?.ok_or_else(|| {
            anyhow!("there is no identity at {path}: bring it back from its copy; `mps secrets init` makes one where nothing is encrypted yet")
        })?;
        if !mode::is_private(mode) {
            bail!(
                "{path} has mode {mode:04o}, so others may have read it: `chmod 600 {path}`, and if they have, rotate every secret"
            );
        }
        let text = fs::read_to_string(&self.identity).with_context(|| format!("cannot read {path}"))?;
        let text = Zeroizing::new(text);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let identities: Option<Vec<Identity>> = lines.map(|line| line.parse().ok()).collect();
        identities.filter(|identities| !identities.is_empty()).ok_or_else(|| {
            anyhow!("{path} is no file of age identities: lines that begin with AGE-SECRET-KEY-1, as age-keygen writes them")
        })
    }

    /// The identity's own public keys, and those of the configuration.
    fn all_recipients(&self) -> Result<BTreeSet<String>> {
        let own = public_keys(&self.identities()?);
        Ok(own.into_iter().chain(self.recipients.iter().cloned()).collect())
    }

    /// `None` where there is no file.
    fn contents(&self) -> Result<Option<Contents>> {
        let encrypted = match fs::read(&self.path) {
            Ok(encrypted) => encrypted,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.place())),
        };
        let identities = self.identities()?;
        let plain = decrypt(&encrypted, &identities)
            .with_context(|| format!("{} cannot be opened with {}", self.place(), self.identity.display()))?;
        // What serde says of a text that it cannot read may quote it.
        let contents: Contents = serde_json::from_slice(&plain).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            anyhow!(
                "{} is not as mps writes it (line {line}, column {column} of what is in it)",
                self.place()
            )
        })?;
        if contents.format != FORMAT {
            bail!("{} is of another version of mps (format {})", self.place(), contents.format);
        }
        Ok(Some(contents))
    }

    /// Beside it, then over it: whoever reads meanwhile reads the old one or the new one.
    fn write(&self, contents: &Contents) -> Result<()> {
        let encrypted = encrypt(contents)?;
        let cannot = || format!("cannot write {}", self.place());
        let target = self.target();
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder_of(&target)).with_context(cannot)?;
        file.write_all(&encrypted).with_context(cannot)?;
        if let Ok(before) = fs::metadata(&target) {
            let now = file.as_file().metadata().with_context(cannot)?;
            // Whoever read it reads it still, when root rotates a secret.
            if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
                fchown(file.as_file(), Some(before.uid()), Some(before.gid())).with_context(|| {
                    format!("{} would change its owner: run it as them, or as root", self.place())
                })?;
            }
        }
        file.as_file().sync_all().with_context(cannot)?;
        file.persist(&target).map_err(|error| error.error).with_context(cannot)?;
        File::open(folder_of(&target)).and_then(|folder| folder.sync_all()).with_context(cannot)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn public_keys(identities: &[Identity]) -> Vec<String> {
    identities.iter().map(|identity| identity.to_public().to_string()).collect()
}

fn decrypt(encrypted: &[u8], identities: &[Identity]) -> Result<Zeroizing<Vec<u8>>> {
    let identities = identities.iter().map(|identity| identity as &dyn age::Identity);
    let mut plain = Zeroizing::new(Vec::with_capacity(encrypted.len()));
    let mut reader = Decryptor::new_buffered(encrypted)
        .and_then(|age| age.decrypt(identities))
        .map_err(|error| explained(&error))?;
    reader.read_to_end(&mut plain).map_err(|_| explained(&DecryptError::DecryptionFailed))?;
    Ok(plain)
}

/// age's own words are for its command line.
fn explained(error: &DecryptError) -> anyhow::Error {
    match error {
        DecryptError::NoMatchingKeys => anyhow!("it was encrypted for others"),
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => anyhow!("it is no file of age's"),
        DecryptError::Io(_) => anyhow!("it is cut off: bring it back from its copy"),
        _ => anyhow!("it was changed or is damaged: bring it back from its copy"),
    }
}

fn encrypt(contents: &Contents) -> Result<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(CONTENTS_BYTES));
    serde_json::to_writer(&mut *plain, contents)
        .map_err(|_| anyhow!("the secrets cannot be written as JSON"))?;
    let recipients = contents.recipients.iter().map(|key| {
        key.parse::<Recipient>().map_err(|_| anyhow!("secrets.recipients: {key} is no public key of age"))
    });
    let recipients = recipients.collect::<Result<Vec<_>>>()?;
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|key| key as &dyn age::Recipient))
        .map_err(|_| anyhow!("age cannot encrypt for these recipients together"))?;
    let mut encrypted = Vec::new();
    let mut writer = encryptor.wrap_output(&mut encrypted).context("age cannot encrypt")?;
    writer.write_all(&plain).and_then(|()| writer.finish()).context("age cannot encrypt")?;
    Ok(encrypted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_never_ends_is_waited_for_so_long_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (path, identity) = (path("secrets.age"), path("identity.txt"));
        let store = FileStore::open(&SecretsFile { path, identity, recipients: Vec::new() });
        let held = store.lock(Duration::ZERO).unwrap();
        let begun = Instant::now();
        let refused = store.lock(Duration::from_millis(100)).unwrap_err().to_string();
        assert!(
            refused.contains("another mps") && begun.elapsed() >= Duration::from_millis(100),
            "{refused}"
        );
        drop(held);
        store.lock(Duration::ZERO).unwrap();
    }
}
