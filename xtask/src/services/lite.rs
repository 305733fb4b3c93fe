//! Supabase Lite: Auth and the Data API, on PGlite in a folder or on a real PostgreSQL.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::files;
use crate::process::{self, Service};
use crate::report;
use crate::repository::Repository;
use crate::services::http;
use crate::services::keys::Keys;

const PROGRAM: &str = "node_modules/@supabase/lite/dist/cli/index.js";
const START_SECONDS_MAX: u64 = 60;

/// Where the data is, from the project's folder.
const DATA: &str = "supabase/.temp/data";

/// What decides the contents of a new database.
const INPUTS: &[&str] =
    &["supabase/migrations", "supabase/seed.sql", "node_modules/@supabase/lite/package.json"];

/// A folder laid out as Supabase Lite wants it: a config.toml of its own, the checkout's migrations and seed.
pub(crate) struct Project {
    folder: PathBuf,
    node: PathBuf,
    program: PathBuf,
    port: u16,
    keys: Keys,
}

impl Project {
    /// On PGlite. The data of an earlier run stays when it was made by the same migrations and seed; `fresh`
    /// makes it new all the same.
    pub(crate) fn on_pglite(
        repository: &Repository,
        folder: &Path,
        port: u16,
        keys: &Keys,
        fresh: bool,
    ) -> Result<Self> {
        let project = Self::lay_out(repository, folder, port, keys, &[("driver", "pglite"), ("url", DATA)])?;
        let wanted = files::hash(repository.root(), INPUTS, "")?;
        let stamp = folder.join("data-hash");
        let is_same = fs::read_to_string(&stamp).is_ok_and(|found| found == wanted);
        if fresh || !is_same || !folder.join(DATA).is_dir() {
            let _ = fs::remove_file(&stamp);
            project.copy_data(&pristine(repository, &wanted)?)?;
            fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
        }
        Ok(project)
    }

    /// On PostgreSQL: `url` names an empty database, which gets the migrations and the demo data.
    pub(crate) fn on_postgres(
        repository: &Repository,
        folder: &Path,
        port: u16,
        keys: &Keys,
        url: &str,
    ) -> Result<Self> {
        let project = Self::lay_out(repository, folder, port, keys, &[("driver", "postgres"), ("url", url)])?;
        project.reset()?;
        Ok(project)
    }

    fn lay_out(
        repository: &Repository,
        folder: &Path,
        port: u16,
        keys: &Keys,
        database: &[(&str, &str)],
    ) -> Result<Self> {
        let supabase = folder.join("supabase");
        fs::create_dir_all(&supabase).with_context(|| format!("cannot make {}", supabase.display()))?;
        for name in ["migrations", "seed.sql"] {
            let link = supabase.join(name);
            let _ = fs::remove_file(&link);
            symlink(repository.join("supabase").join(name), &link)
                .with_context(|| format!("cannot make {}", link.display()))?;
        }
        let text =
            fs::read_to_string(repository.join("supabase/config.toml")).context("no supabase/config.toml")?;
        fs::write(supabase.join("config.toml"), adapt(&text, port, database)?)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            node: repository.node(),
            program: repository.join(PROGRAM),
            port,
            keys: keys.clone(),
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        command.current_dir(&self.folder).arg(&self.program).arg("--no-telemetry").args(arguments);
        self.keys.apply(&mut command);
        command
    }

    fn reset(&self) -> Result<()> {
        process::must(&mut self.command(&["db", "reset"]))
            .context("Supabase Lite cannot apply the migrations and the seed")?;
        Ok(())
    }

    fn copy_data(&self, pristine: &Path) -> Result<()> {
        let data = self.folder.join(DATA);
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        copy_folder(pristine, &data)
    }

    /// Starts the server and waits until a function of the newest migration answers.
    pub(crate) fn start(&self, log: PathBuf) -> Result<Lite> {
        let service = Service::start("Supabase Lite", &mut self.command(&["start", "--no-admin"]), log)?;
        Ok(Lite { service, port: self.port, publishable: self.keys.publishable.clone() })
    }
}

/// A running Supabase Lite.
pub(crate) struct Lite {
    service: Service,
    port: u16,
    publishable: String,
}

impl Lite {
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let headers = [("apikey", self.publishable.as_str()), ("Content-Type", "application/json")];
        let (port, path) = (self.port, "/rest/v1/rpc/test_connection");
        self.service.wait_until(Duration::from_secs(START_SECONDS_MAX), || {
            http::status(http::local(port), "POST", path, &headers, "{}") == Some(200)
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.service
    }
}

/// The data folder right after migrations and seed, made once for each state of them, to copy from.
fn pristine(repository: &Repository, hash: &str) -> Result<PathBuf> {
    let parent = repository.state("lite/pristine");
    let folder = parent.join(&hash[..16]);
    let done = folder.join("done");
    if !done.is_file() {
        report::progress("applying the migrations and the demo data to a new database (about 15 s)");
        if parent.exists() {
            // Those of earlier migrations are not needed again.
            fs::remove_dir_all(&parent).with_context(|| format!("cannot remove {}", parent.display()))?;
        }
        let database = [("driver", "pglite"), ("url", DATA)];
        Project::lay_out(repository, &folder, 0, &Keys::random()?, &database)?.reset()?;
        fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    }
    Ok(folder.join(DATA))
}

/// The checkout's config.toml with another port and database.
fn adapt(text: &str, port: u16, database: &[(&str, &str)]) -> Result<String> {
    let mut config: Table = text.parse().context("supabase/config.toml is malformed")?;
    let mut set = |section: &str, name: &str, value: Value| -> Result<()> {
        let table = config.get_mut(section).and_then(Value::as_table_mut);
        table
            .with_context(|| format!("supabase/config.toml has no [{section}]"))?
            .insert(name.to_owned(), value);
        Ok(())
    };
    set("api", "port", Value::Integer(i64::from(port)))?;
    for (name, value) in database {
        set("db", name, Value::String((*value).to_owned()))?;
    }
    Ok(config.to_string())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::adapt;

    #[test]
    fn a_project_keeps_the_checkouts_settings_but_for_port_and_database() -> anyhow::Result<()> {
        let adapted = adapt(
            "[api]\nport = 1\n[db]\ndriver = \"pglite\"\n[auth]\nkept = true\n",
            2,
            &[("driver", "x")],
        )?;
        let config: toml::Table = adapted.parse()?;
        assert_eq!(config["api"]["port"].as_integer(), Some(2));
        assert_eq!(config["db"]["driver"].as_str(), Some("x"));
        assert_eq!(config["auth"]["kept"].as_bool(), Some(true));
        Ok(())
    }
}
