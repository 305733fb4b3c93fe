//! The npm packages of the workspace, exactly those of package-lock.json.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::cache::outputs;
use crate::files;
use crate::process;
use crate::report::{self, Outcome};
use crate::repository::{Repository, on_path};

/// In the cache.
const SHELF: &str = "npm packages";

pub(crate) fn ensure(repository: &Repository) -> Result<Outcome> {
    let wanted =
        read(&repository.join("package-lock.json"))?.context("package-lock.json is missing: check it out")?;
    // npm writes down here what it put into node_modules.
    let installed = read(&repository.join("node_modules/.package-lock.json"))?;
    if installed.is_some_and(|installed| is_satisfied(&wanted, &installed)) {
        return Ok(Outcome::Cached(format!("{} of package-lock.json", wanted.len())));
    }
    let Some(npm) = on_path("npm") else {
        bail!(
            "npm is missing: install Node.js 20 or newer (apt-get install nodejs npm, or brew install node)"
        );
    };
    // Some packages compile or choose a program when they are installed.
    let node = process::capture(Command::new("node").args(["-p", "process.version + process.arch"]))?;
    let key = files::hash(repository.root(), &["package.json", "package-lock.json", ".npmrc"], &node)?;
    let folders = folders(repository)?;
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    if outputs::restore(repository, SHELF, &key, &folders)? {
        return Ok(Outcome::Cached("copied from another checkout".to_owned()));
    }
    report::progress("npm ci");
    process::must(Command::new(npm).current_dir(repository.root()).args([
        "ci",
        "--prefer-offline",
        "--loglevel=error",
    ]))
    .context("cannot install the npm packages")?;
    outputs::keep(repository, SHELF, &key, &folders)?;
    Ok(Outcome::Done("npm ci".to_owned()))
}

/// Where npm puts packages: beside package.json, and for what two workspaces want in different versions beside theirs.
fn folders(repository: &Repository) -> Result<Vec<String>> {
    let text = fs::read_to_string(repository.join("package.json")).context("package.json is missing")?;
    let package: Value = serde_json::from_str(&text).context("package.json is no JSON")?;
    let workspaces = package["workspaces"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let own = workspaces.map(|workspace| format!("{workspace}/node_modules"));
    Ok(std::iter::once("node_modules".to_owned()).chain(own).collect())
}

/// The `packages` of a lock file, without the workspaces themselves.
fn read(path: &Path) -> Result<Option<Map<String, Value>>> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(None) };
    let mut lock: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    let Some(Value::Object(mut packages)) = lock.get_mut("packages").map(Value::take) else {
        bail!("{} has no packages: it is of an npm older than 7", path.display());
    };
    packages.retain(|name, _| name.contains("node_modules/"));
    Ok(Some(packages))
}

/// Whether everything wanted is installed in its version, but for optional packages of other platforms, and
/// nothing else is.
fn is_satisfied(wanted: &Map<String, Value>, installed: &Map<String, Value>) -> bool {
    let same = |name: &String, package: &Value| {
        installed.get(name).is_some_and(|found| found.get("version") == package.get("version"))
    };
    let is_optional = |package: &Value| package.get("optional") == Some(&Value::Bool(true));
    wanted
        .iter()
        .all(|(name, package)| same(name, package) || (is_optional(package) && !installed.contains_key(name)))
        && installed.keys().all(|name| wanted.contains_key(name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::is_satisfied;

    fn packages(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(packages) => packages,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn the_same_packages_need_no_installation() {
        let lock =
            packages(json!({"node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"link": true}}));
        assert!(is_satisfied(&lock, &lock));
    }

    #[test]
    fn another_version_needs_one() {
        let wanted = packages(json!({"node_modules/a": {"version": "1.0.1"}}));
        let installed = packages(json!({"node_modules/a": {"version": "1.0.0"}}));
        assert!(!is_satisfied(&wanted, &installed));
    }

    #[test]
    fn a_missing_package_needs_one_unless_it_is_optional() {
        let none = Map::new();
        assert!(!is_satisfied(&packages(json!({"node_modules/a": {"version": "1.0.0"}})), &none));
        assert!(is_satisfied(
            &packages(json!({"node_modules/a": {"version": "1.0.0", "optional": true}})),
            &none
        ));
    }

    #[test]
    fn a_package_nobody_wants_any_more_needs_one() {
        assert!(!is_satisfied(&Map::new(), &packages(json!({"node_modules/a": {"version": "1.0.0"}}))));
    }
}
