//! Whether an address is always open, and a line that loses answers.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Somebody who knocks at an address all the time.
pub struct Knocking {
    is_over: Arc<AtomicBool>,
    knocking: JoinHandle<(u64, u64)>,
}

impl Knocking {
    /// Begins.
    pub fn at(address: &str) -> Self {
        let (is_over, address) = (Arc::new(AtomicBool::new(false)), address.to_owned());
        let over = Arc::clone(&is_over);
        let knocking = thread::spawn(move || {
            let (mut taken, mut refused) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                match TcpStream::connect(&address) {
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
                    _ => taken += 1,
                }
                thread::sleep(Duration::from_millis(2));
            }
            (taken, refused)
        });
        Self { is_over, knocking }
    }

    /// How often somebody was let in, and how often nobody was there.
    pub fn stop(self) -> (u64, u64) {
        self.is_over.store(true, Ordering::Relaxed);
        self.knocking.join().expect("no panic")
    }
}

/// A line to an edge on which the first answer to each of these paths is lost, after the edge has done what was asked.
pub struct Swallowing {
    /// Where it begins.
    pub url: String,
    lost: Arc<AtomicU64>,
}

impl Swallowing {
    /// From a port of its own to that address.
    pub fn start(edge: &str, paths: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (edge, lost) = (edge.to_owned(), Arc::new(AtomicU64::new(0)));
        let mut left: BTreeSet<String> = paths.iter().map(|path| format!("POST {path} ")).collect();
        let count = Arc::clone(&lost);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let is_lost = carry(stream, &edge, &mut left);
                count.fetch_add(u64::from(is_lost), Ordering::Relaxed);
            }
        });
        Self { url, lost }
    }

    /// How many answers were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// One request and its answer, unless that is lost; whoever asks sends one on a connection.
fn carry(mut stream: TcpStream, edge: &str, left: &mut BTreeSet<String>) -> bool {
    let mut upstream = TcpStream::connect(edge).expect("the edge");
    let text = read_request(&mut stream);
    let closing = text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    upstream.write_all(closing.as_bytes()).expect("the edge");
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).expect("an answer");
    let swallowed = left.iter().find(|begin| text.starts_with(begin.as_str())).cloned();
    match &swallowed {
        Some(begin) => drop(left.remove(begin)),
        None => stream.write_all(&answer).expect("whoever asked"),
    }
    let _ = stream.shutdown(Shutdown::Both);
    swallowed.is_some()
}

/// All of it.
pub(crate) fn read_request(stream: &mut TcpStream) -> String {
    let (mut request, mut bytes) = (Vec::new(), [0; 8192]);
    while !is_whole(&request) {
        let length = stream.read(&mut bytes).expect("a request");
        assert!(length > 0, "half a request");
        request.extend(&bytes[..length]);
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
