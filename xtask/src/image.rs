//! `cargo xtask image`: the container images of a release, built from nothing by buildah, and what is in each of them.

mod context;
mod debian;
pub(crate) mod sbom;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anstream::println;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use tempfile::TempDir;

use self::debian::Package;
use crate::process;
use crate::release;
use crate::report;
use crate::repository::{Repository, on_path};
use crate::setup::{self, Need};

/// Make the container images mps-edge and mps-web of a release, as OCI archives, with a list of what is in each
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask image\n  cargo xtask image --release dist/mps-0.1.0.tar.gz --out /tmp/images\n  \
                        cargo xtask image --push registry.mps.example.com\n\n\
                        On Debian or Ubuntu: the images hold this machine's glibc and nginx. An image that was made of the same \
                        release on the same packages has the same digest. `podman load --input FILE` and `docker load` (25 or newer) take the archives."
)]
pub(crate) struct Options {
    /// The folder that gets the archives and the lists
    #[arg(long, default_value = "dist/images", value_name = "FOLDER")]
    out: PathBuf,
    /// The release, as `cargo xtask release` makes it: its folder, its archive, or a folder with one archive; made anew when left out
    #[arg(long, alias = "from", value_name = "PATH")]
    release: Option<PathBuf>,
    /// Then push them below this address; `buildah login` first
    #[arg(long, value_name = "REGISTRY")]
    push: Option<String>,
}

/// One image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    Edge,
    Web,
}

impl Image {
    pub(crate) const ALL: [Self; 2] = [Self::Edge, Self::Web];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Edge => "mps-edge",
            Self::Web => "mps-web",
        }
    }

    fn recipe(self) -> &'static str {
        match self {
            Self::Edge => "deploy/image/Containerfile.edge",
            Self::Web => "deploy/image/Containerfile.web",
        }
    }
}

/// A release that is there, or is made for this.
pub(crate) struct Release {
    pub(crate) folder: PathBuf,
    /// Where its archive is unpacked.
    _unpacked: Option<TempDir>,
}

impl Release {
    pub(crate) fn find(repository: &Repository, given: Option<&Path>) -> Result<Self> {
        let Some(given) = given else {
            let folder = release::build(repository, &repository.join("dist"), None)?;
            return Ok(Self { folder, _unpacked: None });
        };
        if given.join("release.json").is_file() {
            return Ok(Self { folder: given.to_owned(), _unpacked: None });
        }
        let archive = if given.is_dir() { only(given, ".tar.gz")? } else { given.to_owned() };
        let unpacked = tempfile::tempdir().context("no temporary folder")?;
        let mut tar = Command::new("tar");
        process::must(
            tar.arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(unpacked.path()),
        )?;
        let folder = only(unpacked.path(), "")?;
        Ok(Self { folder, _unpacked: Some(unpacked) })
    }
}

/// What is in a folder and ends so, when it is one.
fn only(folder: &Path, end: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    ensure!(found.len() == 1, "{} has {} of *{end}, not one", folder.display(), found.len());
    Ok(found.remove(0))
}

/// What a release says of itself.
#[derive(Deserialize)]
pub(crate) struct About {
    pub(crate) version: String,
    /// The commit that it was made of, and when that was.
    pub(crate) commit: String,
    pub(crate) time: String,
}

impl About {
    pub(crate) fn of(release: &Path) -> Result<Self> {
        let file = release.join("release.json");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{}: make it anew", file.display()))
    }

    /// A tag takes no plus sign.
    pub(crate) fn tag(&self) -> String {
        self.version.replace('+', "-")
    }
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    setup::ensure(repository, &[Need::Nginx, Need::Buildah, Need::Sbom, Need::Npm])?;
    let release = Release::find(repository, options.release.as_deref())?;
    make(repository, &release.folder, &repository.root().join(&options.out), options.push.as_deref())
}

/// Builds all images, writes their archives, lists and digests, and pushes them.
pub(crate) fn make(repository: &Repository, release: &Path, out: &Path, push: Option<&str>) -> Result<()> {
    let about = About::of(release)?;
    let mut digests = String::new();
    for image in Image::ALL {
        let (archive, builder) = make_archive(repository, image, release, out)?;
        sbom::write(repository, sbom::List::of(image)?, &about, (release, &builder.packages), out)?;
        println!("{}", builder.describe(&archive)?);
        let name = match push {
            Some(registry) => builder.push(registry)?,
            None => image.name().to_owned(),
        };
        let digest = builder.digest()?;
        println!("{name}@{digest}");
        // As `sha256sum` writes it.
        let _ = writeln!(digests, "{}  {name}", digest.trim_start_matches("sha256:"));
    }
    fs::write(out.join("images.sha256"), digests).context("cannot write the digests")
}

/// Builds one; where its archive is.
pub(crate) fn make_archive(
    repository: &Repository,
    image: Image,
    release: &Path,
    out: &Path,
) -> Result<(PathBuf, Builder)> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let work = tempfile::tempdir().context("no temporary folder")?;
    let packages = context::make(repository, image, release, work.path())?;
    let store = tempfile::tempdir().context("no temporary folder")?;
    let builder = Builder { image, about: About::of(release)?, packages, store };
    builder.build(repository, work.path())?;
    Ok((builder.write_archive(out)?, builder))
}

const DIGEST: &str = "digest";

/// buildah with a store of its own: nothing is left behind on the machine.
pub(crate) struct Builder {
    image: Image,
    about: About,
    /// Of Debian, that have files in it.
    packages: Vec<Package>,
    store: TempDir,
}

impl Builder {
    fn buildah(&self) -> Command {
        let mut command = Command::new("buildah");
        for (flag, folder) in [("--root", "root"), ("--runroot", "run")] {
            command.arg(flag).arg(self.store.path().join(folder));
        }
        command
    }

    fn build(&self, repository: &Repository, folder: &Path) -> Result<()> {
        let About { version, commit, time } = &self.about;
        report::progress(&format!("buildah build {}", self.image.name()));
        let seconds = process::capture(Command::new("date").args(["--utc", "+%s", "--date", time]))?;
        let mut command = self.buildah();
        command.args(["build", "--quiet", "--layers", "--isolation", "chroot", "--pull-never"]);
        // All that would be of chance is left out: a container's name, which Docker's format has, and those of the steps on the way.
        command.args([
            "--format",
            "oci",
            "--omit-history",
            "--identity-label=false",
            "--timestamp",
            &seconds,
        ]);
        for (name, value) in [("VERSION", version), ("REVISION", commit), ("CREATED", time)] {
            command.arg("--build-arg").arg(format!("{name}={value}"));
        }
        command.arg("--file").arg(repository.join(self.image.recipe()));
        process::must(command.args(["--tag", &self.local_name()]).arg(folder)).map(drop)
    }

    fn local_name(&self) -> String {
        format!("localhost/{}:{}", self.image.name(), self.about.tag())
    }

    /// `mps-edge-0.1.0-1a2b3c.oci.tar`.
    fn write_archive(&self, out: &Path) -> Result<PathBuf> {
        let archive = out.join(format!("{}-{}.oci.tar", self.image.name(), self.about.tag()));
        // One that is there is added to.
        let _ = fs::remove_file(&archive);
        let place = format!("oci-archive:{}:{}", archive.display(), self.local_name());
        self.copy_to(&place)?;
        Ok(archive)
    }

    /// With its sizes, unpacked and as an archive, and the digest by which it is the same everywhere.
    fn describe(&self, archive: &Path) -> Result<String> {
        let mut command = self.buildah();
        command.args(["images", "--format", "{{.Size}}", &self.local_name()]);
        let unpacked = process::capture(&mut command)?;
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let packed = fs::metadata(archive)?.len() as f64 / 1e6;
        let (name, version, archive) = (self.image.name(), &self.about.version, archive.display());
        Ok(format!("{name} {version}: {} unpacked, {packed:.1} MB in {archive}", unpacked.trim()))
    }

    /// Where it then is, without its tag.
    fn push(&self, registry: &str) -> Result<String> {
        let place = format!("{}/{}", registry.trim_end_matches('/'), self.image.name());
        self.copy_to(&format!("docker://{place}:{}", self.about.tag()))?;
        Ok(place)
    }

    fn copy_to(&self, place: &str) -> Result<()> {
        let mut command = self.buildah();
        command
            .args(["push", "--quiet", "--format", "oci", "--digestfile"])
            .arg(self.store.path().join(DIGEST));
        process::must(command.args([&self.local_name(), place])).map(drop)
    }

    /// Of what was copied last: `sha256:…`.
    fn digest(&self) -> Result<String> {
        let text = fs::read_to_string(self.store.path().join(DIGEST)).context("buildah told no digest")?;
        Ok(text.trim().to_owned())
    }
}

/// What is loaded by a program, and who it belongs to, is asked of Debian's own.
fn require_debian() -> Result<()> {
    ensure!(
        on_path("dpkg-query").is_some() && on_path("ldd").is_some(),
        "images are made on Debian or Ubuntu: they hold its glibc and its nginx"
    );
    Ok(())
}

/// `libc6 2.36-9 amd64`, as debsbom reads it.
fn list_of(packages: &[Package]) -> String {
    packages.iter().fold(String::new(), |text, package| text + &format!("{package}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_becomes_a_tag() {
        let about =
            |version: &str| About { version: version.to_owned(), commit: String::new(), time: String::new() };
        assert_eq!(about("0.1.0+1a2b3c.changed").tag(), "0.1.0-1a2b3c.changed");
    }

    #[test]
    fn a_release_is_its_folder_its_archive_or_the_only_archive_in_a_folder() -> Result<()> {
        let (repository, folder) = (Repository::find()?, tempfile::tempdir()?);
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("mps-1"))?;
        fs::write(at("mps-1/release.json"), r#"{"version": "1", "commit": "a", "time": "b"}"#)?;
        let pack = |name: &str| {
            let mut tar = Command::new("tar");
            process::must(tar.arg("-C").arg(folder.path()).arg("-czf").arg(at(name)).arg("mps-1"))
        };
        fs::create_dir(at("dist"))?;
        pack("dist/mps-1.tar.gz")?;
        for given in ["mps-1", "dist", "dist/mps-1.tar.gz"] {
            let release = Release::find(&repository, Some(&at(given)))?;
            assert_eq!(About::of(&release.folder)?.version, "1", "{given}");
        }
        pack("dist/mps-2.tar.gz")?;
        assert!(Release::find(&repository, Some(&at("dist"))).is_err());
        Ok(())
    }

    #[test]
    fn a_release_that_does_not_say_its_commit_is_made_anew() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("release.json"), r#"{"version": "1"}"#)?;
        let error = About::of(folder.path()).err().map(|error| format!("{error:#}"));
        assert!(error.is_some_and(|text| text.contains("make it anew") && text.contains("commit")));
        Ok(())
    }
}
