//! `mps init`: what a new installation begins with, and that nothing of an old one is overwritten.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use mps_operations_tests::{done, mps};

fn init(folder: &Path, url: &str) -> Output {
    let mut command = mps();
    command
        .args(["--json", "init", "--host", "pay.shop.example", "--supabase-url", url, "--dir"])
        .arg(folder);
    command.args(["--publishable-key", "sb_publishable_x"]).output().expect("mps")
}

#[test]
fn an_installation_begins_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("mps");
    let refused = init(&place, "http://project.supabase.co");
    assert_eq!(refused.status.code(), Some(1));
    assert!(!place.exists(), "nothing is written of what is refused");

    let made = done(&init(&place, "https://project.supabase.co"));
    assert_eq!(made["missing"], serde_json::json!(["SUPABASE_SECRET_KEY"]));
    let config = place.join("mps.yml");
    let mut check = mps();
    assert!(check.args(["config", "check"]).arg(&config).status().expect("mps").success());
    for secret in ["identity.txt", "secrets.age"] {
        let bits = fs::metadata(place.join(secret)).expect(secret).permissions().mode();
        assert_eq!(bits & 0o077, 0, "{secret}");
    }

    let before =
        ["mps.yml", "identity.txt", "secrets.age"].map(|file| fs::read(place.join(file)).expect(file));
    let again = done(&init(&place, "https://another.supabase.co"));
    assert_eq!(again["generated"], serde_json::json!([]));
    for (file, before) in ["mps.yml", "identity.txt"].iter().zip(&before) {
        assert_eq!(&fs::read(place.join(file)).expect(file), before, "{file}");
    }
    let mut kept = mps();
    kept.args(["secrets", "get", "OPS_TOKEN", "--reveal", "--config"]).arg(&config);
    assert!(kept.output().expect("mps").stdout.len() > 32);
}
