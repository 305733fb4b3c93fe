//! Writes every copy of spec/*.toml that is not SQL by hand, or checks that none is stale.

mod pgtap;
mod routes;
mod rust;
mod spec;
mod typescript;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use spec::Spec;

use crate::process;
use crate::repository::Repository;

/// What mends a stale copy.
const REMEDY: &str = "run `cargo xtask codegen` and commit what it wrote";

/// What the edge offers; its own test writes it.
const OPENAPI: &str = "edge/openapi.json";

/// One file this command owns: its path from the root and its whole text.
struct Copy {
    path: &'static str,
    text: String,
}

/// Writes the generated files under `root`; with `check` it writes nothing and fails when one is stale.
///
/// # Errors
/// When the specification is malformed, `rustfmt` is missing, a file cannot be written, or (with `check`) a copy
/// differs from what the specification says.
pub(crate) fn codegen(root: &Path, check: bool) -> Result<()> {
    let spec = Spec::read(root)?;
    let copies = copies(root, &spec)?;
    let stale: Vec<&Copy> = copies.iter().filter(|copy| !is_fresh(root, copy)).collect();
    if check {
        if stale.is_empty() {
            return Ok(());
        }
        let paths: Vec<&str> = stale.iter().map(|copy| copy.path).collect();
        let verb = if paths.len() == 1 { "is" } else { "are" };
        bail!("{} {verb} stale, not what spec/ says: {REMEDY}", paths.join(", "));
    }
    for copy in stale {
        let path = root.join(copy.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder of {}", copy.path))?;
        }
        fs::write(&path, &copy.text).with_context(|| format!("cannot write {}", copy.path))?;
        println!("wrote {}", copy.path);
    }
    Ok(())
}

/// Writes edge/openapi.json. Only the edge's own test knows the types behind it; that test checks it in every run.
///
/// # Errors
/// When the edge does not build, or the document cannot be written.
pub(crate) fn openapi(repository: &Repository) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repository.root()).args(["test", "--quiet", "-p", "mps-edge", "--lib", "openapi"]);
    process::must(cargo.env("MPS_CODEGEN", "1")).map(drop).context("cannot write edge/openapi.json")
}

fn copies(root: &Path, spec: &Spec) -> Result<Vec<Copy>> {
    let openapi = fs::read_to_string(root.join(OPENAPI)).with_context(|| format!("cannot read {OPENAPI}"))?;
    Ok(vec![
        Copy {
            path: "crates/core/src/generated/error_code.rs",
            text: rust::format(root, &rust::error_code(spec))?,
        },
        Copy { path: "crates/core/src/generated/limits.rs", text: rust::format(root, &rust::limits(spec))? },
        Copy {
            path: "crates/client/src/generated/upstream_codes.rs",
            text: rust::format(root, &rust::upstream_codes(spec))?,
        },
        Copy { path: "pkg/src/generated/upstream_codes.ts", text: typescript::upstream_codes(spec) },
        Copy { path: "pkg/src/generated/errors.ts", text: typescript::errors(spec) },
        Copy { path: "pkg/src/generated/limits.ts", text: typescript::limits(spec) },
        Copy { path: "pkg/src/generated/answers.ts", text: routes::answers(&openapi)? },
        Copy { path: "pkg/src/generated/routes.ts", text: routes::typescript(&openapi)? },
        Copy { path: "pkg/src/generated/rpcs.ts", text: routes::rpcs(&openapi, spec)? },
        Copy { path: "supabase/tests/generated_catalogue.test.sql", text: pgtap::catalogue_test(spec)? },
    ])
}

fn is_fresh(root: &Path, copy: &Copy) -> bool {
    fs::read_to_string(root.join(copy.path)).is_ok_and(|text| text == copy.text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs, process};

    use super::{REMEDY, codegen};

    #[test]
    fn a_stale_copy_is_named_with_the_command_that_mends_it() -> anyhow::Result<()> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = env::temp_dir().join(format!("mps-codegen-{}", process::id()));
        fs::create_dir_all(root.join("spec"))?;
        fs::create_dir_all(root.join("edge"))?;
        let specs = ["spec/errors.toml", "spec/limits.toml", "spec/upstream_codes.toml"];
        for path in specs.into_iter().chain(["rustfmt.toml", super::OPENAPI]) {
            fs::copy(repository.join(path), root.join(path))?;
        }
        assert!(codegen(&root, true).is_err(), "missing copies are stale");
        codegen(&root, false)?;
        codegen(&root, true)?;
        fs::write(root.join("pkg/src/generated/limits.ts"), "// edited by hand")?;
        let refusal = codegen(&root, true).err().map(|error| error.to_string()).unwrap_or_default();
        fs::remove_dir_all(&root)?;
        assert_eq!(refusal, format!("pkg/src/generated/limits.ts is stale, not what spec/ says: {REMEDY}"));
        Ok(())
    }
}
