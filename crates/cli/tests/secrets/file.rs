//! The encrypted file: begun, kept to its owner, refused when it is not what was written, and written by two at once.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use age::x25519::Identity;

use crate::installation::{Installation, SECRET_KEY, STRONG, STRONG_TOO, ended, opened};

#[test]
fn what_was_begun_is_not_begun_again() {
    let installation = Installation::with_file();
    let first = installation.run(&["init", "--json"]).json();
    assert_eq!(first["generated"], serde_json::json!(["OPS_TOKEN", "METRICS_TOKEN"]));
    assert_eq!(first["missing"], serde_json::json!(["SUPABASE_SECRET_KEY"]));
    assert!(first["recipient"].as_str().unwrap().starts_with("age1"));
    assert_eq!((installation.mode("identity.txt"), installation.mode("secrets.age")), (0o600, 0o600));
    let files = ["identity.txt", "secrets.age"].map(|name| installation.path(name));
    let before = files.each_ref().map(|path| fs::read(path).unwrap());

    let second = installation.run(&["init", "--json"]).json();
    assert_eq!(second["generated"], serde_json::json!([]));
    assert_eq!(second["identity"], serde_json::json!(null));
    assert!(before == files.map(|path| fs::read(path).unwrap()), "nothing was written");
}

#[test]
fn a_jwt_secret_is_generated_only_where_nobody_publishes_keys() {
    let installation = Installation::with_file();
    installation.run(&["init"]).ok();
    assert!(installation.run(&["get", "SUPABASE_JWT_SECRET", "--reveal"]).refused().contains("is not set"));
    installation.change(|config| config["supabase"]["jwks_url"] = "off".into());
    let again = installation.run(&["init", "--json"]).json();
    assert_eq!(again["generated"], serde_json::json!(["SUPABASE_JWT_SECRET"]));
}

#[test]
fn a_store_whose_identity_is_gone_gets_no_new_one() {
    let installation = Installation::ready();
    fs::remove_file(installation.path("identity.txt")).unwrap();
    let said = installation.run(&["init"]).refused();
    assert!(said.contains("bring that back from its copy"), "{said}");
    assert!(!installation.path("identity.txt").exists());
}

#[test]
fn nothing_is_set_where_nothing_was_begun() {
    let installation = Installation::with_file();
    for arguments in [&["list"][..], &["set", "OPS_TOKEN"], &["rotate", "OPS_TOKEN"], &["audit"]] {
        let said = installation.run_with(arguments, STRONG).refused();
        assert!(said.contains("`mps secrets init`"), "{said}");
    }
    assert!(!installation.path("secrets.age").exists());
}

/// Else a name that was mistyped in the configuration would begin an empty one.
#[test]
fn a_store_that_is_not_where_the_configuration_says_is_begun_by_init_alone() {
    let installation = Installation::ready();
    fs::remove_file(installation.path("secrets.age")).unwrap();
    for arguments in [&["list"][..], &["set", "OPS_TOKEN"], &["drop-previous", "OPS_TOKEN"]] {
        let said = installation.run_with(arguments, STRONG).refused();
        assert!(said.contains("there are no secrets at"), "{said}");
        assert!(!installation.path("secrets.age").exists());
    }
    installation.run(&["init"]).ok();
    installation.run(&["list"]).ok();
}

#[test]
fn an_identity_that_others_may_read_is_refused() {
    let installation = Installation::ready();
    for mode in [0o640, 0o604, 0o660, 0o620, 0o601] {
        installation.set_mode("identity.txt", mode);
        let said = installation.run(&["get", "OPS_TOKEN", "--reveal"]).refused();
        assert!(said.contains(&format!("mode {mode:04o}")) && said.contains("chmod 600"), "{said}");
    }
    for mode in [0o600, 0o400] {
        installation.set_mode("identity.txt", mode);
        installation.run(&["list"]).ok();
    }
}

#[test]
fn a_store_that_was_changed_cut_off_or_put_in_its_place_is_refused() {
    let installation = Installation::ready();
    let path = installation.path("secrets.age");
    let whole = fs::read(&path).unwrap();
    for at in [5, 60, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        let said = installation.run(&["list"]).refused();
        assert!(said.contains("cannot be opened with"), "{at}: {said}");
    }
    for length in [0, 10, whole.len() - 20, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let said = installation.run_with(&["set", "OPS_TOKEN"], STRONG).refused();
        assert!(said.contains("cannot be opened with"), "{length}: {said}");
        assert_eq!(fs::read(&path).unwrap().len(), length, "it is left as it is");
    }
    let other = Installation::ready();
    fs::copy(other.path("secrets.age"), &path).unwrap();
    assert!(installation.run(&["list"]).refused().contains("encrypted for others"));
    fs::write(&path, &whole).unwrap();
    installation.run(&["list"]).ok();
}

#[test]
fn what_is_in_it_and_malformed_is_not_quoted() {
    let installation = Installation::ready();
    for contents in [
        format!(r#"{{"format": 1, "recipients": [], "secrets": {{"OPS_TOKEN": "{STRONG}"}}}}"#),
        format!(r#"{{"format": 1, "recipients": [], "secrets": {{"{STRONG}": 1}}}}"#),
        STRONG.to_owned(),
    ] {
        installation.overwrite(&contents);
        let said = installation.run(&["list"]).refused();
        assert!(said.contains("not as mps writes it") && !said.contains(STRONG), "{said}");
    }
    installation.overwrite(r#"{"format": 2, "recipients": [], "secrets": {}}"#);
    assert!(installation.run(&["list"]).refused().contains("another version"));
}

#[test]
fn an_identity_that_is_none_is_refused_and_not_quoted() {
    let installation = Installation::ready();
    for text in [String::new(), format!("{STRONG}\n"), "# only a comment\n".to_owned()] {
        fs::write(installation.path("identity.txt"), &text).unwrap();
        let said = installation.run(&["list"]).refused();
        assert!(said.contains("no file of age identities") && !said.contains(STRONG), "{said}");
    }
}

#[test]
fn whoever_is_named_as_a_recipient_opens_it_too_and_no_one_else() {
    let installation = Installation::ready();
    let (second, third) = (Identity::generate(), Identity::generate());
    let store = || fs::read(installation.path("secrets.age")).unwrap();
    assert!(opened(&store(), &second).is_none());
    installation.change(|config| {
        config["secrets"]["recipients"] = serde_json::json!([second.to_public().to_string()]);
    });
    assert_eq!(installation.audit().0, ["store"]);
    installation.run(&["init"]).ok();
    assert_eq!(installation.audit().0, [""; 0]);
    let plain = String::from_utf8(opened(&store(), &second).expect("opened")).unwrap();
    assert!(plain.contains(SECRET_KEY));
    assert!(opened(&store(), &third).is_none());
    // Any later change is for them as well.
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
    assert!(opened(&store(), &second).is_some());
}

/// The test is the first writer: it holds what a writer holds.
#[test]
fn a_second_writer_waits_and_sees_what_the_first_has_written() {
    let installation = Installation::ready();
    let folder = File::open(installation.path("")).unwrap();
    folder.lock().unwrap();
    let mut second = installation.start(&["set", "OPS_TOKEN"], STRONG);
    thread::sleep(Duration::from_millis(500));
    assert!(second.try_wait().unwrap().is_none(), "it waits");
    installation.edit(|secrets| secrets["METRICS_TOKEN"]["value"] = STRONG_TOO.into());
    folder.unlock().unwrap();
    ended(second).ok();
    assert_eq!(installation.value("METRICS_TOKEN"), STRONG_TOO);
    assert_eq!(installation.value("OPS_TOKEN"), STRONG);
}

#[test]
fn of_many_writers_at_once_every_one_is_heard() {
    let installation = Installation::ready();
    let url = format!("postgresql://mps:{STRONG}@db.example/mps");
    let given = [
        ("OPS_TOKEN", STRONG),
        ("METRICS_TOKEN", STRONG_TOO),
        ("SUPABASE_JWT_SECRET", "another-Hq7_Xz2w-Pp9dKm3vT6bN1cR8sL4j"),
        ("DATABASE_PASSWORD", "Gt5-yH8_uJ1iK4oL7pZ0xC"),
        ("DATABASE_URL", &url),
    ];
    for _ in 0..3 {
        let writers = given.map(|(name, value)| installation.start(&["set", name], value));
        for writer in writers {
            ended(writer).ok();
        }
        for (name, value) in given {
            assert_eq!(installation.value(name), value);
            installation.run(&["remove", name, "--yes"]).ok();
        }
    }
    let left: Vec<_> =
        fs::read_dir(installation.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "the configuration, the identity, the store: {left:?}");
}

/// As by a full disk, or by whoever pulls the plug: no byte of any file can be written, and who tries is killed.
#[test]
fn a_writer_who_dies_leaves_the_store_as_it_was() {
    let installation = Installation::ready();
    let before = fs::read(installation.path("secrets.age")).unwrap();
    let status = Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -f 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_mps")])
        .args(["secrets", "rotate", "OPS_TOKEN", "--config"])
        .arg(installation.path("mps.yml"))
        .stdout(Stdio::piped())
        .status()
        .unwrap();
    assert!(!status.success());
    assert!(before == fs::read(installation.path("secrets.age")).unwrap());
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
}

#[test]
fn a_link_stays_a_link_and_what_it_names_is_replaced() {
    let installation = Installation::ready();
    let (path, elsewhere) = (installation.path("secrets.age"), installation.path("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&path, elsewhere.join("real.age")).unwrap();
    symlink(elsewhere.join("real.age"), &path).unwrap();
    installation.run_with(&["set", "OPS_TOKEN"], STRONG).ok();
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(installation.value("OPS_TOKEN"), STRONG);
}

/// Only root can give a file away, so only root's run of it tests more than that nothing is lost.
#[test]
fn whoever_owned_the_store_owns_it_after_root_has_rotated() {
    let installation = Installation::ready();
    let path = installation.path("secrets.age");
    let is_root = chown(&path, Some(65534), Some(65534)).is_ok();
    let owner = fs::metadata(&path).unwrap().uid();
    assert_eq!(is_root, owner == 65534);
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
    assert_eq!(fs::metadata(&path).unwrap().uid(), owner);
    assert_eq!(installation.mode("secrets.age"), 0o600);
}
