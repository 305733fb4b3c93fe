//! The stage `manifests`: what deploy/ and .github/ hold for programs that do not run here, held against what knows them. Each tool is also
//! given a fault of ours, so that one that silently checks nothing is noticed.

mod checkov;
mod compose;
mod lint;
mod nginx;
mod program;
pub(super) mod render;
mod restricted;
mod rules;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::render::name_of;
use self::rules::Installation;
use super::TestContext;
use super::tally::{Tally, tell};
use super::web;
use crate::files;
use crate::lanes;
use crate::process;
use crate::report;
use crate::repository::{Repository, on_path};

const OVERLAYS: &str = "deploy/kubernetes/overlays";

/// One overlay, rendered.
struct Overlay {
    name: String,
    folder: PathBuf,
    installation: Installation,
    /// Its objects in a file, as the tools read them.
    file: PathBuf,
}

pub(super) fn stage(context: &TestContext) -> Result<Tally> {
    let repository = context.repository;
    let mps = web::operators_program(repository)?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let overlays = overlays(repository, folder.path())?;
    let (mut beside, mut here) = (Tally::default(), Tally::default());
    // checkov takes longer than all others.
    lanes::beside(
        || {
            beside = checkov::check(&overlays, folder.path())?;
            Ok(())
        },
        || {
            for overlay in &overlays {
                here += of_overlay(repository, overlay, &mps)?;
            }
            here += schemas::check(&overlays, folder.path())?;
            here += nginx::check(repository, &mps, folder.path())?;
            here += compose::check(repository, &mps, folder.path())?;
            here += lint::check(repository, folder.path())?;
            Ok(())
        },
    )?;
    here += beside;
    Ok(here)
}

fn overlays(repository: &Repository, work: &Path) -> Result<Vec<Overlay>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository.join(OVERLAYS)).with_context(|| format!("cannot list {OVERLAYS}"))? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let installation =
            Installation { objects: render::render(&folder)?, variables: variables_of(repository.root())? };
        let file = work.join(format!("{name}.yaml"));
        write_objects(&file, &installation.objects)?;
        found.push(Overlay { name, folder, installation, file });
    }
    ensure!(!found.is_empty(), "there is no overlay in {OVERLAYS}");
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// JSON is YAML.
fn write_objects(file: &Path, objects: &[Value]) -> Result<()> {
    let texts: Vec<String> = objects.iter().map(|object| format!("{object:#}")).collect();
    fs::write(file, texts.join("\n---\n")).with_context(|| format!("cannot write {}", file.display()))
}

/// What the edge is told by its environment.
fn variables_of(root: &Path) -> Result<BTreeSet<String>> {
    let file = root.join("edge/workerd.capnp");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = |line: &str| {
        let (_, rest) = line.split_once("fromEnvironment = \"")?;
        Some(rest.split('"').next()?.to_owned())
    };
    Ok(text.lines().filter_map(name).collect())
}

fn of_overlay(repository: &Repository, overlay: &Overlay, mps: &str) -> Result<Tally> {
    let name = &overlay.name;
    let mut total = Tally::default();
    for (rule, find) in rules::RULES {
        let found = find(&overlay.installation);
        if found.is_empty() {
            total += Tally::of(true);
        } else {
            total += tell(&format!("{name}: {rule}"), || Ok(found))?;
        }
    }
    total += tell(&format!("{name}: mps-edge.json is what `mps config render` writes"), || {
        is_rendered_anew(repository, overlay, mps)
    })?;
    total += tell(&format!("{name}: mps takes what the pods call it with"), || {
        program::unknown_words(&overlay.installation, mps)
    })?;
    if on_path("kubectl").is_some() {
        total +=
            tell(&format!("{name}: kubectl kustomize renders the same"), || as_kubectl_renders(overlay))?;
    } else {
        report::progress("no kubectl here: the overlays are rendered by our own lines alone");
    }
    Ok(total)
}

/// Of the overlay's own configuration, else of that of the environment of its name.
fn is_rendered_anew(repository: &Repository, overlay: &Overlay, mps: &str) -> Result<Vec<String>> {
    let own = overlay.folder.join("mps.yml");
    let shared = repository.join(&format!("deploy/config/environments/{}.yml", overlay.name));
    let config = if own.is_file() { own } else { shared };
    let mut command = Command::new(mps);
    command.args(["config", "render"]).arg(&config).args(["--for", "kubernetes"]);
    let wanted = process::capture(&mut command)?;
    let file = overlay.folder.join("mps-edge.json");
    let committed = fs::read_to_string(&file).unwrap_or_default();
    if committed.trim_end() == wanted {
        return Ok(Vec::new());
    }
    Ok(vec![format!("run `{} --out {}`", process::describe(&command), file.display())])
}

fn as_kubectl_renders(overlay: &Overlay) -> Result<Vec<String>> {
    let text = process::capture(Command::new("kubectl").arg("kustomize").arg(&overlay.folder))?;
    let theirs = render::objects_of(&text)?;
    Ok(differences(&overlay.installation.objects, &theirs))
}

/// The objects that are not the same in both.
fn differences(ours: &[Value], theirs: &[Value]) -> Vec<String> {
    let by_name = |objects: &[Value]| -> BTreeMap<String, Value> {
        objects.iter().map(|object| (name_of(object), object.clone())).collect()
    };
    let (ours, theirs) = (by_name(ours), by_name(theirs));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name)).cloned().collect()
}

/// The files of a folder whose names begin and end so.
fn files_of(repository: &Repository, folder: &str, begin: &str, end: &str) -> Result<Vec<PathBuf>> {
    let mut found = files::walk(&repository.join(folder))?;
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(begin) && name.ends_with(end)
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{differences, variables_of};

    #[test]
    fn objects_that_differ_or_are_missing_are_named() {
        let object =
            |name: &str, value: u8| json!({"kind": "Service", "metadata": {"name": name}, "spec": value});
        let ours = [object("a", 1), object("b", 1), object("c", 1)];
        let theirs = [object("d", 1), object("b", 2), object("a", 1)];
        assert_eq!(differences(&ours, &theirs), ["Service b", "Service c", "Service d"]);
        assert!(differences(&ours, &ours).is_empty());
    }

    #[test]
    fn the_variables_are_those_of_the_workers_description() -> anyhow::Result<()> {
        let variables = variables_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?;
        assert!(variables.contains("SUPABASE_URL") && variables.contains("OPS_TOKEN"));
        assert!(!variables.contains("LIMITER"));
        Ok(())
    }
}
