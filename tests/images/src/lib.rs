//! podman, and containers of our images. There is no systemd where these run, so that nobody asks a container whether it is well but the test.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test bench fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use mps_e2e::{fresh, variable};
use serde_json::Value;

/// What every container of ours is started with, and Kubernetes and compose say as well.
pub const HARDENED: [&str; 5] =
    ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"];

/// `localhost/mps-edge:0.0.0-tests`.
pub fn image(name: &str) -> String {
    format!("localhost/{name}:{}", variable("MPS_IMAGES_TAG"))
}

/// With a store and settings of the stage's own.
pub fn podman() -> Command {
    with_settings(Command::new("podman"))
}

/// A program that starts podman.
pub fn with_settings(mut command: Command) -> Command {
    let folder = variable("MPS_IMAGES_FOLDER");
    command.env("CONTAINERS_CONF", format!("{folder}/containers.conf"));
    command.env("CONTAINERS_STORAGE_CONF", format!("{folder}/storage.conf"));
    command
}

/// What podman says on its standard output, when it does what it is told.
pub fn done(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("podman");
    assert!(output.status.success(), "{command:?}: {}", text_of(&output));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Both of its outputs.
pub fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Removed when it is dropped.
pub struct Container {
    /// Its name.
    pub name: String,
}

impl Container {
    /// Runs in the background: options, the image, its arguments.
    pub fn run(options: &[&str], image_name: &str, arguments: &[&str]) -> Self {
        let container = Self { name: fresh("mps-") };
        let mut command = podman();
        command.args(["run", "--detach", "--pull", "never", "--name", &container.name]).args(options);
        done(command.arg(image(image_name)).args(arguments));
        container
    }

    /// One that another program made, and that program removes.
    pub fn named(name: &str) -> std::mem::ManuallyDrop<Self> {
        std::mem::ManuallyDrop::new(Self { name: name.to_owned() })
    }

    /// All that podman knows of it.
    pub fn inspect(&self) -> Value {
        let text = done(podman().args(["inspect", &self.name]));
        let mut all: Value = serde_json::from_str(&text).expect("JSON");
        all[0].take()
    }

    /// What it has said until now.
    pub fn log(&self) -> String {
        text_of(&podman().args(["logs", &self.name]).output().expect("podman"))
    }

    /// The numbers of its processes on this machine, by the names of their programs.
    pub fn processes(&self) -> Vec<(String, String)> {
        let text = done(podman().args(["top", &self.name, "hpid", "comm"]));
        let words = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        words.map(|words| (words[1].to_owned(), words[0].to_owned())).collect()
    }

    /// The one of a program.
    pub fn process(&self, program: &str) -> String {
        let all = self.processes();
        all.iter().find(|(name, _)| name == program).expect("the process").1.clone()
    }

    /// Asks once whether it is well, as podman does where there is a systemd; what podman thinks of it then.
    pub fn health(&self) -> String {
        let asked = podman().args(["healthcheck", "run", &self.name]).output().expect("podman");
        let known = self.inspect()["State"]["Health"]["Status"].as_str().map(str::to_owned);
        known.unwrap_or_else(|| text_of(&asked))
    }

    /// Stops it as it wants to be stopped; its exit code.
    pub fn stop(&self, seconds: &str) -> i64 {
        done(podman().args(["stop", "--time", seconds, &self.name]));
        self.inspect()["State"]["ExitCode"].as_i64().expect("a code")
    }

    /// How it ended by itself.
    pub fn wait(&self) -> i64 {
        done(podman().args(["wait", &self.name])).parse().expect("a code")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = podman().args(["rm", "--force", "--volumes", "--time", "0", &self.name]).output();
    }
}

/// A line of /proc/<process>/status.
pub fn status_of(process: &str, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.expect("the field").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file or a folder in an image.
#[derive(Debug)]
pub struct Entry {
    /// `-rwxr-xr-x`.
    pub mode: String,
    /// `65532/0`.
    pub owner: String,
    /// Without a slash at its begin or end.
    pub path: String,
}

/// What can be run of it; libraries can be too, and harm nobody.
pub fn programs_of(entries: &[Entry]) -> Vec<&str> {
    let is_program = |entry: &&Entry| entry.mode.starts_with('-') && entry.mode.contains('x');
    let paths = entries.iter().filter(is_program).map(|entry| entry.path.as_str());
    paths.filter(|path| !path.contains(".so")).collect()
}

/// All that is in an image.
pub fn entries(image_name: &str) -> Vec<Entry> {
    let name = fresh("mps-");
    done(podman().args(["create", "--pull", "never", "--name", &name, &image(image_name)]));
    let archive = tempfile::NamedTempFile::new().expect("a file");
    done(podman().args(["export", "--output"]).arg(archive.path()).arg(&name));
    done(podman().args(["rm", &name]));
    let mut tar = Command::new("tar");
    let listed = done(tar.args(["--list", "--verbose", "--numeric-owner", "--file"]).arg(archive.path()));
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let path = words[5].trim_end_matches('/').to_owned();
        Entry { mode: words[0].to_owned(), owner: words[1].to_owned(), path }
    };
    listed.lines().map(entry).collect()
}

/// Writes a file that a container's user can read.
pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    let parent = path.parent().expect("a folder");
    fs::create_dir_all(parent).expect("a folder");
    let mut file = fs::File::create(&path).expect("a file");
    file.write_all(text.as_bytes()).expect("it is written");
    make_readable(folder);
    path.display().to_string()
}

/// Temporary folders are their owner's alone.
pub fn make_readable(folder: &Path) {
    done(Command::new("chmod").args(["-R", "a+rX"]).arg(folder));
}
