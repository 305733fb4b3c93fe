//! `mps deploy`: another release over the one that runs, without anybody being turned away, and back again when it does not work.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::output::{Output, say};
use crate::release::Release;
use crate::serve::{Order, STATE, give};

/// Where releases are installed.
const ROOT: &str = "/usr/lib/mps";

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "what is asked for on the command line")]
#[command(
    long_about = "Exchange the edges that `mps serve` runs for those of another release\n\n\
                  The release is unpacked below the root and tried beside the edges. Then each edge lets its requests finish and is exchanged; whoever \
                  comes meanwhile waits for a moment. If one does not become ready, or dies while it is watched, all go back to what ran before, and so \
                  does this command: exit code 1. Migrate the database first: `mps migrate up`.",
    after_help = "Examples:\n  mps deploy dist/mps-0.2.0+1a2b3c.tar.gz\n  mps deploy dist/mps-0.1.0.tar.gz --install-only   # the first time\n  mps deploy --rollback\n  mps deploy --again     # the same release, after a change of the configuration or a secret\n  mps deploy --status --json"
)]
pub(crate) struct Options {
    /// The release: its folder or its archive
    #[arg(required_unless_present_any = ["rollback", "again", "status"], conflicts_with_all = ["rollback", "again", "status"])]
    release: Option<PathBuf>,
    /// Go back to the release that ran before
    #[arg(long, conflicts_with_all = ["again", "status"])]
    rollback: bool,
    /// Start the edges anew, with the configuration and the secrets as they are now
    #[arg(long, conflicts_with = "status")]
    again: bool,
    /// Unpack it and make it the one that `mps serve` starts with; nothing runs yet
    #[arg(long, conflicts_with_all = ["rollback", "again", "status"])]
    install_only: bool,
    /// Tell what runs
    #[arg(long)]
    status: bool,
    /// Where releases are installed; `current` there is the one that runs
    #[arg(long, default_value = ROOT, value_name = "FOLDER")]
    root: PathBuf,
    /// The folder of `mps serve --state`
    #[arg(long, default_value = STATE, value_name = "FOLDER")]
    state: PathBuf,
    /// How long the edges are watched afterwards; each for up to 5 s of it before the next is exchanged
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    watch_seconds: u64,
    /// How many releases stay installed
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    keep: usize,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let root = Root { folder: options.root.clone() };
    let release = match &options.release {
        Some(given) => Some(root.install(given)?),
        None if options.rollback => Some(root.before()?),
        None => None,
    };
    if let Some(release) = release.as_ref().filter(|_| options.install_only) {
        root.point_at(release)?;
        output.result(&json!({"version": release.version(), "release": release.folder()}), || {
            format!("{} is installed: start `mps serve`", release.version())
        });
        return Ok(ExitCode::SUCCESS);
    }
    let order = if options.status {
        Order::Status
    } else {
        let release = release.as_ref().map(|release| release.folder().to_owned());
        Order::Roll { release, watch_seconds: options.watch_seconds }
    };
    let status = give(&options.state, &order, say)?;
    if let Some(release) = release {
        root.point_at(&release).with_context(|| {
            format!("{} runs, and is not what `mps serve` would start with", status.version)
        })?;
        root.remove_old(options.keep)?;
    }
    output.result(&json!(status), || {
        let edges =
            status.edges.iter().map(|edge| format!("\n  http://{} (process {})", edge.address, edge.process));
        format!("{} runs, from {}{}", status.version, status.release.display(), edges.collect::<String>())
    });
    Ok(ExitCode::SUCCESS)
}

/// The folder of `releases/`, and of the links to the one that runs and to the one before.
struct Root {
    folder: PathBuf,
}

impl Root {
    fn releases(&self) -> PathBuf {
        self.folder.join("releases")
    }

    /// Puts it where it stays. A version is one build: another one under the same is refused.
    fn install(&self, given: &Path) -> Result<Release> {
        let releases = self.releases();
        fs::create_dir_all(&releases).with_context(|| format!("cannot make {}", releases.display()))?;
        let unpacked = tempfile::Builder::new().prefix(".new-").tempdir_in(&releases);
        let unpacked = unpacked.with_context(|| format!("cannot write to {}", releases.display()))?;
        let source = if given.is_file() {
            check_sum(given)?;
            run_program(Command::new("tar").args(["-xzf"]).arg(given).arg("-C").arg(unpacked.path()))?;
            only_folder(unpacked.path())?
        } else {
            given.to_owned()
        };
        let release = Release::open(&source)?;
        let place = releases.join(release.version());
        if place.exists() {
            run_program(Command::new("diff").args(["-rq"]).arg(release.folder()).arg(&place)).with_context(
                || {
                    format!(
                        "{} is installed already, and is another build: give this one a version of its own",
                        release.version()
                    )
                },
            )?;
            return Release::open(&place);
        }
        let copy = unpacked.path().join("copy");
        run_program(Command::new("cp").arg("-r").arg(release.folder()).arg(&copy))?;
        fs::rename(&copy, &place).with_context(|| format!("cannot make {}", place.display()))?;
        Release::open(&place)
    }

    fn before(&self) -> Result<Release> {
        let link = self.folder.join("previous");
        ensure!(link.exists(), "{} is not there: nothing ran before", link.display());
        Release::open(&link)
    }

    /// From now on it is the one that runs, and what ran is the one before.
    fn point_at(&self, release: &Release) -> Result<()> {
        let current = self.folder.join("current");
        if let Ok(running) = current.canonicalize() {
            if running == release.folder() {
                return Ok(());
            }
            point(&self.folder.join("previous"), &running)?;
        }
        point(&current, release.folder())
    }

    /// The oldest go; what runs and what ran before stay.
    fn remove_old(&self, keep: usize) -> Result<()> {
        let linked: Vec<PathBuf> = ["current", "previous"]
            .iter()
            .filter_map(|name| self.folder.join(name).canonicalize().ok())
            .collect();
        let mut others = Vec::new();
        for entry in fs::read_dir(self.releases()).context("cannot list the releases")? {
            let path = entry?.path().canonicalize()?;
            if !linked.contains(&path) && Release::open(&path).is_ok() {
                others.push((fs::metadata(&path)?.modified()?, path));
            }
        }
        others.sort();
        let surplus = others.len().saturating_sub(keep.saturating_sub(linked.len()));
        for (_, path) in &others[..surplus] {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
            say(&format!("removed {}", path.display()));
        }
        Ok(())
    }
}

/// Makes a link say something else, so that whoever reads it sees the one or the other.
fn point(link: &Path, to: &Path) -> Result<()> {
    let new = link.with_extension("new");
    let _ = fs::remove_file(&new);
    symlink(to, &new).with_context(|| format!("cannot make {}", new.display()))?;
    fs::rename(&new, link).with_context(|| format!("cannot make {}", link.display()))
}

/// Where its sum is beside it, it must be right.
fn check_sum(archive: &Path) -> Result<()> {
    let mut name = archive.as_os_str().to_owned();
    name.push(".sha256");
    let Ok(expected) = fs::read_to_string(Path::new(&name)) else { return Ok(()) };
    let mut digest = Sha256::new();
    let mut file = fs::File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut bytes = vec![0; 1 << 16];
    loop {
        let length = std::io::Read::read(&mut file, &mut bytes)?;
        if length == 0 {
            break;
        }
        digest.update(&bytes[..length]);
    }
    let sum = hexadecimal(&digest.finalize());
    let is_right = expected.split_whitespace().next() == Some(sum.as_str());
    ensure!(is_right, "{} is not what its .sha256 says: fetch it again", archive.display());
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn only_folder(folder: &Path) -> Result<PathBuf> {
    let entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    match entries.as_slice() {
        [one] if one.is_dir() => Ok(one.clone()),
        _ => bail!("the archive is no release: it holds more than one folder"),
    }
}

fn run_program(command: &mut Command) -> Result<()> {
    let name = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(folder: &Path, version: &str) -> Result<PathBuf> {
        let place = folder.join(format!("mps-{version}"));
        for file in ["bin/workerd", "edge/workerd.capnp", "edge/build/index.js", "edge/build/index_bg.wasm"] {
            let path = place.join(file);
            fs::create_dir_all(path.parent().unwrap_or(&place))?;
            fs::write(path, version)?;
        }
        fs::write(place.join("release.json"), json!({"version": version}).to_string())?;
        Ok(place)
    }

    fn archive(place: &Path) -> Result<PathBuf> {
        let archive = place.with_added_extension("tar.gz");
        let (parent, name) = (place.parent().context("a parent")?, place.file_name().context("a name")?);
        run_program(Command::new("tar").arg("-C").arg(parent).arg("-czf").arg(&archive).arg(name))?;
        Ok(archive)
    }

    #[test]
    fn a_release_is_installed_from_its_folder_and_its_archive_and_the_links_follow() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = Root { folder: folder.path().join("root") };
        assert!(root.before().is_err());
        let first = root.install(&release(folder.path(), "1")?)?;
        root.point_at(&first)?;
        assert!(root.before().is_err(), "nothing ran before the first");
        let second = root.install(&archive(&release(folder.path(), "2")?)?)?;
        root.point_at(&second)?;
        assert_eq!(root.before()?.version(), "1");
        assert_eq!(Release::open(&root.folder.join("current"))?.version(), "2");
        // Again: what ran before it is still the first.
        root.point_at(&second)?;
        assert_eq!(root.before()?.version(), "1");
        // The same build again is that; another one that calls itself the same is not.
        assert_eq!(root.install(&release(folder.path(), "2")?)?.folder(), second.folder());
        let other = release(folder.path(), "2")?;
        fs::write(other.join("edge/build/index.js"), "other")?;
        let refused = root.install(&other).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|text| text.contains("another build")));
        let hidden = fs::read_dir(root.releases())?.filter_map(Result::ok).count();
        assert_eq!(hidden, 2, "nothing is left of unpacking");
        Ok(())
    }

    #[test]
    fn an_archive_that_its_sum_does_not_know_is_refused() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let archive = archive(&release(folder.path(), "1")?)?;
        check_sum(&archive)?;
        let sum = Command::new("sha256sum").arg(&archive).output()?.stdout;
        fs::write(archive.with_added_extension("sha256"), &sum)?;
        check_sum(&archive)?;
        fs::write(&archive, "other")?;
        assert!(check_sum(&archive).is_err());
        Ok(())
    }

    #[test]
    fn old_releases_go_and_never_what_runs_or_ran() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = Root { folder: folder.path().join("root") };
        for version in ["1", "2", "3", "4"] {
            root.point_at(&root.install(&release(folder.path(), version)?)?)?;
        }
        root.point_at(&Release::open(&root.releases().join("1"))?)?;
        root.remove_old(3)?;
        let left = |version: &str| root.releases().join(version).exists();
        assert!(left("1") && left("4"), "what runs, and what ran before");
        assert_eq!([left("2"), left("3")].iter().filter(|is_left| **is_left).count(), 1);
        root.remove_old(0)?;
        assert!(left("1") && left("4") && !left("2") && !left("3"));
        Ok(())
    }
}
