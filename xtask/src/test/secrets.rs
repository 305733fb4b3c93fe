//! What no log of an edge may hold after all tests have run: the secrets that they used, and whatever looks like one.

use std::fs;
use std::path::{Path, PathBuf};

use anstream::println;
use anyhow::{Context, Result, bail};

use super::tally::Tally;

/// Fewer mean that the tests no longer keep them.
const KEPT_MIN: usize = 100;

/// The start of a token, of a key, of a header with one.
const PIECES: &[&str] = &["eyJ", "sb_secret_", "sb_publishable_", "Bearer "];

/// As long as a payment code.
const CODE_DIGITS: usize = 24;
/// `+` and as many: a phone.
const PHONE_DIGITS_MIN: usize = 8;

/// A secret and the test that used it.
type Kept = (String, String);

/// Looks for the secrets of the file, one JSON pair of test and secret a line, in each of the logs. What is found is told by its test
/// and its line, never by itself.
pub(super) fn check(kept: &Path, logs: &[PathBuf]) -> Result<Tally> {
    let text = fs::read_to_string(kept).context("the tests kept no secrets")?;
    let kept: Vec<Kept> =
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("a line is no secret")?;
    if kept.len() < KEPT_MIN {
        bail!("the tests kept {} secrets, at least {KEPT_MIN} were expected", kept.len());
    }
    let mut total = Tally::default();
    for path in logs {
        let log = fs::read_to_string(path).with_context(|| format!("no log at {}", path.display()))?;
        let found = told(&kept, &log);
        for what in &found {
            println!("{}: {what}", path.display());
        }
        total += Tally::of(found.is_empty() && !log.is_empty());
    }
    println!("{} secrets of the tests are in none of {} logs, or named above", kept.len(), logs.len());
    Ok(total)
}

fn told(kept: &[Kept], log: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in log.lines().enumerate() {
        let tests = kept.iter().filter(|(_, secret)| line.contains(secret.as_str()));
        found.extend(tests.map(|(test, _)| format!("line {}: a secret of {test}", index + 1)));
        if PIECES.iter().any(|piece| line.contains(piece))
            || has_code(line)
            || has_phone(line)
            || has_email(line)
        {
            found.push(format!("line {}: it looks like a secret", index + 1));
        }
    }
    found
}

fn has_code(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() == CODE_DIGITS)
}

fn has_phone(line: &str) -> bool {
    line.split('+')
        .skip(1)
        .any(|rest| rest.bytes().take_while(u8::is_ascii_digit).count() >= PHONE_DIGITS_MIN)
}

/// A domain after the `@`; workerd writes its own addresses of code as `workerd@26b6840`.
fn has_email(line: &str) -> bool {
    line.split('@').skip(1).any(|rest| {
        let domain = rest.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-')).next();
        domain.is_some_and(|domain| domain.trim_end_matches('.').contains('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"time":"2026-11-23T14:47:32.123Z","level":"info","request_id":"till-1","route":"/api/qr/rotate","status":200,"tx_no":"PAY0000000001"}"#;

    fn run(kept: usize, logs: &[&str]) -> Result<Tally> {
        let folder = tempfile::tempdir()?;
        let secrets: Vec<_> = (0..kept).map(|number| format!("[\"a test\",\"secret-{number}-\"]")).collect();
        let file = folder.path().join("secrets");
        fs::write(&file, secrets.join("\n"))?;
        let mut paths = Vec::new();
        for (index, log) in logs.iter().enumerate() {
            paths.push(folder.path().join(format!("{index}.log")));
            fs::write(&paths[index], log)?;
        }
        check(&file, &paths)
    }

    #[test]
    fn a_log_without_secrets_passes() -> Result<()> {
        assert_eq!(run(100, &[LINE, LINE])?, Tally { passed: 2, failed: 0 });
        Ok(())
    }

    #[test]
    fn a_secret_of_any_test_in_any_log_is_found() -> Result<()> {
        let log = format!("{LINE}\n{LINE} secret-99-\n");
        assert_eq!(run(100, &[LINE, &log])?, Tally { passed: 1, failed: 1 });
        let kept = [("a test".to_owned(), "secret-99-".to_owned())];
        assert_eq!(told(&kept, &log), ["line 2: a secret of a test"]);
        Ok(())
    }

    #[test]
    fn what_looks_like_a_secret_is_found_though_nobody_kept_it() {
        for text in [
            "eyJhbGciOiJIUzI1NiJ9",
            "sb_secret_x",
            "sb_publishable_x",
            "Bearer x",
            "ming@demo.example",
            "701234567890123456789017",
            "+886912345678",
        ] {
            assert_eq!(told(&[], &format!("{LINE} {text}")).len(), 1, "{text}");
        }
        assert!(told(&[], LINE).is_empty());
        assert!(told(&[], "stack: ../bin/workerd@26b6840 ../bin/workerd@3739630").is_empty());
    }

    #[test]
    fn a_run_that_kept_nothing_or_logged_nothing_is_no_success() -> Result<()> {
        assert!(run(99, &[LINE]).is_err());
        assert_eq!(run(100, &[""])?, Tally { passed: 0, failed: 1 });
        Ok(())
    }
}
