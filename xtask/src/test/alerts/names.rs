//! Which metrics an expression of Prometheus asks for.

use std::collections::BTreeSet;

/// Words that stand where a name could, without a parenthesis behind them.
const WORDS: &[&str] = &[
    "and",
    "avg",
    "bool",
    "by",
    "count",
    "group_left",
    "group_right",
    "ignoring",
    "max",
    "min",
    "offset",
    "on",
    "or",
    "sum",
    "unless",
    "without",
];

/// Words whose parentheses hold labels.
const OF_LABELS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Every name in it that is no function, no label and no word of the language.
pub(super) fn names(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = expression;
    let mut last = "";
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' => end_of(rest, '}'),
            '[' => end_of(rest, ']'),
            '(' if OF_LABELS.contains(&last) => end_of(rest, ')'),
            _ if is_of_a_name(first) => {
                rest.find(|character: char| !is_of_a_name(character)).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let is_word = token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if is_word && !WORDS.contains(&token) && !after.trim_start().starts_with('(') {
            found.insert(token.to_owned());
        }
        if !token.trim().is_empty() {
            last = token;
        }
        rest = after;
    }
    found
}

/// How much of it belongs to what it begins with; a bracket between quotes is none.
fn end_of(text: &str, end: char) -> usize {
    let mut is_quoted = false;
    for (at, character) in text.char_indices() {
        if character == '"' {
            is_quoted = !is_quoted;
        } else if character == end && !is_quoted {
            return at + 1;
        }
    }
    text.len()
}

fn is_of_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_:".contains(character)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_found_and_neither_functions_nor_labels_nor_words_nor_times() {
        let found = |expression| names(expression).into_iter().collect::<Vec<_>>();
        assert_eq!(found("up == 0"), ["up"]);
        assert_eq!(found("sum by (le, x) (rate(a_bucket{b=~\"c}d\"}[5m])) > 1e3"), ["a_bucket"]);
        assert_eq!(found("a:b:c / on (instance) group_left (d) max(e offset 1h)"), ["a:b:c", "e"]);
        assert_eq!(found("max_over_time(count(f)[6h:5m]) or vector(0) unless on () g"), ["f", "g"]);
        assert_eq!(found("vector(60)"), [""; 0]);
    }
}
