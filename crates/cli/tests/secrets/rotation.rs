//! Values set, got, rotated, and handed on while two count.

use std::process::Command;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use serde_json::{Value, json};

use crate::installation::{FAR_AHEAD, Installation, LONG_AGO, SECRET_KEY, STRONG, STRONG_TOO};

#[test]
fn what_is_set_is_what_is_got_and_no_other_command_shows_it() {
    let installation = Installation::ready();
    for input in [STRONG.to_owned(), format!("{STRONG}\n"), format!("{STRONG}\r\n")] {
        installation.run_with(&["set", "OPS_TOKEN"], &input).ok();
        assert_eq!(installation.run(&["get", "OPS_TOKEN", "--reveal"]).ok(), format!("{STRONG}\n"));
    }
    let told = installation.run(&["get", "OPS_TOKEN", "--reveal", "--json"]).json();
    assert_eq!(told, json!({"name": "OPS_TOKEN", "value": STRONG}));
    let said = installation.run(&["get", "OPS_TOKEN"]).refused();
    assert!(said.contains("--reveal") && !said.contains(STRONG), "{said}");
    for arguments in [&["list"][..], &["list", "--json"], &["audit"], &["rotate", "OPS_TOKEN"], &["init"]] {
        let run = installation.run(arguments);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(STRONG), "{arguments:?}");
    }
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    let installation = Installation::ready();
    let before = installation.value("OPS_TOKEN");
    let said = installation.run(&["set", "OPS_TOKEN", STRONG]).refused();
    assert!(said.contains("shell's history") && !said.contains(STRONG), "{said}");
    assert_eq!(installation.value("OPS_TOKEN"), before);
}

#[test]
fn what_is_weak_is_refused_at_the_door_and_not_repeated() {
    let installation = Installation::ready();
    let before = installation.value("OPS_TOKEN");
    for (arguments, input) in [
        (&["set", "OPS_TOKEN"][..], "short-and-Weak_1"),
        (&["set", "OPS_TOKEN"], "passwordpasswordpasswordpassword"),
        (&["rotate", "OPS_TOKEN", "--given"], "short-and-Weak_1"),
        (&["rotate", "SUPABASE_SECRET_KEY"], "sb_publishable_x"),
    ] {
        let said = installation.run_with(arguments, input).refused();
        assert!(said.contains("Nothing was changed") && !said.contains(input), "{said}");
    }
    for input in ["", "\n"] {
        assert!(installation.run_with(&["set", "OPS_TOKEN"], input).refused().contains("empty"));
    }
    let long = "x".repeat(70_000);
    assert!(installation.run_with(&["set", "OPS_TOKEN"], &long).refused().contains("bytes"));
    assert_eq!(
        (installation.value("OPS_TOKEN"), installation.value("SUPABASE_SECRET_KEY")),
        (before, SECRET_KEY.to_owned())
    );
}

#[test]
fn a_value_in_the_place_of_a_name_is_not_repeated() {
    let installation = Installation::ready();
    for command in ["set", "rotate", "drop-previous"] {
        let said = installation.run(&[command, STRONG_TOO]).refused();
        assert!(said.contains("OPS_TOKEN, METRICS_TOKEN") && !said.contains(STRONG_TOO), "{said}");
    }
    assert!(!installation.run(&["get", STRONG_TOO, "--reveal"]).refused().contains(STRONG_TOO));
    let help = installation.run(&["set", "--help"]).ok();
    assert!(help.contains("[possible values: SUPABASE_SECRET_KEY"), "{help}");
}

#[test]
fn both_count_in_the_overlap_and_one_after_it() {
    let installation = Installation::ready();
    let former = installation.value("OPS_TOKEN");
    let told = installation.run(&["rotate", "OPS_TOKEN", "--overlap", "2h", "--json"]).json();
    assert!(told["steps"][0].as_str().unwrap().starts_with("1. Every edge"), "{told}");
    let new = installation.value("OPS_TOKEN");
    assert_ne!(new, former);
    let until = told["overlap_until"].as_str().unwrap();
    assert!(installation.run(&["list"]).ok().contains(until));
    let handed = installation.run(&["render", "--for", "env", "--json"]).json();
    assert_eq!((&handed["OPS_TOKEN"], &handed["OPS_TOKEN_PREVIOUS"]), (&json!(new), &json!(former)));

    let said = installation.run(&["rotate", "OPS_TOKEN"]).refused();
    assert!(said.contains("drop-previous OPS_TOKEN"), "{said}");
    assert_eq!(installation.value("OPS_TOKEN"), new);

    // Two hours later.
    installation.edit(|secrets| secrets["OPS_TOKEN"]["previous"]["until"] = LONG_AGO.into());
    let handed = installation.run(&["render", "--for", "env", "--json"]).json();
    assert_eq!((&handed["OPS_TOKEN"], handed.get("OPS_TOKEN_PREVIOUS")), (&json!(new), None));
    assert_eq!(installation.audit().0, ["OPS_TOKEN"], "the former value is still kept");
    installation.run(&["drop-previous", "OPS_TOKEN"]).ok();
    assert!(!installation.contents().to_string().contains(&former));
    assert_eq!(installation.audit().0, [""; 0]);
}

#[test]
fn what_has_leaked_is_rotated_without_an_overlap() {
    let installation = Installation::ready();
    let former = installation.value("OPS_TOKEN");
    let said = installation.run(&["rotate", "OPS_TOKEN", "--overlap", "0"]).ok();
    assert!(said.contains("Nothing overlaps"), "{said}");
    assert!(!installation.contents().to_string().contains(&former));
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
    installation.run_with(&["set", "OPS_TOKEN"], STRONG).ok();
    assert!(installation.contents()["secrets"]["OPS_TOKEN"]["previous"].is_null(), "set leaves one value");
}

#[test]
fn of_a_key_of_which_one_counts_no_overlap_is_promised() {
    let installation = Installation::ready();
    let other = "sb_secret_qW8-eN5_tY1uI0oP3aS6dF9g";
    let said = installation.run_with(&["rotate", "SUPABASE_SECRET_KEY", "--overlap", "1h"], other).refused();
    assert!(said.contains("only one value can count"), "{said}");
    installation.run_with(&["rotate", "SUPABASE_SECRET_KEY"], other).ok();
    assert_eq!(installation.value("SUPABASE_SECRET_KEY"), other);
    assert!(!installation.contents().to_string().contains(SECRET_KEY));
    let same = installation.run_with(&["rotate", "SUPABASE_SECRET_KEY"], other).refused();
    assert!(same.contains("the one that it has"), "{same}");
}

#[test]
fn a_wrong_overlap_is_a_wrong_command_line() {
    let installation = Installation::ready();
    for overlap in ["1", "soon", "99d"] {
        assert_eq!(installation.run(&["rotate", "OPS_TOKEN", "--overlap", overlap]).code, 2, "{overlap}");
    }
}

/// A provider's secrets are handed on with its configuration, and refused by the edge without.
#[test]
fn only_what_the_configuration_uses_is_handed_to_the_edge() {
    let installation = Installation::ready();
    let key = rsa::RsaPrivateKey::new(&mut rand_core_06::OsRng, 2048).unwrap();
    let pem = key.to_pkcs8_pem(LineEnding::LF).unwrap();
    let file = installation.path("apiclient_key.pem");
    std::fs::write(&file, pem.as_bytes()).unwrap();
    installation.run(&["set", "WECHAT_PRIVATE_KEY", "--from-file", file.to_str().unwrap()]).ok();
    installation.run_with(&["set", "WECHAT_API_V3_KEY"], "qW8eN5tY1uI0oP3aS6dF9gH2jK4lZ7xC").ok();
    installation
        .run_with(&["set", "DATABASE_URL"], &format!("postgresql://mps:{STRONG}@db.example/mps"))
        .ok();
    let names = |installation: &Installation| {
        let handed = installation.run(&["render", "--for", "env", "--json"]).json();
        handed.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&installation), ["METRICS_TOKEN", "OPS_TOKEN", "SUPABASE_SECRET_KEY"]);
    assert_eq!(installation.audit().0, ["WECHAT_PRIVATE_KEY", "WECHAT_API_V3_KEY"]);
    installation.change(|config| {
        config["providers"] = json!({
            "wechat": {"mchid": "1", "appid": "2", "serial_no": "3", "public_keys": "4"},
            "alipay": {"app_id": "1", "seller_id": "2", "public_keys": "3"},
        });
    });
    let said = installation.run(&["render", "--for", "env"]).refused();
    assert!(said.contains("not set: ALIPAY_PRIVATE_KEY"), "{said}");
    installation.run(&["set", "ALIPAY_PRIVATE_KEY", "--from-file", file.to_str().unwrap()]).ok();
    assert_eq!(names(&installation).len(), 6);

    // On one line, whatever reads it: the base64 alone, which the edge takes too.
    let lines = installation.run(&["render", "--for", "env"]).ok();
    let base64 = lines.lines().find_map(|line| line.strip_prefix("WECHAT_PRIVATE_KEY='")?.strip_suffix('\''));
    assert_eq!(Base64::decode_vec(base64.unwrap()).unwrap(), key.to_pkcs8_der().unwrap().as_bytes());
}

/// `sh` reads such a file as systemd's manual says that it is read.
#[test]
fn a_shell_reads_of_the_lines_what_was_set() {
    let installation = Installation::ready();
    for value in [
        STRONG,
        "with 'single' and \"double\" and $HOME `id` \\n 7Xq",
        "it's two \\\\ here and one at the end, 7XqZ-82kd\\",
        "just \"double\" and $(id) \\ !# 7XqZ-82kd_P",
        "#=;  7XqZ-82kd_Pwt5 = & | < > * ? ~ [x] {y}",
    ] {
        installation.run_with(&["set", "SUPABASE_JWT_SECRET"], value).ok();
        let lines = installation.run(&["render", "--for", "env"]).ok();
        let script = format!("{lines}\nprintf %s \"$SUPABASE_JWT_SECRET\"");
        let read = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(read.stdout).unwrap(), value, "{lines}");
    }
}

#[test]
fn kubernetes_and_cloudflare_get_both_values_and_lose_the_former() {
    let installation = Installation::ready();
    let former = installation.value("OPS_TOKEN");
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
    let new = installation.value("OPS_TOKEN");
    let render = |engine: &str| installation.run(&["render", "--for", engine]).json();
    let decoded =
        |data: &Value| String::from_utf8(Base64::decode_vec(data.as_str().unwrap()).unwrap()).unwrap();
    let secret = render("kubernetes");
    assert_eq!((&secret["apiVersion"], &secret["kind"]), (&json!("v1"), &json!("Secret")));
    assert_eq!(secret["metadata"]["name"], "mps-edge");
    assert_eq!(decoded(&secret["data"]["OPS_TOKEN"]), new);
    assert_eq!(decoded(&secret["data"]["OPS_TOKEN_PREVIOUS"]), former);
    let bulk = render("cloudflare");
    assert_eq!((&bulk["OPS_TOKEN"], &bulk["OPS_TOKEN_PREVIOUS"]), (&json!(new), &json!(former)));

    installation.run(&["drop-previous", "OPS_TOKEN"]).ok();
    assert!(render("kubernetes")["data"].get("OPS_TOKEN_PREVIOUS").is_none());
    // To wrangler null is the word for deleting it.
    let bulk = render("cloudflare");
    for name in ["OPS_TOKEN_PREVIOUS", "METRICS_TOKEN_PREVIOUS", "SUPABASE_JWT_SECRET_PREVIOUS"] {
        assert!(bulk.as_object().unwrap().contains_key(name) && bulk[name].is_null(), "{bulk}");
    }
}

#[test]
fn postgrest_takes_both_secrets_in_the_overlap() {
    let installation = Installation::ready();
    assert!(
        installation
            .run(&["render", "--for", "postgrest"])
            .refused()
            .contains("SUPABASE_JWT_SECRET is not set")
    );
    installation.run_with(&["set", "SUPABASE_JWT_SECRET"], STRONG).ok();
    installation.run_with(&["rotate", "SUPABASE_JWT_SECRET", "--given"], STRONG_TOO).ok();
    installation.run_with(&["set", "DATABASE_PASSWORD"], "Gt5-yH8_uJ1iK4oL7pZ0xC").ok();
    let keys = || {
        let handed = installation.run(&["render", "--for", "postgrest", "--json"]).json();
        assert_eq!(handed["PGPASSWORD"], "Gt5-yH8_uJ1iK4oL7pZ0xC");
        let set: Value = serde_json::from_str(handed["PGRST_JWT_SECRET"].as_str().unwrap()).unwrap();
        let keys = set["keys"].as_array().unwrap().iter().map(|key| {
            assert_eq!((&key["kty"], &key["alg"]), (&json!("oct"), &json!("HS256")));
            String::from_utf8(Base64UrlUnpadded::decode_vec(key["k"].as_str().unwrap()).unwrap()).unwrap()
        });
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys(), [STRONG_TOO, STRONG]);
    installation.edit(|secrets| secrets["SUPABASE_JWT_SECRET"]["previous"]["until"] = LONG_AGO.into());
    assert_eq!(keys(), [STRONG_TOO]);
    installation.edit(|secrets| secrets["SUPABASE_JWT_SECRET"]["previous"]["until"] = FAR_AHEAD.into());
    assert_eq!(keys().len(), 2);
    let lines = installation.run(&["render", "--for", "postgrest"]).ok();
    assert!(lines.contains("\nPGRST_JWT_SECRET='{\"keys\":["), "{lines}");
}

#[test]
fn what_is_removed_is_gone_and_only_when_it_was_meant() {
    let installation = Installation::ready();
    assert!(installation.run(&["remove", "OPS_TOKEN"]).refused().contains("--yes"));
    installation.value("OPS_TOKEN");
    installation.run(&["remove", "OPS_TOKEN", "--yes"]).ok();
    assert!(installation.run(&["remove", "OPS_TOKEN", "--yes"]).refused().contains("there is no"));
    assert!(installation.contents()["secrets"].get("OPS_TOKEN").is_none());
}

#[test]
fn each_command_shows_examples() {
    let installation = Installation::ready();
    for command in ["init", "set", "get", "list", "rotate", "drop-previous", "remove", "audit", "render"] {
        let help = installation.run(&[command, "--help"]).ok();
        assert!(help.contains("Example") && help.contains(&format!("mps secrets {command}")), "{help}");
        assert!(help.contains("--json") && help.contains("/etc/mps/mps.yml"), "{help}");
    }
}

#[test]
fn a_failure_in_json_is_json_without_a_value() {
    let installation = Installation::ready();
    let run = installation.run_with(&["set", "OPS_TOKEN", "--json"], "short-and-Weak_1");
    let said: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.code, 1);
    assert!(
        said["error"].as_str().unwrap().contains("OPS_TOKEN") && !run.stdout.contains("Weak_1"),
        "{said}"
    );
}
