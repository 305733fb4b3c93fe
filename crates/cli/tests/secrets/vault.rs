//! Secrets kept in Vault: the same commands, two writers, tokens that end, and each refusal with what to do about it.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::installation::{Installation, LONG_AGO, SECRET_KEY, STRONG, STRONG_TOO};
use crate::vault_server::{Change, ROLE_ID, SECRET_ID, TOKEN, Token, Vault};

fn with_token(vault: &Vault) -> Installation {
    let installation = Installation::with(&json!(null));
    write(&installation, "token", TOKEN);
    installation.change(|config| {
        config["secrets"] = json!({
            "store": "vault", "address": vault.address, "path": "mps/test", "token_file": installation.path("token"),
        });
    });
    installation
}

fn with_approle(vault: &Vault) -> Installation {
    let installation = Installation::with(&json!(null));
    write(&installation, "secret-id", SECRET_ID);
    installation.change(|config| {
        config["secrets"] = json!({
            "store": "vault", "address": vault.address, "path": "mps/test",
            "role_id": ROLE_ID, "secret_id_file": installation.path("secret-id"),
        });
    });
    installation
}

/// Begun, with all that it needs.
fn ready(vault: &Vault) -> Installation {
    let installation = with_token(vault);
    installation.run(&["init"]).ok();
    installation.run_with(&["set", "SUPABASE_SECRET_KEY"], SECRET_KEY).ok();
    installation
}

fn write(installation: &Installation, name: &str, text: &str) {
    fs::write(installation.path(name), format!("{text}\n")).unwrap();
    installation.set_mode(name, 0o600);
}

/// The words of a refusal, none of which is a secret.
fn refused(installation: &Installation, arguments: &[&str], words: &[&str]) {
    let said = installation.run_with(arguments, STRONG).refused();
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    for value in [SECRET_KEY, STRONG, TOKEN, SECRET_ID] {
        assert!(!said.contains(value), "{said}");
    }
}

#[test]
fn every_command_works_on_vault_as_on_a_file() {
    let vault = Vault::start();
    let installation = with_token(&vault);
    for arguments in [&["list"][..], &["set", "OPS_TOKEN"], &["audit"]] {
        refused(&installation, arguments, &["no secrets at secret/data/mps/test", "`mps secrets init`"]);
    }
    let first = installation.run(&["init", "--json"]).json();
    assert_eq!(first["generated"], json!(["OPS_TOKEN", "METRICS_TOKEN"]));
    installation.run(&["init"]).ok();
    assert_eq!(vault.with(|state| state.versions.len()), 1, "begun once");
    installation.run_with(&["set", "SUPABASE_SECRET_KEY"], SECRET_KEY).ok();
    assert_eq!(installation.audit().0, [""; 0]);

    let former = installation.value("OPS_TOKEN");
    installation.run(&["rotate", "OPS_TOKEN"]).ok();
    let handed = installation.run(&["render", "--for", "env", "--json"]).json();
    assert_eq!(handed["OPS_TOKEN_PREVIOUS"], former);
    assert_eq!(handed["SUPABASE_SECRET_KEY"], SECRET_KEY);
    installation.run(&["drop-previous", "OPS_TOKEN"]).ok();
    assert!(vault.secrets()["OPS_TOKEN"].get("previous").is_none());
    assert_eq!(vault.secrets()["SUPABASE_SECRET_KEY"]["value"], SECRET_KEY);
    let said = installation.run(&["drop-previous", "OPS_TOKEN"]).ok();
    assert!(said.contains("there was none"), "{said}");
    assert_eq!(vault.with(|state| state.versions.len()), 4, "what changes nothing writes nothing");
}

#[test]
fn two_writers_lose_nothing_of_each_other() {
    let vault = Vault::start();
    let installation = ready(&vault);
    // Another one writes between our read and our write, and once more.
    let another = |name: &'static str, value: &'static str| -> Change {
        Box::new(move |state| {
            let mut data = state.versions.last().cloned().flatten().unwrap();
            data[name] = json!({"value": value, "set_at": LONG_AGO});
            state.versions.push(Some(data));
        })
    };
    vault.with(|state| state.after_read.push_back(another("METRICS_TOKEN", STRONG_TOO)));
    installation.run_with(&["set", "OPS_TOKEN"], STRONG).ok();
    assert_eq!(vault.secrets()["METRICS_TOKEN"]["value"], STRONG_TOO);
    let password = "Gt5-yH8_uJ1iK4oL7pZ0xC";
    vault.with(|state| state.before_write.push_back(another("DATABASE_PASSWORD", password)));
    installation.run_with(&["set", "SUPABASE_JWT_SECRET"], "another-Hq7_Xz2w-Pp9dKm3vT6bN1cR8sL4j").ok();
    for (name, value) in
        [("OPS_TOKEN", STRONG), ("METRICS_TOKEN", STRONG_TOO), ("DATABASE_PASSWORD", password)]
    {
        assert_eq!(vault.secrets()[name]["value"], value);
    }
}

#[test]
fn two_who_begin_at_once_begin_one_store() {
    let vault = Vault::start();
    let installation = with_token(&vault);
    vault.with(|state| {
        state.before_write.push_back(Box::new(|state| {
            state.versions.push(Some(json!({"OPS_TOKEN": {"value": STRONG, "set_at": LONG_AGO}})));
        }));
    });
    let told = installation.run(&["init", "--json"]).json();
    assert_eq!(told["generated"], json!(["METRICS_TOKEN"]));
    assert_eq!(vault.secrets()["OPS_TOKEN"]["value"], STRONG);
}

#[test]
fn a_rotation_that_another_one_came_before_is_refused_and_their_overlap_kept() {
    let vault = Vault::start();
    let installation = ready(&vault);
    let first = installation.value("OPS_TOKEN");
    vault.with(|state| {
        state.before_write.push_back(Box::new(move |state| {
            let mut data = state.versions.last().cloned().flatten().unwrap();
            let previous = json!({"value": data["OPS_TOKEN"]["value"], "until": "2999-01-01T00:00:00Z"});
            data["OPS_TOKEN"] = json!({"value": STRONG_TOO, "set_at": LONG_AGO, "previous": previous});
            state.versions.push(Some(data));
        }));
    });
    refused(&installation, &["rotate", "OPS_TOKEN"], &["was rotated already"]);
    assert_eq!(vault.secrets()["OPS_TOKEN"]["previous"]["value"], first);
}

#[test]
fn writers_without_end_are_given_up_on_and_nothing_is_changed() {
    let vault = Vault::start();
    let installation = ready(&vault);
    vault.with(|state| {
        for _ in 0..5 {
            state.before_write.push_back(Box::new(|state| {
                let newest = state.versions.last().cloned().flatten();
                state.versions.push(newest);
            }));
        }
    });
    let before = vault.secrets();
    refused(&installation, &["set", "OPS_TOKEN"], &["others wrote 5 times", "try again"]);
    assert_eq!(vault.secrets(), before);
}

#[test]
fn an_approle_logs_in_and_its_token_is_used() {
    let vault = Vault::start();
    let installation = with_approle(&vault);
    vault.with(|state| state.tokens.clear());
    installation.run(&["init"]).ok();
    assert_eq!(vault.with(|state| state.logins), 1, "one login for several requests");
    installation.run(&["list"]).ok();
    assert_eq!(vault.with(|state| state.logins), 2);
    let asked = vault.with(|state| state.requests.join("\n"));
    assert!(!asked.contains("lookup-self"), "its lease is in the login's answer: {asked}");
}

#[test]
fn a_token_that_ends_in_between_is_replaced_by_one_login_more() {
    let vault = Vault::start();
    let installation = with_approle(&vault);
    installation.run(&["init"]).ok();
    vault.with(|state| {
        (state.logins, state.before_write) = (0, std::collections::VecDeque::new());
        // Refused on its first use: it was revoked.
        state.replies.extend([(
            200,
            "",
            json!({"auth": {"client_token": "hvs.revoked", "lease_duration": 3600}}).to_string(),
        )]);
    });
    installation.run_with(&["set", "OPS_TOKEN"], STRONG).ok();
    assert_eq!(vault.with(|state| state.logins), 1);
    assert_eq!(vault.secrets()["OPS_TOKEN"]["value"], STRONG);
}

#[test]
fn a_token_that_is_about_to_end_is_not_begun_with() {
    let vault = Vault::start();
    let installation = with_approle(&vault);
    vault.with(|state| state.lease_duration = 2);
    installation.run(&["init"]).ok();
    // The read, the look at the mount, the write.
    assert_eq!(vault.with(|state| state.logins), 3);
}

#[test]
fn an_approle_without_the_right_logs_in_again_once_and_not_for_ever() {
    let vault = Vault::start();
    let installation = with_approle(&vault);
    vault.with(|state| state.login_is_allowed = false);
    refused(&installation, &["list"], &["403", "its policy does not allow secret/data/mps/test"]);
    assert_eq!(vault.with(|state| state.logins), 2);
}

#[test]
fn a_login_that_fails_says_which_part_to_mend() {
    let vault = Vault::start();
    let installation = with_approle(&vault);
    write(&installation, "secret-id", "00000000-11c9-bbc7-bcac-6a3945a69cd9");
    refused(&installation, &["list"], &["secrets.role_id", "secret-id", "vault write -f auth/approle/role"]);
    vault.with(|state| state.has_approle = false);
    refused(&installation, &["list"], &["secrets.approle_mount", "vault auth enable"]);
    fs::write(installation.path("secret-id"), "two words\n").unwrap();
    refused(&installation, &["list"], &["no single word"]);
    fs::remove_file(installation.path("secret-id")).unwrap();
    refused(&installation, &["list"], &["cannot read", "secret-id"]);
}

#[test]
fn a_token_file_that_was_written_anew_is_read_again() {
    let vault = Vault::start();
    let installation = ready(&vault);
    vault.with(|state| {
        let token = state.tokens.remove(TOKEN).unwrap();
        state.tokens.insert("hvs.anew".to_owned(), token);
    });
    refused(&installation, &["list"], &["403", "is over or revoked", "token"]);
    // Vault's agent writes while we ask.
    let path = installation.path("token");
    vault.with(|state| state.on_refusal = Some(Box::new(move |_| fs::write(path, "hvs.anew\n").unwrap())));
    installation.run(&["list"]).ok();
}

#[test]
fn a_token_whose_time_is_half_over_is_renewed_where_it_can_be() {
    let vault = Vault::start();
    let installation = ready(&vault);
    let renewals = |token: Token| {
        vault.with(|state| (state.renewals, _) = (0, state.tokens.insert(TOKEN.to_owned(), token)));
        installation.run(&["list"]).ok();
        vault.with(|state| state.renewals)
    };
    assert_eq!(renewals(Token { ttl: 2000, ..Token::default() }), 0);
    assert_eq!(renewals(Token { ttl: 1799, ..Token::default() }), 1);
    assert_eq!(renewals(Token { ttl: 1799, renewable: false, ..Token::default() }), 0);
    assert_eq!(renewals(Token { ttl: 0, creation_ttl: 0, ..Token::default() }), 0, "a root token never ends");
}

#[test]
fn a_root_token_and_one_that_ends_are_found_by_the_audit() {
    let vault = Vault::start();
    let installation = ready(&vault);
    let found = |token: Token| {
        vault.with(|state| state.tokens.insert(TOKEN.to_owned(), token));
        let (names, text) = installation.audit();
        assert!(!text.contains(TOKEN) && !text.contains(SECRET_KEY), "{text}");
        (names.len(), text)
    };
    assert_eq!(found(Token::default()).0, 0);
    let (count, text) = found(Token { policies: vec!["root"], ttl: 0, ..Token::default() });
    assert!(count == 1 && text.contains("root token"), "{text}");
    let (count, text) = found(Token { ttl: 36_000, renewable: false, ..Token::default() });
    assert!(count == 1 && text.contains("ends in 10 hours"), "{text}");
    let (count, _) = found(Token { ttl: 8 * 86_400, renewable: false, ..Token::default() });
    assert_eq!(count, 0);
    installation.set_mode("token", 0o644);
    let (count, text) = found(Token::default());
    assert!(count == 1 && text.contains("mode 0644") && text.contains("chmod o="), "{text}");
}

#[test]
fn sealed_not_initialised_and_moved_are_told_apart() {
    let vault = Vault::start();
    let installation = ready(&vault);
    vault.with(|state| state.is_sealed = true);
    refused(&installation, &["set", "OPS_TOKEN"], &["sealed", "vault operator unseal"]);
    vault.with(|state| state.is_sealed = false);
    for (status, headers, words) in [
        (501, "", "not initialised"),
        (307, "Location: http://elsewhere.example/v1/\r\n", "names the active one"),
        (500, "", "answered 500"),
    ] {
        vault.with(|state| state.replies.push_back((200, "", json!({"data": {}}).to_string())));
        vault.with(|state| state.replies.push_back((status, headers, String::new())));
        let words = words.replace("names", "name");
        refused(&installation, &["list"], &[words.as_str()]);
    }
    let asked = vault.with(|state| state.requests.len());
    installation.run(&["list"]).ok();
    assert!(vault.with(|state| state.requests.len()) > asked, "and then it works again");
}

#[test]
fn where_vault_asks_to_come_again_one_does_and_not_for_ever() {
    let vault = Vault::start();
    let installation = ready(&vault);
    let limited = |seconds: &'static str| {
        (429, seconds, json!({"errors": ["request path \"x\": rate limit quota exceeded"]}).to_string())
    };
    vault.with(|state| state.replies.extend([limited("Retry-After: 1\r\n"), limited("Retry-After: 1\r\n")]));
    let begun = Instant::now();
    installation.run_with(&["set", "OPS_TOKEN"], STRONG).ok();
    assert!(begun.elapsed() >= Duration::from_secs(2), "it came again too soon");
    assert_eq!(vault.secrets()["OPS_TOKEN"]["value"], STRONG);

    vault.with(|state| state.replies.extend((0..9).map(|_| limited("Retry-After: 0\r\n"))));
    refused(&installation, &["list"], &["limits how often"]);
    assert_eq!(vault.with(|state| std::mem::take(&mut state.replies).len()), 5, "four tries");
    vault.with(|state| state.replies.push_back(limited("Retry-After: 3600\r\n")));
    refused(&installation, &["list"], &["3600 seconds"]);
}

#[test]
fn a_wrong_mount_an_engine_of_version_1_and_a_wrong_namespace_are_named() {
    let vault = Vault::start();
    let installation = with_token(&vault);
    vault.with(|state| state.kv_version = "1");
    refused(&installation, &["init"], &["secrets.mount", "vault kv enable-versioning secret"]);
    let asked = vault.with(|state| state.requests.join("\n"));
    assert!(!asked.contains("POST /v1/secret"), "nothing is written there: {asked}");
    vault.with(|state| (state.kv_version, state.namespace) = ("2", Some("team-a")));
    refused(&installation, &["init"], &["secrets.mount", "secrets.namespace is not set"]);
    installation.change(|config| config["secrets"]["namespace"] = "team-b".into());
    refused(&installation, &["init"], &["secrets.namespace is team-b"]);
    installation.change(|config| config["secrets"]["namespace"] = "team-a".into());
    installation.run(&["init"]).ok();
    installation.change(|config| config["secrets"]["mount"] = "elsewhere".into());
    refused(&installation, &["list"], &["nothing is mounted at elsewhere", "vault secrets list"]);
}

#[test]
fn a_version_that_was_deleted_is_no_empty_one() {
    let vault = Vault::start();
    let installation = ready(&vault);
    vault.with(|state| state.versions.push(None));
    for arguments in [&["init"][..], &["set", "OPS_TOKEN"], &["list"]] {
        refused(&installation, arguments, &["version 3", "was deleted", "vault kv undelete"]);
    }
    assert_eq!(vault.with(|state| state.versions.len()), 3);
}

#[test]
fn a_write_whose_answer_is_lost_is_told_as_unknown() {
    let vault = Vault::start();
    let installation = ready(&vault);
    vault.with(|state| state.loses_an_answer = true);
    refused(
        &installation,
        &["set", "OPS_TOKEN"],
        &["whether it was written is not known", "mps secrets list"],
    );
    assert_eq!(vault.secrets()["OPS_TOKEN"]["value"], STRONG);
    vault.with(|state| state.replies.push_back((0, "", String::new())));
    let said = installation.run(&["list"]).refused();
    assert!(said.contains("does not answer") && !said.contains("written"), "{said}");
}

#[test]
fn what_an_answer_says_is_not_repeated() {
    let vault = Vault::start();
    let installation = ready(&vault);
    let echoed = |status, body: Value| {
        vault.with(|state| {
            state.replies.push_back((200, "", json!({"data": {}}).to_string()));
            state.replies.push_back((status, "", body.to_string()));
        });
        refused(&installation, &["list"], &[]);
    };
    echoed(400, json!({"errors": [format!("{STRONG} {TOKEN}")]}));
    echoed(200, json!({"data": {"data": {"OPS_TOKEN": STRONG}, "metadata": {"version": 1}}}));
    echoed(200, json!(STRONG));
    echoed(418, json!(STRONG));
}

#[test]
fn nobody_at_the_address_is_told_in_words() {
    let vault = Vault::start();
    let installation = ready(&vault);
    installation.change(|config| config["secrets"]["address"] = "http://127.0.0.1:9".into());
    refused(&installation, &["list"], &["http://127.0.0.1:9 does not answer", "refused"]);
}

#[test]
fn a_configuration_that_would_show_a_token_to_others_is_refused() {
    let vault = Vault::start();
    let installation = ready(&vault);
    for (key, value) in [
        ("address", json!("http://vault.example.com:8200")),
        ("address", json!("https://vault.example.com/v1")),
        ("path", json!("../sys/raw")),
        ("path", json!("a//b")),
        ("mount", json!("secret/data?x")),
        ("token_file", json!(null)),
        ("role_id", json!("both")),
        ("token_file", json!("relative")),
    ] {
        let before = vault.with(|state| state.requests.len());
        installation.change(|config| config["secrets"][key] = value.clone());
        refused(&installation, &["list"], &["secrets.", "mps config check"]);
        assert_eq!(vault.with(|state| state.requests.len()), before, "{key}: {value}");
        installation.change(|config| {
            config["secrets"] = json!({
                "store": "vault", "address": vault.address, "path": "mps/test", "token_file": installation.path("token"),
            });
        });
    }
    installation.run(&["list"]).ok();
}
