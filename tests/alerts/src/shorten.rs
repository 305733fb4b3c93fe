//! Rules as they are committed, with a minute of theirs in a second.

use std::fmt::Write as _;

/// Every time in the text (`5m`, `26h`, `1d`) by a sixtieth of it; names that end like one stay.
pub fn shortened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        out += before;
        let length = from.find(|character: char| !character.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(length);
        let is_alone = !out.ends_with(|last: char| last.is_alphanumeric() || "_.".contains(last));
        let millis = is_alone.then(|| unit_of(after)).flatten().and_then(|unit| {
            let number: u64 = digits.parse().ok()?;
            Some(number * unit)
        });
        if let Some(millis) = millis {
            let _ = write!(out, "{millis}ms");
            rest = &after[1..];
        } else {
            out += digits;
            rest = after;
        }
    }
    out + rest
}

/// Milliseconds in a sixtieth of the unit that the text begins with.
fn unit_of(text: &str) -> Option<u64> {
    let mut characters = text.chars();
    let millis = match characters.next()? {
        'm' => 1_000,
        'h' => 60_000,
        'd' => 1_440_000,
        _ => return None,
    };
    characters.next().is_none_or(|next| !next.is_alphanumeric()).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn times_are_shortened_and_nothing_else_is() {
        assert_eq!(shortened("for: 2m\n"), "for: 2000ms\n");
        assert_eq!(shortened("x[10m] offset 3h"), "x[10000ms] offset 180000ms");
        assert_eq!(shortened("(y)[6h:5m]"), "(y)[360000ms:5000ms]");
        for same in
            ["mps:rate5m > 0.05", "p95_5m >= 3600", "increase1h", "status=~\"5..\"", "a minute", "30 %"]
        {
            assert_eq!(shortened(same), same);
        }
    }
}
