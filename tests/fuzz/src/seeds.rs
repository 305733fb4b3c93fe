//! Seeds as text: a line each, bytes that no line can show escaped.

/// The seeds of a file: `\n`, `\r`, `\t`, `\\` and `\xNN` stand for a byte, everything else for itself. Empty lines and lines
/// that begin with `#` are for people.
///
/// # Panics
/// When a line has another escape: the file is ours.
pub fn parse(file: &str) -> Vec<Vec<u8>> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(unescape).collect()
}

fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.unwrap_or_else(|| panic!("{line}: two hexadecimal digits follow \\x"))
            }
            _ => panic!("{line}: no such escape"),
        });
    }
    bytes
}

/// The line of a seed.
pub fn line(seed: &[u8]) -> String {
    let mut line = String::with_capacity(seed.len());
    for (place, byte) in seed.iter().enumerate() {
        match byte {
            b'\\' => line.push_str("\\\\"),
            b'#' if place == 0 => line.push_str("\\x23"),
            b' '..=b'~' => line.push(char::from(*byte)),
            _ => line.extend(["\\x".to_owned(), format!("{byte:02x}")]),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_back_from_its_line() {
        let every: Vec<u8> = (0..=u8::MAX).collect();
        for seed in [every.as_slice(), b"#1", b"\\x", b"a\nb"] {
            assert_eq!(parse(&line(seed)), [seed.to_vec()]);
        }
        assert_eq!(parse("# for people\n\na\\tb\n"), [b"a\tb".to_vec()]);
    }
}
