//! Rules about Rust sources.

use super::{Source, Violation, is_generated};

const EDGE_ENTRY: &str = "edge/src/lib.rs";
const EDGE_ENTRY_LINES_MAX: usize = 60;

/// Where the edge may name its host: its entry, its platform, its durable objects.
const EDGE_BORDER: &[&str] =
    &[EDGE_ENTRY, "edge/src/platform.rs", "edge/src/platform/", "edge/src/durable.rs", "edge/src/durable/"];

/// How a statement begins inside a string.
const STATEMENTS: &[&str] =
    &["select ", "insert into ", "update ", "delete from ", "create ", "alter ", "with "];

/// Fields that hold what may not be printed. A type of its own (`Secret`, `AccessToken`) takes care of it; text and bytes do not.
const SECRET_FIELDS: &[&str] = &[
    "access_token",
    "api_key",
    "binding_password",
    "device_key",
    "jwt_secret",
    "master_key",
    "otp",
    "password",
    "private_key",
    "qr_plain",
    "secret",
    "secret_key",
    "token",
];

pub(super) fn modules_say_what_lives_in_them(sources: &[Source]) -> Vec<Violation> {
    let silent = |source: &&Source| {
        let mut lines = source.text.lines().filter(|line| !line.trim().is_empty());
        let first = if is_generated(source) { lines.nth(1) } else { lines.next() };
        !first.is_some_and(|line| line.starts_with("//! "))
    };
    let found = rust(sources).filter(silent);
    found.map(|source| Violation::of(source, "does not open with a `//!` line")).collect()
}

pub(super) fn no_mod_rs(sources: &[Source]) -> Vec<Violation> {
    let found = rust(sources).filter(|source| source.path.ends_with("/mod.rs"));
    found.map(|source| Violation::of(source, "write `name.rs` beside the folder `name/`")).collect()
}

pub(super) fn the_edge_entry_is_short(sources: &[Source]) -> Vec<Violation> {
    let found = sources.iter().filter(|source| source.path == EDGE_ENTRY);
    found
        .filter(|source| source.text.lines().count() > EDGE_ENTRY_LINES_MAX)
        .map(|source| Violation::of(source, format!("has {} lines", source.text.lines().count())))
        .collect()
}

pub(super) fn worker_only_at_the_border(sources: &[Source]) -> Vec<Violation> {
    let inside = |source: &&Source| {
        source.path.starts_with("edge/src/")
            && !EDGE_BORDER.iter().any(|border| source.path.starts_with(border))
    };
    lines_of(sources, inside, |code| {
        let names_it = code.match_indices("worker::").any(|(at, _)| !code[..at].ends_with(is_name));
        names_it.then(|| "the host is named outside lib.rs, platform.rs and durable objects".to_owned())
    })
}

pub(super) fn secrets_are_not_printed(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    let ours = |source: &&Source| source.path.starts_with("crates/") || source.path.starts_with("edge/src/");
    for source in rust(sources).filter(ours) {
        // Whether the type that is being read derives it; `rpc!` does for each of its calls.
        let mut is_printed = false;
        for (index, line) in source.text.lines().enumerate() {
            let code = line.trim();
            match code {
                "rpc! {" => is_printed = true,
                _ if code.starts_with("#[derive(") => is_printed = code.contains("Debug"),
                "}" => is_printed = false,
                _ => {}
            }
            let Some((name, kind)) = code.split_once(": ") else { continue };
            let name = name.rsplit(' ').next().unwrap_or_default();
            let is_plain = ["String", "str", "u8"].iter().any(|plain| kind.contains(plain));
            if is_printed && is_plain && SECRET_FIELDS.contains(&name) {
                found.push(Violation::at(source, index + 1, format!("`{name}` would be printed by Debug")));
            }
        }
    }
    found
}

pub(super) fn no_sql_text(sources: &[Source]) -> Vec<Violation> {
    let inside = |source: &&Source| {
        source.path.starts_with("edge/src/") || source.path.starts_with("crates/client/src/")
    };
    lines_of(sources, inside, |code| {
        let lower = code.to_lowercase();
        let begins = |text: &str| {
            let text = text.trim_start_matches(['"', '#']).trim_start();
            // English words begin strings too; a statement goes on with another word of SQL.
            STATEMENTS.iter().any(|start| text.starts_with(start))
                && [" from ", " into ", " set ", " table ", " function ", " as ("]
                    .iter()
                    .any(|word| text.contains(word))
        };
        let found = lower.match_indices('"').any(|(at, _)| begins(&lower[at..]));
        found.then(|| "SQL belongs in a migration, behind an RPC".to_owned())
    })
}

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.extension() == "rs")
}

/// Applies a check to every line of code; comments are left out.
fn lines_of(
    sources: &[Source],
    inside: impl Fn(&&Source) -> bool,
    check: impl Fn(&str) -> Option<String>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in rust(sources).filter(inside) {
        for (index, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            found.extend(check(line).map(|what| Violation::at(source, index + 1, what)));
        }
    }
    found
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == ':'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source;

    #[test]
    fn a_module_without_a_line_about_itself_is_found() {
        assert_eq!(modules_say_what_lives_in_them(&[source("a.rs", "use b;\n")]).len(), 1);
        assert_eq!(modules_say_what_lives_in_them(&[source("a.rs", "")]).len(), 1);
        assert_eq!(modules_say_what_lives_in_them(&[source("a.rs", "//! Says.\nuse b;\n")]), []);
        assert_eq!(modules_say_what_lives_in_them(&[source("a.rs", "// Generated by `x`\n//! Says.\n")]), []);
    }

    #[test]
    fn a_mod_rs_is_found() {
        assert_eq!(no_mod_rs(&[source("edge/src/routes/mod.rs", "//! x")]).len(), 1);
        assert_eq!(no_mod_rs(&[source("edge/src/routes.rs", "//! x")]), []);
    }

    #[test]
    fn a_long_edge_entry_is_found() {
        assert_eq!(the_edge_entry_is_short(&[source(EDGE_ENTRY, &"x\n".repeat(61))]).len(), 1);
        assert_eq!(the_edge_entry_is_short(&[source(EDGE_ENTRY, &"x\n".repeat(60))]), []);
    }

    #[test]
    fn the_host_named_in_a_handler_is_found() {
        let line = "//! x\nuse worker::Env;\n";
        assert_eq!(worker_only_at_the_border(&[source("edge/src/routes/codes.rs", line)])[0].line, 2);
        assert_eq!(worker_only_at_the_border(&[source("edge/src/platform.rs", line)]), []);
        assert_eq!(
            worker_only_at_the_border(&[source("edge/src/app.rs", "// worker::Env\nco_worker::x")]),
            []
        );
    }

    #[test]
    fn a_secret_in_a_type_that_prints_itself_is_found() {
        let found = |text: &str| secrets_are_not_printed(&[source("edge/src/routes/codes.rs", text)]).len();
        assert_eq!(found("#[derive(Clone, Debug)]\nstruct A {\n    pub(crate) qr_plain: String,\n}\n"), 1);
        assert_eq!(found("rpc! {\n    A = \"a\" {\n        password: Option<String>,\n    }\n}\n"), 1);
        assert_eq!(found("#[derive(Clone)]\nstruct A {\n    qr_plain: String,\n}\n"), 0);
        assert_eq!(found("rpc! {\n    A = \"a\" {\n        password: Option<Secret>,\n    }\n}\n"), 0);
        assert_eq!(found("#[derive(Debug)]\nstruct A(u8);\n\n}\nfn a(token: &str) {}\n"), 0);
    }

    #[test]
    fn sql_in_the_client_is_found() {
        let found =
            no_sql_text(&[source("crates/client/src/rpc.rs", "let q = \"SELECT balance FROM app.cards\";")]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            no_sql_text(&[source("edge/src/a.rs", "r#\"update app.cards set balance = 0\"#")]).len(),
            1
        );
        assert_eq!(no_sql_text(&[source("edge/src/a.rs", "\"select a card\" // \"with care\"")]), []);
    }
}
