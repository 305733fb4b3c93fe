//! How the operator's commands speak with a running `mps serve`: a socket in its folder, a line of JSON for each message.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

const NAME: &str = "control.sock";

/// Whoever connects has said what they want by then.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

/// What is wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Order {
    /// Exchange the edges for those of a release, with the configuration and the secrets as they are now.
    Roll {
        /// Where it is; where the edges' own was when left out.
        release: Option<PathBuf>,
        /// How long they are looked at afterwards.
        watch_seconds: u64,
    },
    /// Tell what runs.
    Status,
}

/// What is answered: any number of the first, then one of the others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Word {
    /// How far it is.
    Said { text: String },
    /// It is done.
    Done { status: Status },
    /// It is not, and what holds now is what held before unless this says otherwise.
    Failed { why: String },
}

/// What runs.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) release: PathBuf,
    pub(crate) version: String,
    pub(crate) edges: Vec<EdgeStatus>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EdgeStatus {
    pub(crate) address: String,
    pub(crate) process: u32,
}

/// An order and whoever waits for what becomes of it.
pub(super) struct Asked {
    pub(super) order: Order,
    pub(super) caller: Caller,
}

pub(super) struct Caller(UnixStream);

impl Caller {
    /// Somebody who is gone does not stop what they began.
    pub(super) fn tell(&mut self, word: &Word) {
        if let Ok(mut line) = serde_json::to_string(word) {
            line.push('\n');
            let _ = self.0.write_all(line.as_bytes());
        }
    }
}

/// Takes orders until the program ends, one after the other. Only the owner of the folder can give any.
pub(super) fn listen(state: &Path, asked: Sender<Asked>) -> Result<()> {
    let path = state.join(NAME);
    if UnixStream::connect(&path).is_ok() {
        bail!("another `mps serve` runs with {}", state.display());
    }
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot keep others from {}", path.display()))?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever says nothing keeps nobody else out for longer.
            let Some((order, caller)) = read_order(stream) else { continue };
            if asked.send(Asked { order, caller }).is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn read_order(stream: UnixStream) -> Option<(Order, Caller)> {
    stream.set_read_timeout(Some(ASKED_WITHIN)).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    let mut caller = Caller(stream);
    match serde_json::from_str(&line) {
        Ok(order) => Some((order, caller)),
        Err(error) => {
            caller.tell(&Word::Failed { why: format!("the order was not understood: {error}") });
            None
        }
    }
}

/// Gives an order to whoever serves with that folder, and waits for the end of it.
pub(crate) fn give(state: &Path, order: &Order, mut said: impl FnMut(&str)) -> Result<Status> {
    let path = state.join(NAME);
    let mut stream = UnixStream::connect(&path).with_context(|| {
        format!("no `mps serve` answers at {}: is it running, and is --state right?", path.display())
    })?;
    let mut line = serde_json::to_string(order).context("an order")?;
    line.push('\n');
    stream.write_all(line.as_bytes()).context("`mps serve` takes no orders")?;
    for line in BufReader::new(stream).lines() {
        let line = line.context("`mps serve` went away")?;
        match serde_json::from_str(&line).with_context(|| format!("not understood: {line}"))? {
            Word::Said { text } => said(&text),
            Word::Done { status } => return Ok(status),
            Word::Failed { why } => return Err(anyhow!("{why}")),
        }
    }
    bail!("`mps serve` went away before it was done: look at its log")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn status() -> Status {
        Status { release: "/x".into(), version: "1".to_owned(), edges: Vec::new() }
    }

    #[test]
    fn an_order_is_taken_and_its_progress_and_end_are_told() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (sender, asked) = channel();
        listen(folder.path(), sender)?;
        let worker = thread::spawn(move || {
            for Asked { order, mut caller } in asked.iter().take(2) {
                caller.tell(&Word::Said { text: "half".to_owned() });
                caller.tell(&match order {
                    Order::Status => Word::Done { status: status() },
                    Order::Roll { .. } => Word::Failed { why: "no".to_owned() },
                });
            }
        });
        let mut heard = Vec::new();
        let told = give(folder.path(), &Order::Status, |text| heard.push(text.to_owned()))?;
        assert_eq!((told, heard), (status(), vec!["half".to_owned()]));
        let roll = Order::Roll { release: None, watch_seconds: 1 };
        let refused = give(folder.path(), &roll, |_| ()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some("no"));
        assert!(worker.join().is_ok());
        Ok(())
    }

    #[test]
    fn only_the_owner_gives_orders_and_one_serves_with_a_folder() -> Result<()> {
        let folder = tempfile::tempdir()?;
        listen(folder.path(), channel().0)?;
        let mode = fs::metadata(folder.path().join(NAME))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = listen(folder.path(), channel().0).err().map(|error| error.to_string());
        assert!(second.is_some_and(|text| text.contains("another")));
        Ok(())
    }

    #[test]
    fn what_is_no_order_is_told_so_and_what_died_leaves_no_socket_in_the_way() -> Result<()> {
        let folder = tempfile::tempdir()?;
        drop(UnixListener::bind(folder.path().join(NAME))?);
        listen(folder.path(), channel().0)?;
        let mut stream = UnixStream::connect(folder.path().join(NAME))?;
        stream.write_all(b"{\"do\": \"explode\"}\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        assert!(line.contains("not understood"), "{line}");
        Ok(())
    }
}
