//! The standard library for wasm32: by rustup; where it cannot download, Debian's compiler and a library built here.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::report::{self, Outcome};
use crate::repository::{Repository, on_path};
use crate::setup::system::{self, Package};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The name under which rustup knows Debian's compiler.
const DEBIAN: &str = "debian";

const DEBIAN_PACKAGES: Package = Package {
    title: "Debian's Rust compiler for the wasm32 target",
    debian: &["rustc-web", "cargo-web", "rust-web-src"],
    homebrew: &[],
};

/// The parts of the standard library that the wasm crates may link.
const BUILD_STD: &str = "-Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro";

/// The compiler for wasm32 and what it must be told.
pub(crate) enum Toolchain {
    /// The one in use has the target.
    Active,
    /// Debian's, linked into rustup, with the linker of the one in use.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// The compiler that can build for wasm32 now.
    pub(crate) fn find() -> Option<Self> {
        if sysroot().is_ok_and(|sysroot| has_std(&sysroot)) {
            return Some(Self::Active);
        }
        let is_ready = has_std(Path::new("/usr")) && is_linked();
        if is_ready { find_linker().map(|linker| Self::Debian { linker }) } else { None }
    }

    /// The compiler, when setup has seen to it.
    pub(crate) fn require() -> Result<Self> {
        Self::find().context("no Rust compiler for wasm32: run `cargo xtask setup`")
    }

    /// Points a cargo command, and what it starts, at this compiler.
    pub(crate) fn apply(&self, command: &mut Command) {
        // `cargo xtask` leaves its own compiler's libraries on this path; another compiler has its own.
        command.env_remove("LD_LIBRARY_PATH").env_remove("DYLD_FALLBACK_LIBRARY_PATH");
        if let Self::Debian { linker } = self {
            command.env("RUSTUP_TOOLCHAIN", DEBIAN).env_remove("RUSTC").env_remove("CARGO");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }

    /// Lets a command that asks for `+nightly`, as worker-build does to unwind panics, have it. rustup downloads one; Debian's
    /// compiler stands in for it, with the library's source that it brings, by three programs that come first on PATH.
    pub(crate) fn pose_as_nightly(&self, repository: &Repository, command: &mut Command) -> Result<()> {
        if matches!(self, Self::Active) {
            return Ok(());
        }
        let folder = repository.state("nightly");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for name in ["cargo", "rustc", "rustup"] {
            let program = on_path(name).with_context(|| format!("{name} is not on PATH"))?;
            let stand_in = folder.join(name);
            fs::write(&stand_in, stand_in_for(name, &program))
                .with_context(|| format!("cannot write {}", stand_in.display()))?;
            fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755))?;
        }
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        let path = path.map(OsStr::to_os_string).or_else(|| env::var_os("PATH")).unwrap_or_default();
        let folders = std::iter::once(folder).chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(folders).context("PATH is malformed")?);
        Ok(())
    }

    /// The compiler's version, for stamps.
    pub(crate) fn version(&self) -> Result<String> {
        let mut rustc = Command::new("rustc");
        self.apply(&mut rustc);
        process::capture(rustc.arg("-vV"))
    }
}

pub(crate) fn ensure(repository: &Repository) -> Result<Outcome> {
    match Toolchain::find() {
        Some(Toolchain::Active) => return Ok(Outcome::Cached("of the active toolchain".to_owned())),
        Some(Toolchain::Debian { .. }) => {
            return Ok(Outcome::Cached("Debian's compiler, standard library built here".to_owned()));
        }
        None => {}
    }
    let refusal = match on_path("rustup") {
        Some(rustup) => {
            report::progress(&format!("rustup target add {TARGET}"));
            let added = process::run(Command::new(rustup).args(["target", "add", TARGET]), false)?;
            if added.status.success() && matches!(Toolchain::find(), Some(Toolchain::Active)) {
                return Ok(Outcome::Done("rustup".to_owned()));
            }
            format!("rustup target add {TARGET} failed:\n{}", added.extract())
        }
        None => "rustup is not installed".to_owned(),
    };
    if !system::is_debian() || on_path("rustup").is_none() {
        bail!(
            "{refusal}\nno Rust standard library for wasm32: install rustup, then `rustup target add {TARGET}`, with a \
             connection to the internet"
        );
    }
    report::progress("rustup cannot download the wasm32 target; taking Debian's compiler instead");
    fall_back(repository).context(refusal)?;
    Ok(Outcome::Done("Debian's compiler, standard library built here".to_owned()))
}

/// Debian ships a compiler of the same kind and the library's source, and reaches machines that rustup does not.
fn fall_back(repository: &Repository) -> Result<()> {
    if !Path::new("/usr/lib/rustlib/src").is_dir() || !Path::new("/usr/bin/rustc").is_file() {
        system::install(&DEBIAN_PACKAGES)?;
    }
    let library = library_folder(Path::new("/usr"));
    if !has_std(Path::new("/usr")) {
        report::progress("building the wasm32 standard library once (about a minute)");
        let scratch = repository.state("std");
        build_std(&scratch, &library)?;
        fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    }
    if !is_linked() {
        process::must(Command::new("rustup").args(["toolchain", "link", DEBIAN, "/usr"]))?;
    }
    ensure!(
        Toolchain::find().is_some(),
        "Debian's compiler is set up, but no rust-lld was found to link with"
    );
    Ok(())
}

/// Builds the standard library with Debian's compiler in `scratch` and copies it to `destination`.
fn build_std(scratch: &Path, destination: &Path) -> Result<()> {
    const SEED: &str = "stdseed";
    fs::create_dir_all(scratch.join("src")).with_context(|| format!("cannot make {}", scratch.display()))?;
    let manifest = format!("[package]\nname = \"{SEED}\"\nedition = \"2021\"\n[lib]\n[workspace]\n");
    fs::write(scratch.join("Cargo.toml"), manifest)?;
    fs::write(scratch.join("src/lib.rs"), "")?;
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.current_dir(scratch).env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    // Without the bitcode, link-time optimisation of what links against it fails.
    cargo.env("RUSTFLAGS", "-Cembed-bitcode=yes").env("CARGO_TARGET_DIR", scratch.join("target"));
    cargo.env_remove("LD_LIBRARY_PATH").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_ENCODED_RUSTFLAGS");
    process::must(cargo.args(["build", "--release", "--target", TARGET, BUILD_STD]))
        .context("cannot build the wasm32 standard library")?;

    fs::create_dir_all(destination)
        .with_context(|| format!("cannot write {} (run this once as root)", destination.display()))?;
    let built = scratch.join("target").join(TARGET).join("release/deps");
    for entry in fs::read_dir(&built).with_context(|| format!("cannot list {}", built.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "rlib")
            && !name.starts_with(&format!("lib{SEED}-"))
        {
            fs::copy(&path, destination.join(&name))
                .with_context(|| format!("cannot write {} (run this once as root)", destination.display()))?;
        }
    }
    Ok(())
}

/// A shell script that answers for one program.
fn stand_in_for(name: &str, program: &Path) -> String {
    let rule = if name == "rustup" {
        // worker-build wants to know whether it must download the library's source.
        r#"case "$*" in *"component list"*) echo "rust-src (installed)"; exit 0 ;; esac"#.to_owned()
    } else {
        format!(
            r#"if [ "$1" = +nightly ]; then shift; export RUSTUP_TOOLCHAIN={DEBIAN} RUSTC_BOOTSTRAP=1; fi"#
        )
    };
    format!("#!/bin/sh\n{rule}\nexec '{}' \"$@\"\n", program.display())
}

fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(process::capture(Command::new("rustc").args(["--print", "sysroot"]))?))
}

fn library_folder(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

fn has_std(sysroot: &Path) -> bool {
    let Ok(entries) = fs::read_dir(library_folder(sysroot)) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn is_linked() -> bool {
    let listed = process::capture(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    listed.lines().any(|line| line.split_whitespace().next() == Some(DEBIAN))
}

/// `rust-lld` of the toolchain in use; Debian's compiler has none of its own.
fn find_linker() -> Option<PathBuf> {
    let rustlib = sysroot().ok()?.join("lib/rustlib");
    let hosts = fs::read_dir(rustlib).ok()?.filter_map(Result::ok);
    let shipped = hosts.map(|host| host.path().join("bin/rust-lld")).find(|path| path.is_file());
    shipped.or_else(|| on_path("rust-lld")).or_else(|| on_path("wasm-ld"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{has_std, library_folder};

    #[test]
    fn a_sysroot_without_the_library_has_no_target() -> anyhow::Result<()> {
        let sysroot = tempfile::tempdir()?;
        let library = library_folder(sysroot.path());
        fs::create_dir_all(&library)?;
        fs::write(library.join("libcore-0.rlib"), "")?;
        assert!(!has_std(sysroot.path()));
        fs::write(library.join("libstd-0.rlib"), "")?;
        assert!(has_std(sysroot.path()));
        Ok(())
    }
}
