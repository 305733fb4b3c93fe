//! `cargo xtask image`: the container images of a release, built from nothing by buildah, and what is in each of them.

mod context;
mod debian;
pub(crate) mod sbom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anstream::println;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;

use self::debian::Package;
use crate::process;
use crate::release;
use crate::report;
use crate::repository::{Repository, on_path};
use crate::setup::{self, Need};

/// Make the container images mps-edge and mps-web of a release, as OCI archives, with a list of what is in each
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask image\n  cargo xtask image --release dist/mps-0.1.0 --out /tmp/images\n  \
                        cargo xtask image --push registry.mps.example.com\n\n\
                        On Debian or Ubuntu: the images hold this machine's glibc and nginx. They are also in the store of buildah and podman; one that was made \
                        of the same release on the same packages is the same, byte for byte."
)]
pub(crate) struct Options {
    /// The folder that gets the archives and the lists
    #[arg(long, default_value = "dist/images", value_name = "FOLDER")]
    out: PathBuf,
    /// The release, as `cargo xtask release` makes it; made anew when left out
    #[arg(long, value_name = "FOLDER")]
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
    let release = match &options.release {
        Some(folder) => folder.clone(),
        None => release::build(repository, &repository.join("dist"), None)?,
    };
    let out = repository.root().join(&options.out);
    make(repository, &release, &out)?;
    if let Some(registry) = &options.push {
        push(&About::of(&release)?, registry, &out)?;
    }
    Ok(())
}

/// Builds all images, and writes their archives and lists.
pub(crate) fn make(repository: &Repository, release: &Path, out: &Path) -> Result<()> {
    let about = About::of(release)?;
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    for image in Image::ALL {
        let work = tempfile::tempdir().context("no temporary folder")?;
        let packages = context::make(repository, image, release, work.path())?;
        build(repository, image, &about, work.path())?;
        let archive = write_archive(image, &about, out)?;
        sbom::write(repository, image, &about, (release, &packages), out)?;
        println!("{}", line_of(image, &about, &archive)?);
    }
    Ok(())
}

fn build(repository: &Repository, image: Image, about: &About, folder: &Path) -> Result<()> {
    report::progress(&format!("buildah build {}", image.name()));
    let seconds = process::capture(Command::new("date").args(["--utc", "+%s", "--date", &about.time]))?;
    let mut command = Command::new("buildah");
    command.args(["build", "--quiet", "--layers", "--isolation", "chroot", "--pull-never"]);
    // The format that has a place for a health check. Without buildah's own label, whose version is this machine's.
    command.args(["--format", "docker", "--identity-label=false", "--timestamp", &seconds]);
    for (name, value) in [("VERSION", &about.version), ("REVISION", &about.commit), ("CREATED", &about.time)]
    {
        command.arg("--build-arg").arg(format!("{name}={value}"));
    }
    command.arg("--file").arg(repository.join(image.recipe()));
    command.arg("--tag").arg(local_name(image, about)).arg(folder);
    process::must(&mut command).map(drop)
}

fn local_name(image: Image, about: &About) -> String {
    format!("localhost/{}:{}", image.name(), about.tag())
}

/// `mps-edge-0.1.0-1a2b3c.oci.tar`.
fn write_archive(image: Image, about: &About, out: &Path) -> Result<PathBuf> {
    let archive = out.join(format!("{}-{}.oci.tar", image.name(), about.tag()));
    // An archive that is there is added to.
    let _ = fs::remove_file(&archive);
    let place = format!("oci-archive:{}:{}:{}", archive.display(), image.name(), about.tag());
    let mut command = Command::new("buildah");
    process::must(command.args(["push", "--quiet", &local_name(image, about), &place]))?;
    Ok(archive)
}

/// The image with its sizes, unpacked and as an archive.
fn line_of(image: Image, about: &About, archive: &Path) -> Result<String> {
    let mut command = Command::new("buildah");
    command.args(["images", "--format", "{{.ID}} {{.Size}}", &local_name(image, about)]);
    let said = process::capture(&mut command)?;
    let (id, size) = said.split_once(' ').context("buildah does not tell an image's size")?;
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let packed = fs::metadata(archive)?.len() as f64 / 1e6;
    Ok(format!(
        "{} {}: {size} unpacked, {packed:.1} MB in {} ({id})",
        image.name(),
        about.version,
        archive.display()
    ))
}

fn push(about: &About, registry: &str, out: &Path) -> Result<()> {
    for image in Image::ALL {
        let digest = out.join(format!("{}.digest", image.name()));
        let place = format!("docker://{}/{}:{}", registry.trim_end_matches('/'), image.name(), about.tag());
        let mut command = Command::new("buildah");
        command.args(["push", "--quiet", "--digestfile"]).arg(&digest);
        process::must(command.args([&local_name(image, about), &place]))?;
        let digest = fs::read_to_string(&digest).context("buildah tells no digest")?;
        println!("{}/{}@{}", registry.trim_end_matches('/'), image.name(), digest.trim());
    }
    Ok(())
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
        assert_eq!(local_name(Image::Edge, &about("1+a")), "localhost/mps-edge:1-a");
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
