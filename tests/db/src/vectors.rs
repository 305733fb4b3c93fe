//! The vectors of spec/vectors, which every language is held against.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The cases of one group of a file; never none.
///
/// # Errors
/// When the file does not read or has no such group.
pub fn cases(file: &str, group: &str) -> Result<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(file);
    let json = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let vectors: Value = serde_json::from_str(&json)?;
    let cases = vectors.get(group).and_then(Value::as_array).cloned().unwrap_or_default();
    ensure!(!cases.is_empty(), "{file} has no cases {group}");
    Ok(cases)
}

/// The groups of a file: a new one needs a test.
///
/// # Errors
/// When the file does not read.
pub fn groups(file: &str) -> Result<BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(file);
    let vectors: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let members = vectors.as_object().context("no object")?;
    Ok(members.iter().filter(|(_, cases)| cases.is_array()).map(|(group, _)| group.clone()).collect())
}

/// Every file of vectors: a new one needs a test.
///
/// # Errors
/// When the folder does not read.
pub fn files() -> Result<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// A member of a case that is text.
///
/// # Errors
/// When it is missing.
pub fn text<'a>(case: &'a Value, member: &str) -> Result<&'a str> {
    case.get(member).and_then(Value::as_str).with_context(|| format!("{case} has no {member}"))
}
