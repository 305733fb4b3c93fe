//! A folder with a configuration, and the program run on it.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Values that are strong enough, and differ.
pub(crate) const SECRET_KEY: &str = "sb_secret_jX3-hR9_kQ2wLz7vB4nM8pT1";
pub(crate) const STRONG: &str = "qW8-eN5_tY1uI0oP3aS6dF9gH2jK4lZ7xC";
pub(crate) const STRONG_TOO: &str = "Zm4-vB7_nC2xL9kJ5hG1fD8sA3pO6iU0yT";

pub(crate) const LONG_AGO: &str = "2020-01-01T00:00:00Z";
pub(crate) const FAR_AHEAD: &str = "2999-01-01T00:00:00Z";

pub(crate) struct Installation {
    folder: TempDir,
}

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    pub(crate) fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What was said against it.
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        assert!(self.stdout.is_empty(), "{}", self.stdout);
        self.stderr
    }
}

impl Installation {
    /// With `secrets` as its section of that name.
    pub(crate) fn with(secrets: &Value) -> Self {
        let installation = Self { folder: tempfile::tempdir().expect("a folder") };
        let config = json!({
            "app": {"name": "MPS", "environment": "staging"},
            "supabase": {"url": "https://x.supabase.co", "publishable_key": "sb_publishable_x"},
            "secrets": secrets,
        });
        installation.configure(&config);
        installation
    }

    /// With a file in its folder; nothing is there yet.
    pub(crate) fn with_file() -> Self {
        let installation = Self::with(&json!(null));
        let (path, identity) = (installation.path("secrets.age"), installation.path("identity.txt"));
        installation.change(|config| {
            config["secrets"] = json!({"store": "file", "path": path, "identity": identity});
        });
        installation
    }

    /// As above, begun, and with everything that it needs.
    pub(crate) fn ready() -> Self {
        let installation = Self::with_file();
        installation.run(&["init"]).ok();
        installation.run_with(&["set", "SUPABASE_SECRET_KEY"], SECRET_KEY).ok();
        installation
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, config: &Value) {
        fs::write(self.path("mps.yml"), config.to_string()).expect("a configuration");
        self.set_mode("mps.yml", 0o644);
    }

    pub(crate) fn change(&self, change: impl Fn(&mut Value)) {
        let mut config = serde_json::from_slice(&fs::read(self.path("mps.yml")).unwrap()).unwrap();
        change(&mut config);
        self.configure(&config);
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("its mode");
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).expect("a file").permissions().mode() & 0o777
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mps"));
        command.arg("secrets").args(arguments).arg("--config").arg(self.path("mps.yml"));
        command
    }

    pub(crate) fn start(&self, arguments: &[&str], input: &str) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // One that wants no input may be gone already.
        let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
        child
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        ended(self.start(arguments, input))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    pub(crate) fn value(&self, name: &str) -> String {
        self.run(&["get", name, "--reveal"]).ok().trim_end().to_owned()
    }

    /// What the findings are about, and all that is said.
    pub(crate) fn audit(&self) -> (Vec<String>, String) {
        let run = self.run(&["audit", "--json"]);
        let said: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
        let findings = said["findings"].as_array().expect("findings").clone();
        assert_eq!(run.code, i32::from(!findings.is_empty()), "{}", run.stdout);
        (findings.iter().map(|finding| finding["about"].as_str().unwrap().to_owned()).collect(), run.stdout)
    }

    fn identity(&self) -> age::x25519::Identity {
        let text = fs::read_to_string(self.path("identity.txt")).expect("an identity");
        text.lines().find_map(|line| line.parse().ok()).expect("an identity")
    }

    /// What is in the encrypted file.
    pub(crate) fn contents(&self) -> Value {
        let encrypted = fs::read(self.path("secrets.age")).expect("a store");
        serde_json::from_slice(&opened(&encrypted, &self.identity()).expect("opened")).expect("JSON")
    }

    /// As another program would write it: past every check of ours.
    pub(crate) fn overwrite(&self, contents: &str) {
        let recipient = self.identity().to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient));
        let mut encrypted = Vec::new();
        let mut writer = encryptor.expect("age").wrap_output(&mut encrypted).expect("age");
        writer.write_all(contents.as_bytes()).expect("age");
        writer.finish().expect("age");
        fs::write(self.path("secrets.age"), encrypted).expect("a store");
        self.set_mode("secrets.age", 0o600);
    }

    pub(crate) fn edit(&self, edit: impl Fn(&mut Value)) {
        let mut contents = self.contents();
        edit(&mut contents["secrets"]);
        self.overwrite(&contents.to_string());
    }
}

pub(crate) fn ended(child: Child) -> Run {
    let output = child.wait_with_output().expect("the program ends");
    Run {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

pub(crate) fn opened(encrypted: &[u8], identity: &age::x25519::Identity) -> Option<Vec<u8>> {
    let age = age::Decryptor::new_buffered(encrypted).ok()?;
    let mut plain = Vec::new();
    age.decrypt(std::iter::once(identity as &dyn age::Identity)).ok()?.read_to_end(&mut plain).ok()?;
    Some(plain)
}
