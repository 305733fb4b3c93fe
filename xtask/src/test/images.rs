//! The stage `images`: the container images, made of what is built here and run by podman. In a long run only: buildah and podman are large.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::manifests::render;
use super::runner::Selection;
use super::tally::Tally;
use super::{TestContext, runner, web};
use crate::build;
use crate::files;
use crate::image::{self, About, Image, sbom};
use crate::process;
use crate::release;
use crate::report;
use crate::repository::Repository;
use crate::setup::containers::COMPOSE;

const OVERLAY: &str = "deploy/kubernetes/overlays/staging";

/// podman where no systemd is, and where a container may have no more than this machine's own processes. Networks are of this run too.
const SETTINGS: &str = r#"[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "{folder}/networks"
"#;

pub(super) fn stage(context: &mut TestContext) -> Result<Tally> {
    let (repository, filter) = (context.repository, context.filter);
    build::package(repository)?;
    build::edge(repository)?;
    build::www(repository)?;
    let mps = web::operators_program(repository)?;
    let release = repository.state("release-of-images");
    release::make(repository, &release, "0.0.0+tests", Path::new(&mps))?;
    let out = repository.state("images");
    image::make(repository, &release, &out, None)?;
    let mut total = Tally::of(are_the_same(repository, &release, &out)?);
    total += Tally::of(a_wrong_list_is_refused(&out)?);

    let store = Store::make(repository)?;
    store.load(&out)?;
    let cluster = context.cluster()?.cluster().url("postgres");
    let mut environment = web::for_operations(repository, "images", &release, cluster)?;
    let objects = render::render(&repository.join(OVERLAY))?;
    let file = store.folder.path().join("kubernetes.json");
    fs::write(&file, serde_json::to_string(&objects)?).context("cannot write the objects")?;
    environment.extend([
        ("MPS_IMAGES_FOLDER", store.folder.path().display().to_string()),
        ("MPS_IMAGES_TAG", About::of(&release)?.tag()),
        ("MPS_IMAGES_COMPOSE", COMPOSE.program("podman-compose")?.display().to_string()),
        ("MPS_IMAGES_KUBERNETES", file.display().to_string()),
    ]);
    let selection = Selection { packages: &["mps-images-tests"], filter, left_out: None };
    total += runner::rust_tests(repository, selection, &environment)?;
    Ok(total)
}

/// Made once more, elsewhere, the archives hold the same.
fn are_the_same(repository: &Repository, release: &Path, out: &Path) -> Result<bool> {
    let again = tempfile::tempdir().context("no temporary folder")?;
    let about = About::of(release)?;
    for image in Image::ALL {
        let archive = image::make_archive(repository, image, release, again.path())?.0;
        let name = archive.file_name().context("a file")?;
        let (first, second) = (digest_in(&out.join(name))?, digest_in(&archive)?);
        if first != second {
            report::failure(&format!("{} {}: {first}, then {second}", image.name(), about.version));
            return Ok(false);
        }
    }
    report::progress("ok images of the same release are the same");
    Ok(true)
}

/// Of the image in an archive.
fn digest_in(archive: &Path) -> Result<String> {
    let mut tar = Command::new("tar");
    let text = process::capture(
        tar.arg("--extract").arg("--to-stdout").arg("--file").arg(archive).arg("index.json"),
    )?;
    let index: serde_json::Value = serde_json::from_str(&text).context("index.json")?;
    Ok(index["manifests"][0]["digest"].as_str().context("an archive without an image")?.to_owned())
}

/// The check of the lists finds something.
fn a_wrong_list_is_refused(out: &Path) -> Result<bool> {
    let lists: Vec<_> = files::walk(out)?;
    let list = lists.iter().find(|path| path.to_string_lossy().ends_with(".cdx.json")).context("no list")?;
    let text = fs::read_to_string(list).context("no list")?;
    sbom::check(list)?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    for (right, wrong) in
        [("\"type\": \"container\"", "\"type\": \"ship\""), ("\"specVersion\"", "\"specVersoin\"")]
    {
        ensure!(text.contains(right), "the list has no {right}");
        let file = folder.path().join("wrong.json");
        fs::write(&file, text.replace(right, wrong)).context("nothing can be planted")?;
        if sbom::check(&file).is_ok() {
            report::failure(&format!("{wrong} was not found"));
            return Ok(false);
        }
    }
    report::progress("ok a wrong list is refused");
    Ok(true)
}

/// podman's, of this run only.
struct Store {
    folder: tempfile::TempDir,
}

impl Store {
    fn make(repository: &Repository) -> Result<Self> {
        let state = repository.state("");
        let folder = tempfile::Builder::new().prefix("podman-").tempdir_in(state).context("no folder")?;
        let store = Self { folder };
        let settings = SETTINGS.replace("{folder}", &store.folder.path().display().to_string());
        fs::write(store.folder.path().join("containers.conf"), settings).context("no settings")?;
        // In a container of its own there may be no overlay.
        for driver in ["overlay", "vfs"] {
            let at = |part: &str| store.folder.path().join(part).display().to_string();
            let text = format!(
                "[storage]\ndriver = \"{driver}\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
                at("root"),
                at("run")
            );
            fs::write(store.folder.path().join("storage.conf"), text).context("no settings")?;
            if process::succeeds(store.podman().arg("info")) {
                report::progress(&format!("podman stores by {driver}"));
                return Ok(store);
            }
        }
        process::must(store.podman().arg("info")).context("podman does not work here")?;
        Ok(store)
    }

    fn podman(&self) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.folder.path().join("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", self.folder.path().join("storage.conf"));
        command
    }

    fn load(&self, out: &Path) -> Result<()> {
        for archive in files::walk(out)?.iter().filter(|path| path.to_string_lossy().ends_with(".oci.tar")) {
            process::must(self.podman().args(["load", "--quiet", "--input"]).arg(archive))?;
        }
        Ok(())
    }
}

impl Drop for Store {
    /// What a test that broke off has left runs on otherwise.
    fn drop(&mut self) {
        for left in ["pod rm --all --force", "rm --all --force --time 0", "network prune --force"] {
            let _ = process::run(self.podman().args(left.split(' ')), false);
        }
    }
}
