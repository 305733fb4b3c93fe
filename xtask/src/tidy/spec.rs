//! Rules about spec/.

use toml::{Table, Value};

use super::{Source, Violation};

const LIMITS: &str = "spec/limits.toml";

pub(super) fn schema_version_is_the_newest_migration(sources: &[Source]) -> Vec<Violation> {
    let prefix = |source: &Source| -> Option<String> {
        let name = source.path.strip_prefix("supabase/migrations/")?.strip_suffix(".sql")?;
        Some(name.split('_').next().unwrap_or(name).to_owned())
    };
    let Some(limits) = sources.iter().find(|source| source.path == LIMITS) else { return Vec::new() };
    let table: Table = limits.text.parse().unwrap_or_default();
    let version = table.get("schema").and_then(|schema| schema.get("version")).and_then(Value::as_str);
    let newest = sources.iter().filter_map(prefix).max();
    if version == newest.as_deref() {
        return Vec::new();
    }
    let what = format!(
        "schema.version is {}, the newest migration is {}",
        version.unwrap_or("missing"),
        newest.as_deref().unwrap_or("missing")
    );
    vec![Violation::of(limits, what)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source;

    #[test]
    fn a_stale_schema_version_is_found() {
        let limits = |version: &str| source(LIMITS, &format!("[schema]\nversion = \"{version}\"\n"));
        let migrations =
            |names: [&str; 2]| names.map(|name| source(&format!("supabase/migrations/{name}"), ""));
        let [first, second] = migrations(["20260101000000_a.sql", "20260201000000_b.sql"]);
        assert_eq!(
            schema_version_is_the_newest_migration(&[limits("20260101000000"), first, second]).len(),
            1
        );
        let [first, second] = migrations(["20260101000000_a.sql", "20260201000000_b.sql"]);
        assert_eq!(schema_version_is_the_newest_migration(&[limits("20260201000000"), first, second]), []);
    }
}
