//! What an image is made of: folders that its Containerfile copies, with the modes that they have in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Image;
use super::debian::{Package, Tree, write};
use crate::process;
use crate::repository::Repository;
use crate::setup::nginx;

/// Where a release is in it.
const RELEASE: &str = "usr/lib/mps/current";
/// Where the pages are in it, and what they know of an installation: as `mps config` has them when it is not told otherwise.
const SITE: (&str, &str) = ("/usr/share/mps/www", "/etc/mps/config.json");

/// Users and where names are looked up, for programs that ask glibc. Nobody has a shell.
const FILES: [(&str, &str); 3] = [
    ("etc/passwd", "root:x:0:0:root:/:/none\nmps:x:65532:65532:mps:/:/none\n"),
    ("etc/group", "root:x:0:\nmps:x:65532:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

/// Of a release, what an edge and the operator's commands read: the pages are in the other image.
const OF_THE_EDGE: [&str; 4] = ["edge", "migrations", "postgres", "release.json"];
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Fills the folder; answers the packages that are in it.
pub(super) fn make(
    repository: &Repository,
    image: Image,
    release: &Path,
    folder: &Path,
) -> Result<Vec<Package>> {
    let debian = folder.join("debian");
    let mut tree = Tree::at(&debian)?;
    match image {
        Image::Edge => edge(release, folder, &mut tree)?,
        Image::Web => web(repository, release, folder, &mut tree)?,
    }
    for (file, text) in FILES {
        write(&debian.join(file), text.as_bytes())?;
    }
    let packages = tree.finish()?;
    // Where something is mounted that can be written to; it begins with the mode of these, and is nobody's own.
    let written: &[(&str, u32)] = match image {
        Image::Edge => &[("debian/tmp", 0o1777), ("state/mps", 0o775)],
        Image::Web => &[("debian/tmp", 0o1777), ("debian/var/lib/nginx", 0o1777)],
    };
    for (place, _) in written {
        fs::create_dir_all(folder.join(place)).with_context(|| format!("cannot make {place}"))?;
    }
    make_modes(folder)?;
    written.iter().try_for_each(|(place, mode)| set_mode(&folder.join(place), *mode))?;
    Ok(packages)
}

fn edge(release: &Path, folder: &Path, tree: &mut Tree) -> Result<()> {
    let workerd = folder.join("workerd").join(RELEASE).join("bin/workerd");
    let mps = folder.join("mps/usr/bin/mps");
    for (from, to) in [("bin/workerd", &workerd), ("bin/mps", &mps)] {
        strip(&release.join(from), to)?;
        tree.add_libraries_of(to)?;
    }
    tree.add_authorities()?;
    let whole = folder.join("mps").join(RELEASE);
    for part in OF_THE_EDGE.iter().chain(&LICENCES) {
        copy(&release.join(part), &whole.join(part))?;
    }
    Ok(())
}

fn web(repository: &Repository, release: &Path, folder: &Path, tree: &mut Tree) -> Result<()> {
    let nginx = nginx::require()?;
    tree.add(&nginx)?;
    tree.add_libraries_of(&nginx)?;
    tree.add(Path::new("/etc/nginx/mime.types"))?;
    let mps = folder.join("mps");
    let (site, config) = SITE;
    copy(&release.join("www"), &mps.join(site.trim_start_matches('/')))?;
    for licence in LICENCES {
        copy(&release.join(licence), &mps.join("usr/share/mps").join(licence))?;
    }
    for (from, to) in [
        ("deploy/image/web.conf", "nginx.conf"),
        ("deploy/nginx/mps/pages.conf", "mps/pages.conf"),
        ("deploy/nginx/mps/site.conf", "mps/site.conf"),
    ] {
        let text = fs::read_to_string(repository.join(from)).with_context(|| format!("no {from}"))?;
        let text = text.replace("${MPS_SITE_ROOT}", site).replace("${MPS_SITE_CONFIG}", config);
        ensure!(!text.contains("${"), "{from} has a value that is not known here");
        write(&mps.join("usr/share/mps/nginx").join(to), text.as_bytes())?;
    }
    Ok(())
}

/// Without its symbols: of workerd they are more than a quarter.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a file in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    process::must(Command::new("strip").arg("--strip-all").arg("-o").arg(to).arg(from)).map(drop)
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.exists() {
        bail!("the release has no {}", from.display());
    }
    let mut stack = vec![from.to_owned()];
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))? {
                stack.push(entry?.path());
            }
            continue;
        }
        let place = if path == from { to.to_owned() } else { to.join(path.strip_prefix(from)?) };
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        write(&place, &content)?;
    }
    Ok(())
}

/// Read by everybody, changed by nobody; of this machine's own modes only whether it is a program counts.
fn make_modes(folder: &Path) -> Result<()> {
    set_mode(folder, 0o755)?;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            make_modes(&path)?;
        } else {
            set_mode(&path, if is_program(&path)? { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

/// By how it begins: the loader and libraries too, which harms nobody.
fn is_program(file: &Path) -> Result<bool> {
    use std::io::Read as _;
    let mut begin = Vec::new();
    let opened = fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    opened.take(4).read_to_end(&mut begin).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(begin == b"\x7fELF")
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> Result<u32> {
        Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
    }

    #[test]
    fn modes_do_not_depend_on_the_machine() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        for (name, content, mode) in [("a/program", "\x7fELF...", 0o700), ("a/text", "x", 0o666)] {
            write(&at(name), content.as_bytes())?;
            set_mode(&at(name), mode)?;
        }
        set_mode(&at("a"), 0o700)?;
        make_modes(folder.path())?;
        assert_eq!(
            (mode_of(&at("a"))?, mode_of(&at("a/program"))?, mode_of(&at("a/text"))?),
            (0o755, 0o755, 0o644)
        );
        Ok(())
    }

    #[test]
    fn a_folder_is_copied_whole_and_what_is_missing_is_told() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        write(&at("from/edge/build/index.js"), b"1")?;
        write(&at("from/release.json"), b"2")?;
        copy(&at("from/edge"), &at("to/edge"))?;
        copy(&at("from/release.json"), &at("to/release.json"))?;
        assert_eq!(fs::read(at("to/edge/build/index.js"))?, b"1");
        assert_eq!(fs::read(at("to/release.json"))?, b"2");
        assert!(copy(&at("from/www"), &at("to/www")).is_err());
        Ok(())
    }
}
