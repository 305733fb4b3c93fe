//! Which crate may know which: read from `cargo metadata`.

use serde_json::Value;

use super::Violation;

/// What a crate may depend on, apart from its tests.
enum Bound {
    /// These and nothing else.
    Only(&'static [&'static str]),
    /// Anything but these.
    Never(&'static [&'static str]),
}

const BOUNDS: &[(&str, Bound)] = &[
    // No I/O, no clock, no randomness: there is nothing here to do it with.
    ("mps-core", Bound::Only(&["hmac", "rust_decimal", "serde", "sha2", "zeroize"])),
    (
        "mps-wasm",
        Bound::Only(&[
            "console_error_panic_hook",
            "getrandom",
            "js-sys",
            "mps-core",
            "mps-drawing",
            "serde",
            "serde-wasm-bindgen",
            "wasm-bindgen",
            "zeroize",
        ]),
    ),
    ("mps-drawing", Bound::Only(&["mps-core", "qrcodegen"])),
    (
        "mps-scanner",
        Bound::Only(&["mps-core", "rqrr", "rxing", "serde", "serde-wasm-bindgen", "wasm-bindgen"]),
    ),
    ("mps-client", Bound::Never(&["worker", "wasm-bindgen", "js-sys", "web-sys", "mps-wasm", "mps-edge"])),
    // The operator's program runs on no page and in no Worker, and knows no rule of the edge.
    ("mps-cli", Bound::Never(&["worker", "wasm-bindgen", "js-sys", "web-sys", "mps-wasm", "mps-edge"])),
    ("mps-edge", Bound::Never(&["mps-wasm", "postgrest", "reqwest", "tokio-postgres", "sqlx"])),
];

pub(super) fn crates_know_what_they_may(metadata: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, bound) in BOUNDS {
        let Some(package) = list(metadata, "packages").iter().find(|package| text(package, "name") == *name)
        else {
            found.push(violation(name, "is no crate of the workspace; tidy holds bounds for it"));
            continue;
        };
        for dependency in
            list(package, "dependencies").iter().filter(|dependency| text(dependency, "kind") != "dev")
        {
            let known = text(dependency, "name");
            let allowed = match bound {
                Bound::Only(names) => names.contains(&known),
                Bound::Never(names) => !names.contains(&known),
            };
            if !allowed {
                found.push(violation(name, &format!("may not know {known}")));
            }
        }
    }
    found
}

fn violation(package: &str, what: &str) -> Violation {
    Violation { path: package.to_owned(), line: 0, what: what.to_owned() }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::crates_know_what_they_may;

    fn workspace(package: &str, dependency: &str, kind: &Value) -> Value {
        let packages: Vec<Value> =
            ["mps-core", "mps-wasm", "mps-drawing", "mps-scanner", "mps-client", "mps-cli", "mps-edge"]
                .iter()
                .map(|name| {
                    let dependencies = if *name == package {
                        json!([{"name": dependency, "kind": kind}])
                    } else {
                        json!([])
                    };
                    json!({"name": name, "dependencies": dependencies})
                })
                .collect();
        json!({"packages": packages})
    }

    #[test]
    fn a_crate_that_knows_too_much_is_found() {
        for (package, dependency) in [
            ("mps-core", "getrandom"),
            ("mps-core", "chrono"),
            ("mps-wasm", "mps-client"),
            ("mps-wasm", "reqwest"),
            ("mps-client", "worker"),
            ("mps-client", "wasm-bindgen"),
            ("mps-cli", "mps-edge"),
            ("mps-edge", "mps-wasm"),
        ] {
            let found = crates_know_what_they_may(&workspace(package, dependency, &Value::Null));
            assert_eq!(found.len(), 1, "{package} knows {dependency}");
        }
    }

    #[test]
    fn what_a_crate_may_know_and_what_its_tests_use_is_right() {
        assert_eq!(crates_know_what_they_may(&workspace("mps-core", "sha2", &Value::Null)), []);
        assert_eq!(crates_know_what_they_may(&workspace("mps-core", "proptest", &json!("dev"))), []);
    }

    #[test]
    fn a_bound_for_a_crate_that_is_gone_is_found() {
        assert_eq!(crates_know_what_they_may(&json!({"packages": []})).len(), 7);
    }
}
