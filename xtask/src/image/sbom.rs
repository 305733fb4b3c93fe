//! What is in an image, as CycloneDX 1.6: crates, npm packages and Debian packages as programs of their own list them, put together and held
//! against the schema.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anstream::println;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::debian::Package;
use super::{About, Image, Release, context, list_of};
use crate::build;
use crate::files;
use crate::process;
use crate::repository::Repository;
use crate::setup::sbom::{DEBSBOM, of_cargo, of_npm};
use crate::setup::wasm_target::TARGET;
use crate::setup::{self, Need};

const VERSION: &str = "1.6";

/// One list: of an image, of the archive of a release, of the npm package.
pub(crate) struct List {
    name: &'static str,
    /// As CycloneDX calls it.
    kind: &'static str,
    image: Option<Image>,
    /// In each Worker and page, or in the operator's program.
    crates: &'static [&'static str],
    /// The npm workspace whose packages are bundled.
    npm: Option<&'static str>,
    has_workerd: bool,
}

const LISTS: [List; 4] = [
    List {
        name: "mps-edge",
        kind: "container",
        image: Some(Image::Edge),
        crates: &["edge", PROGRAM],
        npm: None,
        has_workerd: true,
    },
    List {
        name: "mps-web",
        kind: "container",
        image: Some(Image::Web),
        crates: &["crates/wasm", "crates/scanner"],
        npm: Some("www"),
        has_workerd: false,
    },
    List {
        name: "mps",
        kind: "application",
        image: None,
        crates: &["edge", PROGRAM, "crates/wasm", "crates/scanner"],
        npm: Some("www"),
        has_workerd: true,
    },
    List {
        name: "mps-sdk",
        kind: "library",
        image: None,
        crates: &["crates/wasm", "crates/scanner"],
        npm: Some("pkg"),
        has_workerd: false,
    },
];

/// The one crate that is compiled for the machine itself.
const PROGRAM: &str = "crates/cli";

impl List {
    pub(super) fn of(image: Image) -> Result<&'static Self> {
        LISTS.iter().find(|list| list.image == Some(image)).context("an image without a list")
    }
}

/// Beside each Cargo.toml of the checkout while they are listed; git knows that it is none of ours.
const OF_CARGO: &str = "mps-sbom.cdx";

/// Exits with 1 and says where a document is not what the schema says.
const CHECK: &str = "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import JsonStrictValidator
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()); sys.exit(wrong and str(wrong))";

/// Write bills of materials (CycloneDX 1.6) of both images, of a release's archive and of the npm package
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask sbom\n  cargo xtask sbom --release dist/mps-0.1.0 --out /tmp/sbom\n\n`cargo xtask image` writes the same beside the images."
)]
pub(crate) struct Options {
    /// The folder that gets mps-edge-<version>.cdx.json and the others
    #[arg(long, default_value = "dist/images", value_name = "FOLDER")]
    out: PathBuf,
    /// The release, as `cargo xtask release` makes it: its folder, its archive, or a folder with one archive; made anew when left out
    #[arg(long, alias = "from", value_name = "PATH")]
    release: Option<PathBuf>,
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    setup::ensure(repository, &[Need::Nginx, Need::Sbom, Need::Npm])?;
    let release = Release::find(repository, options.release.as_deref())?;
    let release = release.folder.as_path();
    let out = repository.root().join(&options.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    for list in &LISTS {
        let work = tempfile::tempdir().context("no temporary folder")?;
        let packages = match list.image {
            Some(image) => context::make(repository, image, release, work.path())?,
            None => Vec::new(),
        };
        let file = write(repository, list, &About::of(release)?, (release, &packages), &out)?;
        println!("{}", file.display());
    }
    Ok(())
}

/// Writes one into the folder.
pub(super) fn write(
    repository: &Repository,
    list: &List,
    about: &About,
    (release, packages): (&Path, &[Package]),
    out: &Path,
) -> Result<PathBuf> {
    let work = tempfile::tempdir().context("no temporary folder")?;
    let mut parts = crates(repository, list, work.path())?;
    if !packages.is_empty() {
        parts.push(debian(list, about, packages, work.path())?);
    }
    if list.has_workerd {
        parts.push(workerd(repository, release, work.path())?);
    }
    if let Some(workspace) = list.npm {
        parts.push(npm(repository, workspace, work.path())?);
    }
    let whole = work.path().join("whole.cdx.json");
    let mut command = Command::new(DEBSBOM.program("debsbom")?);
    command.arg("merge").args(named(list, about, list.name)).arg("--out").arg(&whole).args(&parts);
    process::must(&mut command)?;
    let text = fs::read_to_string(&whole).context("debsbom wrote nothing")?;
    let whole = finish(list, about, &text.replace(&repository.root().display().to_string(), ""))?;
    let file = out.join(format!("{}-{}.cdx.json", list.name, about.tag()));
    fs::write(&file, format!("{whole:#}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    check(&file)?;
    Ok(file)
}

/// What debsbom is told of whose list it is. Nothing in it is of chance: the same image has the same list.
fn named(list: &List, about: &About, name: &str) -> Vec<String> {
    let number = serial_number(list, about).unwrap_or_default();
    [
        ("--sbom-type", "cdx"),
        ("--cdx-schema-version", VERSION),
        ("--cdx-serialnumber", number.as_str()),
        ("--timestamp", about.time.as_str()),
        ("--distro-name", name),
        ("--distro-version", about.version.as_str()),
    ]
    .iter()
    .flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()])
    .collect()
}

/// A UUID of the kind whose makers say what is in it (RFC 9562, version 8).
fn serial_number(list: &List, about: &About) -> Result<String> {
    let hash = files::hash(Path::new(""), &[], &format!("{}\n{}", list.name, about.version))?;
    Ok(format!("{}-{}-8{}-8{}-{}", &hash[..8], &hash[8..12], &hash[12..15], &hash[15..18], &hash[18..30]))
}

fn crates(repository: &Repository, list: &List, work: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in list.crates {
        let mut command = Command::new(of_cargo()?);
        command.current_dir(repository.root()).env("CARGO_TERM_COLOR", "never");
        command.args(["cyclonedx", "--format", "json", "--spec-version", "1.5", "--no-build-deps", "-qq"]);
        command
            .args(["--override-filename", OF_CARGO, "--manifest-path"])
            .arg(format!("{folder}/Cargo.toml"));
        if *folder != PROGRAM {
            command.args(["--target", TARGET]);
        }
        let made = process::must(&mut command);
        let file = work.join(format!("{}.cdx.json", folder.replace('/', "-")));
        let copied = fs::copy(repository.join(folder).join(format!("{OF_CARGO}.json")), &file);
        // It writes one for every crate of the workspace.
        for path in files::walk(repository.root())? {
            if path.file_name().is_some_and(|name| *name == *format!("{OF_CARGO}.json")) {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        made?;
        copied.with_context(|| format!("cargo-cyclonedx wrote nothing for {folder}"))?;
        found.push(file);
    }
    Ok(found)
}

fn debian(list: &List, about: &About, packages: &[Package], work: &Path) -> Result<PathBuf> {
    let file = work.join("debian.cdx.json");
    let architecture = process::capture(Command::new("dpkg").arg("--print-architecture"))?;
    let mut command = Command::new(DEBSBOM.program("debsbom")?);
    command.arg("generate").args(["--distro-arch", &architecture]).args(named(list, about, "Debian")).args([
        "--from-pkglist",
        "--with-licenses",
        "--out",
    ]);
    // It warns of packages whose supplier it does not know.
    command.arg(&file).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run debsbom")?;
    child.stdin.take().context("debsbom reads nothing")?.write_all(list_of(packages).as_bytes())?;
    let finished = child.wait_with_output()?;
    ensure!(finished.status.success(), "debsbom failed: {}", String::from_utf8_lossy(&finished.stderr));
    Ok(file)
}

/// It comes as an npm package, and nothing in that package but the program is in the image.
fn workerd(repository: &Repository, release: &Path, work: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(repository.join("node_modules/workerd/package.json"))
        .context("the npm package workerd is not installed")?;
    let package: Value = serde_json::from_str(&text).context("workerd's package.json is malformed")?;
    let version = package["version"].as_str().context("workerd has no version")?;
    let purl = format!("pkg:npm/workerd@{version}");
    let sum = process::capture(Command::new("sha256sum").arg(release.join("bin/workerd")))?;
    let sum = sum.split(' ').next().unwrap_or_default();
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": VERSION, "version": 1,
        "metadata": {"component": {
            "type": "application", "name": "workerd", "version": version, "bom-ref": purl, "purl": purl,
            "description": "The JavaScript and Wasm runtime of Cloudflare Workers; in the image without its symbols",
            "licenses": [{"license": {"id": package["license"]}}],
            "hashes": [{"alg": "SHA-256", "content": sum}],
        }},
        "components": [], "dependencies": [{"ref": purl}],
    });
    let file = work.join("workerd.cdx.json");
    fs::write(&file, document.to_string()).context("cannot write workerd's")?;
    Ok(file)
}

/// What the site is bundled of. `npm sbom` would be there already; it leaves out packages of workspaces.
fn npm(repository: &Repository, workspace: &str, work: &Path) -> Result<PathBuf> {
    let file = work.join("npm.cdx.json");
    let program = of_npm()?.display().to_string();
    let mut command = build::node(repository, &[&program])?;
    command.current_dir(repository.root());
    command.args([
        "--spec-version",
        VERSION,
        "--omit",
        "dev",
        "--workspace",
        workspace,
        "--package-lock-only",
    ]);
    command.args(["--output-reproducible", "--output-file"]).arg(&file);
    process::must(&mut command)?;
    Ok(file)
}

/// What the programs that put it together say otherwise, or not at all.
fn finish(list: &List, about: &About, text: &str) -> Result<Value> {
    let mut whole: Value = serde_json::from_str(text).context("debsbom wrote no JSON")?;
    whole["specVersion"] = VERSION.into();
    whole["$schema"] = format!("http://cyclonedx.org/schema/bom-{VERSION}.schema.json").into();
    let root = &mut whole["metadata"]["component"];
    ensure!(root["name"] == list.name, "it is the list of {}", root["name"]);
    root["type"] = list.kind.into();
    // An image has others' too.
    if list.image.is_none() {
        root["licenses"] = json!([{"expression": "MIT OR Apache-2.0"}]);
    }
    root["properties"] = json!([{"name": "mps:commit", "value": about.commit}]);
    Ok(whole)
}

/// Whether a list is what the schema says.
pub(crate) fn check(file: &Path) -> Result<()> {
    let mut command = Command::new(DEBSBOM.program("python")?);
    process::must(command.args(["-c", CHECK]).arg(file))
        .map(drop)
        .with_context(|| format!("{} is no CycloneDX {VERSION}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        let text = |text: &str| text.to_owned();
        About { version: text("1.0"), commit: text("c0ffee"), time: text("2026-11-28T00:00:00Z") }
    }

    #[test]
    fn the_same_image_has_the_same_number_and_another_one_another() -> Result<()> {
        let number = serial_number(&LISTS[0], &about())?;
        assert_eq!(number, serial_number(&LISTS[0], &about())?);
        assert_ne!(number, serial_number(&LISTS[1], &about())?);
        let lengths: Vec<usize> = number.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        Ok(())
    }

    #[test]
    fn the_list_of_another_image_is_refused() -> Result<()> {
        let text = r#"{"specVersion": "1.7", "metadata": {"component": {"name": "mps-edge", "type": "operating-system"}}}"#;
        let list = finish(&LISTS[0], &about(), text)?;
        assert_eq!(
            (&list["specVersion"], &list["metadata"]["component"]["type"]),
            (&json!("1.6"), &json!("container"))
        );
        assert!(finish(&LISTS[1], &about(), text).is_err());
        Ok(())
    }
}
