//! What the images have of Debian: the libraries that a program loads, the packages they are of, and what those say of themselves.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::require_debian;
use crate::files;
use crate::process;

/// Authorities as the package has them. What is put together of them below /etc also has those of this machine, which are nobody else's.
const AUTHORITIES: (&str, &str) = ("ca-certificates", "/usr/share/ca-certificates/mozilla");

/// One that an image has files of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    name: String,
    version: String,
    architecture: String,
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.name, self.version, self.architecture)
    }
}

impl Package {
    fn named(name: &str) -> Result<Self> {
        let format = "${Package} ${Version} ${Architecture}";
        let said = process::capture(Command::new("dpkg-query").args(["-W", "-f", format, name]))?;
        let words: Vec<&str> = said.split(' ').collect();
        let &[name, version, architecture] = words.as_slice() else {
            bail!("dpkg-query does not tell one version of {name}: {said}")
        };
        Ok(Self { name: name.to_owned(), version: version.to_owned(), architecture: architecture.to_owned() })
    }

    /// The one that a file is of. Where /lib is a link, packages may name the file by either path.
    fn of_file(file: &Path) -> Result<Self> {
        let text = file.display().to_string();
        let other = match text.strip_prefix("/usr/lib") {
            Some(rest) => format!("/lib{rest}"),
            None => format!("/usr{text}"),
        };
        let asked = [text.clone(), other];
        let said = asked
            .iter()
            .find_map(|path| process::capture(Command::new("dpkg-query").args(["-S", path])).ok());
        let said = said.with_context(|| format!("{text} is of no package"))?;
        // `libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6`.
        let (package, _) = said.split_once(": ").with_context(|| format!("{text}: {said}"))?;
        Self::named(package)
    }

    /// What it says of itself, where scanners of images without a package manager look for it.
    fn describe(&self, tree: &Path) -> Result<()> {
        let name = if self.architecture == "all" {
            self.name.clone()
        } else {
            format!("{}:{}", self.name, self.architecture)
        };
        let status = process::capture(Command::new("dpkg-query").args(["-s", &name]))?;
        write(&tree.join("var/lib/dpkg/status.d").join(&self.name), format!("{status}\n").as_bytes())?;
        let copyright = format!("usr/share/doc/{}/copyright", self.name);
        let text = fs::read(Path::new("/").join(&copyright))
            .with_context(|| format!("{} has no /{copyright}", self.name))?;
        write(&tree.join(copyright), &text)
    }
}

/// Files of Debian in a folder, each at its place.
pub(super) struct Tree<'a> {
    folder: &'a Path,
    packages: BTreeSet<Package>,
}

impl<'a> Tree<'a> {
    pub(super) fn at(folder: &'a Path) -> Result<Self> {
        require_debian()?;
        let mut tree = Self { folder, packages: BTreeSet::new() };
        // By it scanners know whose faults these packages may have.
        tree.add(Path::new("/etc/os-release"))?;
        Ok(tree)
    }

    /// One file, the content of a link's.
    pub(super) fn add(&mut self, file: &Path) -> Result<()> {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        write(&self.within(file)?, &content)?;
        self.packages.insert(Package::of_file(file)?);
        Ok(())
    }

    /// All that a program loads at its start.
    pub(super) fn add_libraries_of(&mut self, program: &Path) -> Result<()> {
        let said = process::capture(Command::new("ldd").arg(program))?;
        let libraries = libraries_in(&said)?;
        ensure!(!libraries.is_empty(), "{} loads nothing: {said}", program.display());
        libraries.iter().try_for_each(|library| self.add(library))
    }

    /// Whom a program believes about the other end of a connection, under both names that are asked for.
    pub(super) fn add_authorities(&mut self) -> Result<()> {
        let (package, folder) = AUTHORITIES;
        let mut all = Vec::new();
        for file in files::walk(Path::new(folder))? {
            all.extend(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
        ensure!(!all.is_empty(), "{folder} is empty: install {package}");
        write(&self.folder.join("etc/ssl/certs/ca-certificates.crt"), &all)?;
        symlink("certs/ca-certificates.crt", self.folder.join("etc/ssl/cert.pem"))
            .context("cannot link it")?;
        self.packages.insert(Package::named(package)?);
        Ok(())
    }

    /// Its packages, each described in it.
    pub(super) fn finish(self) -> Result<Vec<Package>> {
        self.packages.iter().try_for_each(|package| package.describe(self.folder))?;
        Ok(self.packages.into_iter().collect())
    }

    fn within(&self, file: &Path) -> Result<PathBuf> {
        Ok(self.folder.join(file.strip_prefix("/").with_context(|| file.display().to_string())?))
    }
}

/// Of what `ldd` says: the libraries and the loader; not the one that the kernel brings.
fn libraries_in(said: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for line in said.lines().map(str::trim).filter(|line| !line.starts_with("linux-vdso")) {
        let place = line.split_once(" => ").map_or(line, |(_, place)| place);
        let path = place.split(" (").next().unwrap_or(place);
        ensure!(path.starts_with('/'), "a library is missing: {line}");
        found.push(PathBuf::from(path));
    }
    Ok(found)
}

/// With the folders above it.
pub(super) fn write(file: &Path, content: &[u8]) -> Result<()> {
    let folder = file.parent().context("a file in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\tlinux-vdso.so.1 (0x00007f)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";

    #[test]
    fn libraries_and_the_loader_are_taken_and_a_missing_one_is_told() -> Result<()> {
        let paths = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries_in(SAID)?, paths.map(PathBuf::from));
        let missing = SAID.replace("/lib/x86_64-linux-gnu/libm.so.6 (0x00007f)", "not found");
        assert!(libraries_in(&missing).is_err());
        Ok(())
    }

    #[test]
    fn a_program_that_loads_nothing_is_told() {
        assert!(libraries_in("\tnot a dynamic executable\n").is_err());
    }
}
