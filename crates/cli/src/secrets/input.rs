//! How a value comes in: by a file, by standard input, or typed and not shown. Never by the command line, which the shell's history and
//! the list of processes keep.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::value::Secret;

/// No secret is as long.
const BYTES_MAX: u64 = 1 << 16;

/// The value of `name`, without the line end behind it.
pub(crate) fn read(name: &str, file: Option<&Path>) -> Result<Secret> {
    let text = match file {
        Some(path) => {
            let cannot = || format!("cannot read {}", path.display());
            read_whole(File::open(path).with_context(cannot)?).with_context(cannot)?
        }
        None if io::stdin().is_terminal() => prompt(name).context("cannot read from the terminal")?,
        None => read_whole(io::stdin().lock()).context("cannot read the standard input")?,
    };
    if text.len() as u64 > BYTES_MAX {
        bail!("it has more than {BYTES_MAX} bytes");
    }
    let Ok(text) = std::str::from_utf8(&text) else { bail!("it is no UTF-8") };
    // A PEM ends with its line; of anything else a space may be a part.
    let value = if text.starts_with("-----") { text.trim_end() } else { without_line_end(text) };
    if value.is_empty() {
        bail!("it is empty: nothing was changed");
    }
    Ok(Secret::new(value.to_owned()))
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn read_whole(reader: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(BYTES_MAX).unwrap_or_default() + 1));
    reader.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One line; of a PEM all of them.
fn prompt(name: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let _hidden = Hidden::begin()?;
    // After the echo is off: what is typed or pasted at once is not shown either.
    eprint!("{name} (not shown): ");
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(BYTES_MAX).unwrap_or_default() + 1));
    let mut input = io::stdin().lock().take(BYTES_MAX + 1);
    loop {
        let begun = bytes.len();
        let is_over = input.read_until(b'\n', &mut bytes)? == 0;
        let is_pem = bytes.starts_with(b"-----BEGIN") && !bytes[begun..].starts_with(b"-----END");
        if is_over || !is_pem {
            break;
        }
    }
    eprintln!();
    Ok(bytes)
}

/// The terminal shows nothing of what is typed while this lives.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
