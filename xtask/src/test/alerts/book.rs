//! The rules, their cases, their pages, and the names that there are to ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{FOLDER, case_files, names};
use crate::files;
use crate::repository::Repository;

const PAGE: &str = "docs/operations/alerts.md";
const RUNBOOK: &str = "{{ $externalLabels.docs }}/operations/alerts.md#";
/// What each section tells, in this order.
const PARTS: [&str; 5] = ["**Means.**", "**Customers.**", "**Look.**", "**Do.**", "**Over.**"];
/// Prometheus' own.
const ALWAYS: [&str; 1] = ["up"];

/// All of it.
pub(super) struct Book {
    alerts: Vec<Rule>,
    recorded: Vec<Rule>,
    /// Of each alert: in how many cases it fires, and in how many it does not.
    cases: BTreeMap<String, (usize, usize)>,
    /// The page's sections, each with its text.
    sections: Vec<(String, String)>,
    /// Every name in a committed list.
    known: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rule {
    alert: String,
    record: String,
    expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Cases {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    exp_alerts: Vec<serde_json::Value>,
}

impl Book {
    pub(super) fn read(repository: &Repository) -> Result<Self> {
        let text = |name: &str| {
            fs::read_to_string(repository.join(name)).with_context(|| format!("cannot read {name}"))
        };
        let rules: Rules = parse(&text(&format!("{FOLDER}/rules/mps.yml"))?)?;
        let rules = rules.groups.into_iter().flat_map(|group| group.rules);
        let (alerts, recorded) = rules.partition(|rule| rule.record.is_empty());
        let mut cases: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for file in case_files(repository)? {
            let text =
                fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let all: Cases = parse(&text).with_context(|| file.display().to_string())?;
            for expected in all.tests.into_iter().flat_map(|case| case.alert_rule_test) {
                let count = cases.entry(expected.alertname).or_default();
                if expected.exp_alerts.is_empty() {
                    count.1 += 1;
                } else {
                    count.0 += 1;
                }
            }
        }
        let mut known = BTreeSet::new();
        for file in files::walk(&repository.join(&format!("{FOLDER}/metrics")))? {
            let list =
                fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            known.extend(list.lines().filter(|line| !line.starts_with('#')).flat_map(names_of));
        }
        Ok(Self { alerts, recorded, cases, sections: sections(&text(PAGE)?), known })
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|error| anyhow!("{error}"))
}

/// A line of a list is a name, its kind, and its labels.
fn names_of(line: &str) -> Vec<String> {
    let mut words = line.split(' ');
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let ends: &[&str] = match kind {
        "histogram" => &["_bucket", "_sum", "_count"],
        "summary" => &["", "_sum", "_count"],
        _ => &[""],
    };
    ends.iter().map(|end| format!("{name}{end}")).collect()
}

/// What stands under each heading of the second order.
fn sections(page: &str) -> Vec<(String, String)> {
    let parts = page.split("\n## ").skip(1);
    let section = |part: &str| {
        let (heading, text) = part.split_once('\n').unwrap_or((part, ""));
        (heading.trim().to_owned(), text.to_owned())
    };
    parts.map(section).collect()
}

/// Finds what breaks a rule.
type Find = fn(&Book) -> Vec<String>;

/// What holds for every alert.
pub(super) const RULES: &[(&str, Find)] = &[
    ("every alert has a severity, a summary, a description with numbers and its page's address", unsaid),
    ("every alert fires in a case and is silent in one", untested),
    ("every alert has a section, and every section an alert", without_a_page),
    (
        "every section says what it means, what customers notice, where to look, what to do, and when it is over",
        half,
    ),
    ("every metric that a rule asks for is known", unknown),
];

fn unsaid(book: &Book) -> Vec<String> {
    let lacks = |rule: &Rule| {
        let said = |name: &str| rule.annotations.get(name).map_or("", String::as_str);
        let is_urgent = matches!(rule.labels.get("severity").map(String::as_str), Some("page" | "ticket"));
        let has_numbers = said("description").contains("{{ $value") || says_how_long(said("description"));
        let all = [
            (is_urgent, "severity"),
            (!said("summary").is_empty(), "summary"),
            (has_numbers, "description with numbers"),
            (said("runbook_url") == format!("{RUNBOOK}{}", rule.alert.to_lowercase()), "runbook_url"),
        ];
        let lacking = all.into_iter().filter(|(has, _)| !has);
        lacking.map(|(_, what)| format!("{}: {what}", rule.alert)).collect::<Vec<_>>()
    };
    book.alerts.iter().flat_map(lacks).collect()
}

/// Of what is away there is nothing else to tell.
fn says_how_long(text: &str) -> bool {
    ["a minute", "five minutes", "ten minutes"].iter().any(|time| text.contains(time))
}

fn untested(book: &Book) -> Vec<String> {
    let lacks = |rule: &Rule| {
        let (firing, silent) = book.cases.get(&rule.alert).copied().unwrap_or_default();
        (firing == 0 || silent == 0).then(|| format!("{}: {firing} firing, {silent} silent", rule.alert))
    };
    let mut found: Vec<String> = book.alerts.iter().filter_map(lacks).collect();
    let alerts = alerts(book);
    found.extend(book.cases.keys().filter(|name| !alerts.contains(name.as_str())).cloned());
    found
}

fn alerts(book: &Book) -> BTreeSet<&str> {
    book.alerts.iter().map(|rule| rule.alert.as_str()).collect()
}

fn without_a_page(book: &Book) -> Vec<String> {
    let alerts = alerts(book);
    let sections: BTreeSet<&str> = book.sections.iter().map(|(heading, _)| heading.as_str()).collect();
    alerts.symmetric_difference(&sections).map(|name| (*name).to_owned()).collect()
}

fn half(book: &Book) -> Vec<String> {
    let lacks = |(heading, text): &(String, String)| {
        let mut rest = text.as_str();
        for part in PARTS {
            let Some((_, after)) = rest.split_once(part) else {
                return Some(format!("{heading}: {part}"));
            };
            rest = after;
        }
        None
    };
    book.sections.iter().filter_map(lacks).collect()
}

fn unknown(book: &Book) -> Vec<String> {
    let recorded: BTreeSet<&str> = book.recorded.iter().map(|rule| rule.record.as_str()).collect();
    let is_known =
        |name: &str| book.known.contains(name) || recorded.contains(name) || ALWAYS.contains(&name);
    let of = |rule: &Rule| {
        let names = names::names(&rule.expr).into_iter().filter(|name| !is_known(name));
        names.map(|name| format!("{}{}: {name}", rule.alert, rule.record)).collect::<Vec<_>>()
    };
    book.alerts.iter().chain(&book.recorded).flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Book, PARTS, Rule, half, names_of, sections, unknown, unsaid, untested, without_a_page};

    fn rule(alert: &str, expr: &str) -> Rule {
        let texts = |all: &[(&str, &str)]| {
            all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let url = format!("{}{}", super::RUNBOOK, alert.to_lowercase());
        Rule {
            alert: alert.to_owned(),
            expr: expr.to_owned(),
            labels: texts(&[("severity", "page")]),
            annotations: texts(&[("summary", "s"), ("description", "{{ $value }}"), ("runbook_url", &url)]),
            ..Rule::default()
        }
    }

    fn whole() -> Book {
        Book {
            alerts: vec![rule("A", "up + known")],
            recorded: Vec::new(),
            cases: BTreeMap::from([("A".to_owned(), (1, 1))]),
            sections: sections(&format!("# All\n\n## A\n\n{}\n", PARTS.join(" x\n"))),
            known: BTreeSet::from(["known".to_owned()]),
        }
    }

    #[test]
    fn a_whole_book_breaks_no_rule() {
        for (rule, find) in super::RULES {
            assert_eq!(find(&whole()), Vec::<String>::new(), "{rule}");
        }
    }

    #[test]
    fn what_an_alert_lacks_is_found() {
        for lacking in ["summary", "description", "runbook_url"] {
            let mut book = whole();
            book.alerts[0].annotations.remove(lacking);
            assert_eq!(unsaid(&book).len(), 1, "{lacking}");
        }
        let mut book = whole();
        book.alerts[0].labels.insert("severity".to_owned(), "critical".to_owned());
        assert_eq!(unsaid(&book), ["A: severity"]);
    }

    #[test]
    fn an_alert_that_is_never_silent_or_never_fires_is_found() {
        for count in [(0, 1), (1, 0)] {
            let mut book = whole();
            book.cases.insert("A".to_owned(), count);
            assert_eq!(untested(&book).len(), 1);
        }
        let mut book = whole();
        book.cases.insert("B".to_owned(), (1, 1));
        assert_eq!(untested(&book), ["B"]);
    }

    #[test]
    fn an_alert_without_a_section_is_found_and_a_section_without_an_alert() {
        let mut book = whole();
        book.alerts.push(rule("B", "up"));
        assert_eq!(without_a_page(&book), ["B"]);
        book.alerts.clear();
        assert_eq!(without_a_page(&book), ["A"]);
    }

    #[test]
    fn half_a_section_is_found() {
        let mut book = whole();
        book.sections[0].1 = book.sections[0].1.replace("**Do.**", "");
        assert_eq!(half(&book), ["A: **Do.**"]);
    }

    #[test]
    fn a_name_that_nobody_knows_is_found() {
        let mut book = whole();
        book.alerts.push(rule("B", "knwon > 0"));
        assert_eq!(unknown(&book), ["B: knwon"]);
        assert_eq!(names_of("a histogram le"), ["a_bucket", "a_sum", "a_count"]);
        assert_eq!(names_of("a counter"), ["a"]);
    }
}
