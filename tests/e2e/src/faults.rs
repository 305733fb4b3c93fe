//! Bad lines: they stand between the edge and PostgREST and do to each call what a seeded draw says, or what the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Longer than the edge waits for one attempt.
const SILENCE: Duration = Duration::from_secs(6);
const SLOWNESS: Duration = Duration::from_millis(200);

/// What happens to one call. The names up to `Slow` say that the database never heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection closes before the request was read.
    Refused,
    /// A gateway's page instead of the database's answer.
    Page(u16),
    /// Nobody answers.
    Silent,
    /// The answer comes late.
    Slow,
    /// Done, and the connection closes without a word.
    Swallowed,
    /// Done, and the connection closes in the middle of the answer's head.
    HalfHead,
    /// Done, and the connection closes in the middle of the answer's body.
    HalfBody,
    /// Done, and a gateway answers with its own page.
    DonePage(u16),
    /// Done, and a page comes with status 200.
    Disguised,
    /// Done and answered.
    None,
}

/// One in so many calls is left without an answer: each costs its caller seconds.
const ONE_SILENCE_IN: u64 = 250;

impl Fault {
    fn draw(random: u64) -> Self {
        if random.is_multiple_of(ONE_SILENCE_IN) {
            return Self::Silent;
        }
        match (random / ONE_SILENCE_IN) % 24 {
            0 => Self::Refused,
            1 => Self::Page(500),
            2 => Self::Page(502),
            3 => Self::Page(503),
            4 => Self::Page(504),
            5 => Self::Swallowed,
            6 => Self::HalfHead,
            7 => Self::HalfBody,
            8 => Self::DonePage(502),
            9 => Self::DonePage(504),
            10 => Self::Slow,
            11 => Self::Disguised,
            _ => Self::None,
        }
    }

    fn reaches_the_database(self) -> bool {
        self >= Self::Slow
    }
}

/// The line; it stays for the life of the test.
pub struct BadLine {
    drawn: Arc<Mutex<Vec<Fault>>>,
}

impl BadLine {
    /// From this address to that one.
    pub fn start(address: &str, upstream: &str, seed: u64) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let (upstream, drawn) = (upstream.to_owned(), Arc::new(Mutex::new(Vec::new())));
        let (log, count) = (Arc::clone(&drawn), Arc::new(AtomicU64::new(0)));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let fault = Fault::draw(mix(seed, number));
                log.lock().expect("the list").push(fault);
                let upstream = upstream.clone();
                // A caller that has gone is one of the things that happen.
                thread::spawn(move || carry(stream, &upstream, fault).ok());
            }
        });
        Self { drawn }
    }

    /// What happened so far.
    pub fn drawn(&self) -> Vec<Fault> {
        self.drawn.lock().expect("the list").clone()
    }
}

/// What a line does.
struct Now {
    /// Nothing: calls are done, and their answers kept back.
    fault: Option<Fault>,
    /// After so many calls it is a good line again.
    calls: u32,
}

impl Now {
    fn of_next_call(&mut self) -> Option<Fault> {
        let fault = self.fault;
        self.calls = self.calls.saturating_sub(1);
        if self.calls == 0 {
            self.fault = Some(Fault::None);
        }
        fault
    }
}

/// A line that does to every call what the test says.
pub struct Line {
    /// Where it begins.
    pub url: String,
    fault: Arc<Mutex<Now>>,
    kept_back: Receiver<()>,
}

impl Line {
    /// From a port of its own to that address; a good one at first.
    pub fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (upstream, fault) =
            (upstream.to_owned(), Arc::new(Mutex::new(Now { fault: Some(Fault::None), calls: u32::MAX })));
        let (sender, kept_back) = channel();
        let now = Arc::clone(&fault);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, sender, fault) =
                    (upstream.clone(), sender.clone(), now.lock().expect("a fault").of_next_call());
                thread::spawn(move || match fault {
                    Some(fault) => carry(stream, &upstream, fault).ok(),
                    None => keep_back(stream, &upstream, &sender).ok(),
                });
            }
        });
        Self { url, fault, kept_back }
    }

    /// From now on this happens to every call.
    pub fn suffer(&self, fault: Fault) {
        self.set(Some(fault), u32::MAX);
    }

    /// This happens to so many calls, and nothing to those after them.
    pub fn suffer_for(&self, calls: u32, fault: Fault) {
        self.set(Some(fault), calls);
    }

    /// From now on the database does what it is asked and nobody hears of it.
    pub fn keep_answers_back(&self) {
        self.set(None, u32::MAX);
    }

    fn set(&self, fault: Option<Fault>, calls: u32) {
        *self.fault.lock().expect("a fault") = Now { fault, calls };
    }

    /// Waits until the database has done something that nobody heard of.
    pub fn wait_for_kept_back(&self) {
        self.kept_back.recv_timeout(Duration::from_secs(30)).expect("a call");
    }
}

fn keep_back(mut caller: TcpStream, upstream: &str, done: &Sender<()>) -> std::io::Result<()> {
    let request = read_request(&caller)?;
    ask(upstream, &request)?;
    // The test may be over.
    let _ = done.send(());
    // Until the caller goes.
    caller.read(&mut [0]).map(drop)
}

/// splitmix64: any number from a seed and a place in its sequence.
fn mix(seed: u64, number: u64) -> u64 {
    let mut value = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

fn carry(mut caller: TcpStream, upstream: &str, fault: Fault) -> std::io::Result<()> {
    if fault == Fault::Refused {
        return Ok(());
    }
    let request = read_request(&caller)?;
    let answer = if fault.reaches_the_database() { ask(upstream, &request)? } else { Vec::new() };
    let body_start = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |end| end + 4);
    match fault {
        Fault::Refused | Fault::Swallowed => Ok(()),
        Fault::Silent => {
            thread::sleep(SILENCE);
            Ok(())
        }
        Fault::Page(status) | Fault::DonePage(status) => caller.write_all(&page(status)),
        Fault::Disguised => caller.write_all(&page(200)),
        Fault::HalfHead => caller.write_all(&answer[..body_start / 2]),
        Fault::HalfBody => caller.write_all(&answer[..body_start + (answer.len() - body_start) / 2]),
        Fault::Slow => {
            thread::sleep(SLOWNESS);
            caller.write_all(&answer)
        }
        Fault::None => caller.write_all(&answer),
    }
}

/// One request with a body of a known length, made to end its connection.
fn read_request(caller: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(caller);
    let (mut head, mut line, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let name = line.to_ascii_lowercase();
        if let Some(value) = name.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if !name.starts_with("connection:") {
            head.push_str(&line);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut request = format!("{head}connection: close\r\n\r\n").into_bytes();
    request.extend(body);
    Ok(request)
}

fn ask(upstream: &str, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream)?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn page(status: u16) -> Vec<u8> {
    let body = "<html><body><h1>Something is wrong</h1></body></html>";
    let length = body.len();
    format!("HTTP/1.1 {status} Page\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}
