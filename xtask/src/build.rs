//! `cargo xtask build`: the npm package, the edge, the web site. A step whose inputs are unchanged is skipped.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::{compiled, outputs};
use crate::files;
use crate::process;
use crate::report::{self, Outcome};
use crate::repository::Repository;
use crate::setup::wasm_target::{TARGET, Toolchain};
use crate::setup::{self, Need, tools};

/// Build the npm package, the edge and the web site
#[derive(Args)]
#[command(after_help = "Example: cargo xtask build")]
pub(crate) struct Options {}

/// What one step reads and writes, from the root. The outputs are all that it leaves: files, and folders as a whole.
struct Step {
    name: &'static str,
    /// The crates of it, whose dependencies are input; what others of the workspace depend on is not.
    crates: &'static [&'static str],
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
}

const RUST_INPUTS: &[&str] = &[".cargo", "crates/core"];

const PACKAGE: Step = Step {
    name: "npm package",
    crates: &["mps-wasm", "mps-scanner"],
    inputs: &[
        "crates/wasm",
        "crates/drawing",
        "crates/scanner",
        "pkg/src",
        "pkg/build.mjs",
        "pkg/build_script.mjs",
        "pkg/package.json",
        "pkg/tsconfig.json",
        "package-lock.json",
    ],
    outputs: &[
        "pkg/dist",
        "pkg/client",
        "pkg/inline",
        "pkg/scanner",
        "pkg/script",
        "pkg/supabase",
        "pkg/LICENSE-APACHE",
        "pkg/LICENSE-MIT",
    ],
};

const EDGE: Step = Step {
    name: "edge",
    crates: &["mps-edge"],
    inputs: &["crates/client", "edge/src", "edge/openapi.json", "edge/Cargo.toml", "edge/wrangler.toml"],
    outputs: &["edge/build"],
};

/// The same with the route that panics, beside the one that is deployed.
const EDGE_PANICKING: Step = Step { name: "edge that panics", outputs: &["edge/build-panic"], ..EDGE };

/// The same as it is developed.
const EDGE_DEV: Step = Step { name: "edge for development", outputs: &[DEV_FOLDER], ..EDGE };

/// Where it is built.
pub(crate) const DEV_FOLDER: &str = "edge/build-dev";

/// The site contains the package, so its stamp does too.
const WWW: Step = Step {
    name: "web site",
    crates: PACKAGE.crates,
    inputs: &[
        "www",
        "crates/wasm",
        "crates/drawing",
        "crates/scanner",
        "pkg/src",
        "pkg/build.mjs",
        "pkg/build_script.mjs",
        "pkg/package.json",
        "package-lock.json",
    ],
    outputs: &["www/dist"],
};

pub(crate) fn run(repository: &Repository, _options: &Options) -> Result<()> {
    setup::ensure(repository, Need::BUILD)?;
    report::step("compiled dependencies", || compiled::restore(repository))?;
    package(repository)?;
    edge(repository)?;
    www(repository)?;
    report::step("compiled dependencies, for the next checkout", || compiled::keep(repository))
}

/// Builds the npm package, the core in it as wasm.
pub(crate) fn package(repository: &Repository) -> Result<()> {
    let toolchain = Toolchain::require()?;
    PACKAGE.ensure(repository, &toolchain.version()?, || {
        let mut cargo = Command::new("cargo");
        toolchain.apply(&mut cargo);
        cargo.current_dir(repository.root()).args([
            "build",
            "--release",
            "-p",
            "mps-wasm",
            "-p",
            "mps-scanner",
            "--target",
            TARGET,
        ]);
        // The path that pkg/build.mjs is given must be where cargo writes, whatever the caller's settings.
        process::must(cargo.arg("--target-dir").arg(repository.join("target")))?;
        let compiled = |name: &str| {
            repository.join(&format!("target/{TARGET}/release/{name}.wasm")).display().to_string()
        };
        let mut command =
            node(repository, &["pkg/build.mjs", &compiled("mps_wasm"), &compiled("mps_scanner")])?;
        with_wasm_tools(repository, &toolchain, &mut command)?;
        Ok(command)
    })
}

/// Builds the Worker that is deployed. What wasm-opt makes of it is smaller on disk, larger once compressed, no quicker, and takes minutes.
pub(crate) fn edge(repository: &Repository) -> Result<()> {
    worker(repository, &EDGE, &["--release", "--panic-unwind", "--no-opt"])
}

/// Builds a Worker soon: with the standard library as it comes, where a panic ends all requests of the isolate, and larger and slower.
pub(crate) fn dev_edge(repository: &Repository) -> Result<()> {
    worker(repository, &EDGE_DEV, &["--profile", "worker-dev", "--no-opt", "--out-dir", "build-dev"])
}

/// Builds a Worker for the tests that can be made to panic; beyond the first it compiles the edge's own crate only.
pub(crate) fn panicking_edge(repository: &Repository) -> Result<()> {
    const OPTIONS: &[&str] =
        &["--release", "--panic-unwind", "--no-opt", "--out-dir", "build-panic", "--features", "test-panic"];
    worker(repository, &EDGE_PANICKING, OPTIONS)
}

fn worker(repository: &Repository, step: &Step, options: &[&str]) -> Result<()> {
    let toolchain = Toolchain::require()?;
    let packed = npm_version(repository, "esbuild");
    step.ensure(repository, &format!("{} {options:?} {packed:?}", toolchain.version()?), || {
        let mut command = Command::new(tools::WORKER_BUILD.program(repository)?);
        command.args(options).current_dir(repository.join("edge")).env("PATH", path(repository)?);
        with_wasm_tools(repository, &toolchain, &mut command)?;
        if options.contains(&"--panic-unwind") {
            toolchain.pose_as_nightly(repository, &mut command)?;
        }
        Ok(command)
    })
}

/// Builds the web site on the package.
pub(crate) fn www(repository: &Repository) -> Result<()> {
    WWW.ensure(repository, "", || {
        let mut command =
            node(repository, &["../node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"])?;
        command.current_dir(repository.join("www"));
        Ok(command)
    })
}

/// The Node.js of package.json with the programs of npm packages on its path.
pub(crate) fn node(repository: &Repository, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(repository.node());
    command.current_dir(repository.root()).args(arguments).env("PATH", path(repository)?);
    Ok(command)
}

/// Names every tool, so that nothing is downloaded.
fn with_wasm_tools(repository: &Repository, toolchain: &Toolchain, command: &mut Command) -> Result<()> {
    toolchain.apply(command);
    command.env("WASM_BINDGEN_BIN", tools::WASM_BINDGEN.program(repository)?);
    command.env("WASM_OPT_BIN", repository.npm_bin("wasm-opt"));
    command.env("ESBUILD_BIN", repository.npm_bin("esbuild"));
    Ok(())
}

/// PATH with the programs of npm packages first.
fn path(repository: &Repository) -> Result<std::ffi::OsString> {
    let own = repository.root().join("node_modules/.bin");
    let rest = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(own).chain(env::split_paths(&rest))).context("PATH is malformed")
}

/// Everything that these crates are compiled from, with versions and features, and how the workspace has it compiled.
fn dependencies(repository: &Repository, crates: &[&str]) -> Result<String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repository.root()).args([
        "tree",
        "--locked",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    cargo.args(["--target", TARGET, "--format", "{p} {f}"]);
    cargo.args(crates.iter().flat_map(|name| ["-p", name]));
    let tree = process::capture(&mut cargo)?;
    // Where a checkout lies says nothing of what is in it.
    let root = format!(" ({}", repository.root().display());
    let lines: BTreeSet<String> =
        tree.lines().map(|line| line.replace(&root, " (").replace(" (*)", "")).collect();
    let manifest = fs::read_to_string(repository.join("Cargo.toml")).context("no Cargo.toml")?;
    let manifest: toml::Table = manifest.parse().context("Cargo.toml is malformed")?;
    Ok(format!("{lines:?}\n{:?}\n{:?}", manifest.get("profile"), manifest["workspace"].get("package")))
}

/// The version of an npm package that is installed; empty when none is.
fn npm_version(repository: &Repository, name: &str) -> String {
    let text = fs::read_to_string(repository.join(&format!("node_modules/{name}/package.json")));
    let manifest: serde_json::Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
    manifest["version"].as_str().unwrap_or_default().to_owned()
}

impl Step {
    /// Runs the command unless inputs, tools and options are those of the last good run and the outputs are there.
    fn ensure(
        &self,
        repository: &Repository,
        tools: &str,
        command: impl FnOnce() -> Result<Command>,
    ) -> Result<()> {
        report::step(self.name, || {
            let wanted = self.hash(repository, tools)?;
            let stamp = self.stamp(repository);
            let is_same = fs::read_to_string(&stamp).is_ok_and(|found| found == wanted);
            if is_same && self.missing(repository).is_none() {
                return Ok(Outcome::Cached("unchanged".to_owned()));
            }
            let _ = fs::remove_file(&stamp);
            let outcome = if outputs::restore(repository, self.name, &wanted, self.outputs)? {
                Outcome::Cached("as another checkout built it".to_owned())
            } else {
                process::must(&mut command()?).with_context(|| format!("cannot build the {}", self.name))?;
                if let Some(missing) = self.missing(repository) {
                    bail!("the build of the {} made no {missing}", self.name);
                }
                // What changed while it was built may or may not be in it.
                if self.hash(repository, tools)? == wanted {
                    outputs::keep(repository, self.name, &wanted, self.outputs)?;
                }
                Outcome::Done(String::new())
            };
            if let Some(folder) = stamp.parent() {
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            // What changed while it was built is built again next time.
            fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
            Ok(outcome)
        })
    }

    fn missing(&self, repository: &Repository) -> Option<&str> {
        self.outputs.iter().copied().find(|output| !repository.join(output).exists())
    }

    fn hash(&self, repository: &Repository, tools: &str) -> Result<String> {
        let inputs: Vec<&str> = RUST_INPUTS.iter().chain(self.inputs).copied().collect();
        // Flags change what comes out, and other checkouts may have others.
        let flags = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].map(|name| format!("{:?}", env::var_os(name)));
        let crates = dependencies(repository, self.crates)?;
        let others = format!("{tools}\n{flags:?}\n{:?}\n{crates}", self.outputs);
        files::hash(repository.root(), &inputs, &others)
    }

    fn stamp(&self, repository: &Repository) -> PathBuf {
        repository.state("stamps").join(self.name.replace(' ', "-"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{EDGE, PACKAGE, dependencies};
    use crate::repository::Repository;

    #[test]
    fn only_what_a_crate_is_compiled_from_is_its_input() -> anyhow::Result<()> {
        let repository = Repository::find()?;
        let edge = dependencies(&repository, EDGE.crates)?;
        assert!(
            edge.contains("\"worker v") && edge.contains("mps-client v") && edge.contains("codegen-units")
        );
        assert!(!edge.contains("ureq v") && !edge.contains("clap v"), "of others");
        assert!(!edge.contains(&repository.root().display().to_string()), "the same in every checkout");
        Ok(())
    }

    /// Whatever of the package is built and not committed must come with a copy from another checkout.
    #[test]
    fn all_that_is_published_and_not_committed_is_an_output() -> anyhow::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let manifest: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(root.join("pkg/package.json"))?)?;
        let published = manifest["files"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
        let mut built: Vec<String> =
            published.filter(|file| *file != "examples").map(|file| format!("pkg/{file}")).collect();
        let mut outputs = PACKAGE.outputs.to_vec();
        outputs.sort_unstable();
        built.sort_unstable();
        assert_eq!(outputs, built);
        Ok(())
    }
}
