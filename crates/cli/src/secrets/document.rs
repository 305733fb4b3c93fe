//! What a store holds: each secret with the time it was set, and the one before it while the two overlap.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::value::Secret;

#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Document {
    entries: BTreeMap<String, Entry>,
    /// So that a store is not written for nothing.
    #[serde(skip)]
    is_changed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) value: Secret,
    pub(crate) set_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Previous>,
}

/// The value before, which counts beside the present one until then.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Previous {
    pub(crate) value: Secret,
    pub(crate) until: DateTime<Utc>,
}

impl Entry {
    /// The value before, as long as it counts.
    pub(crate) fn overlap(&self, now: DateTime<Utc>) -> Option<&Previous> {
        self.previous.as_ref().filter(|previous| previous.until > now)
    }
}

impl Document {
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    pub(crate) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// From now on only this value counts, whatever was there.
    pub(crate) fn set(&mut self, name: &str, value: Secret, now: DateTime<Utc>) {
        self.put(name, Entry { value, set_at: now, previous: None });
    }

    /// From now on this value counts, and the one before beside it for as long as they overlap. Answers until when.
    pub(crate) fn rotate(
        &mut self,
        name: &str,
        value: Secret,
        now: DateTime<Utc>,
        overlap: Option<TimeDelta>,
    ) -> Result<Option<DateTime<Utc>>> {
        let before = self.entries.get(name).ok_or_else(|| {
            anyhow!("{name} is not set, so there is nothing to rotate: `mps secrets set {name}`")
        })?;
        // Whoever still has the value before the last would be shut out.
        if let Some(previous) = before.overlap(now) {
            bail!(
                "{name} was rotated already, and the value before counts until {}: wait, or end it with `mps secrets drop-previous {name}`",
                shown(previous.until)
            );
        }
        if before.value == value {
            bail!("the new {name} is the one that it has: nothing was changed");
        }
        let until = overlap.map(|overlap| now + overlap);
        let previous = until.map(|until| Previous { value: before.value.clone(), until });
        self.put(name, Entry { value, set_at: now, previous });
        Ok(until)
    }

    /// Whether there was one.
    pub(crate) fn drop_previous(&mut self, name: &str) -> bool {
        let dropped = self.entries.get_mut(name).and_then(|entry| entry.previous.take()).is_some();
        self.is_changed |= dropped;
        dropped
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let removed = self.entries.remove(name).is_some();
        self.is_changed |= removed;
        removed
    }

    fn put(&mut self, name: &str, entry: Entry) {
        self.entries.insert(name.to_owned(), entry);
        self.is_changed = true;
    }
}

/// As it is written for people: to the second, in UTC.
pub(crate) fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// `90s`, `30m`, `24h`, `7d`; `0` for none.
pub(crate) fn parse_overlap(text: &str) -> Result<TimeDelta, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "" if digits == "0" => 1,
        _ => 0,
    };
    let seconds = digits.parse::<u32>().ok().filter(|_| unit > 0).map(|count| i64::from(count) * unit);
    seconds
        .filter(|seconds| *seconds <= OVERLAP_SECONDS_MAX)
        .map(TimeDelta::seconds)
        .ok_or_else(|| "a number and s, m, h or d, at most 30d: 30m, 24h, 7d; 0 for none".to_owned())
}

/// A value that was replaced and counts for longer has not been replaced.
const OVERLAP_SECONDS_MAX: i64 = 30 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    const HOUR: Option<TimeDelta> = Some(TimeDelta::hours(1));

    #[test]
    fn the_value_before_counts_until_the_overlap_is_over_and_not_a_second_longer() {
        let mut document = Document::default();
        document.set("A", secret("one"), at(0));
        assert_eq!(document.rotate("A", secret("two"), at(10), HOUR).unwrap(), Some(at(3610)));
        let entry = document.get("A").unwrap();
        assert!(entry.value == secret("two") && entry.set_at == at(10));
        assert!(entry.overlap(at(3609)).is_some_and(|previous| previous.value == secret("one")));
        assert!(entry.overlap(at(3610)).is_none());
    }

    #[test]
    fn a_second_rotation_waits_for_the_first_ones_overlap() {
        let mut document = Document::default();
        document.set("A", secret("one"), at(0));
        document.rotate("A", secret("two"), at(0), HOUR).unwrap();
        let refused = document.rotate("A", secret("three"), at(3599), HOUR).unwrap_err().to_string();
        assert!(
            refused.contains("until 1970-01-01T01:00:00Z") && refused.contains("drop-previous"),
            "{refused}"
        );
        assert!(document.get("A").unwrap().value == secret("two"));
        document.rotate("A", secret("three"), at(3600), HOUR).unwrap();
        assert!(document.get("A").unwrap().overlap(at(3601)).unwrap().value == secret("two"));
    }

    #[test]
    fn rotating_to_the_same_value_or_from_nothing_is_refused() {
        let mut document = Document::default();
        assert!(document.rotate("A", secret("one"), at(0), None).is_err());
        document.set("A", secret("one"), at(0));
        assert!(document.rotate("A", secret("one"), at(0), None).is_err());
    }

    #[test]
    fn without_an_overlap_and_when_set_anew_only_the_new_value_counts() {
        let mut document = Document::default();
        document.set("A", secret("one"), at(0));
        assert_eq!(document.rotate("A", secret("two"), at(0), None).unwrap(), None);
        assert!(document.get("A").unwrap().previous.is_none());
        document.rotate("A", secret("three"), at(0), HOUR).unwrap();
        document.set("A", secret("four"), at(1));
        assert!(document.get("A").unwrap().previous.is_none());
    }

    #[test]
    fn what_changes_nothing_is_not_written() {
        let mut document = Document::default();
        assert!(!document.drop_previous("A") && !document.remove("A") && !document.is_changed());
        document.set("A", secret("one"), at(0));
        assert!(document.is_changed());
    }

    #[test]
    fn an_overlap_is_a_number_with_a_unit() {
        for (text, seconds) in
            [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("0", 0), ("0h", 0)]
        {
            assert_eq!(parse_overlap(text), Ok(TimeDelta::seconds(seconds)), "{text}");
        }
        for text in ["", "h", "1", "1y", "-1h", "1.5h", "1h30m", "31d", "99999999999h", "1 h", "一h"] {
            assert!(parse_overlap(text).is_err(), "{text}");
        }
    }
}
