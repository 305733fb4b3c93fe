//! A PostgREST that the test plays: it holds each call until the test answers it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

/// How long a call, or another test's end, is waited for.
const WAIT_MAX: Duration = Duration::from_secs(100);
const PIECE_BYTES: usize = 16 * 1024;

/// The calls that arrive.
pub struct Upstream {
    /// Its address.
    pub url: String,
    calls: Receiver<(String, HeldCall)>,
}

/// A call without an answer yet.
pub struct HeldCall {
    caller: TcpStream,
    request: Vec<u8>,
}

/// A call that its caller has given up, on its way still.
pub struct LateCall(Vec<u8>);

impl LateCall {
    /// Arrives at this address of a database after all; what that answers, which nobody hears.
    pub fn arrive(&self, address: &str) -> String {
        let mut database = TcpStream::connect(address).expect("the database");
        database.write_all(&self.0).expect("it listens");
        let mut answer = String::new();
        database.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Upstream {
    /// At this address of this machine, `127.0.0.1:0` for any port. Where another test plays there, it waits for the end of that.
    pub fn start(address: &str) -> Self {
        let listener = listen(address);
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, calls) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                thread::spawn(move || receive(stream, &sender));
            }
        });
        Self { url, calls }
    }

    /// The next call, whatever it is: its path, and itself.
    pub fn next_of_all(&self) -> (String, HeldCall) {
        self.calls.recv_timeout(WAIT_MAX).expect("a call")
    }

    /// Answers every further call 0, whatever it is, so that none stays in flight.
    pub fn answer_all(self) {
        thread::spawn(move || self.calls.iter().for_each(|(_, call)| call.answer("0")));
    }

    /// Whether no call has arrived that nobody took.
    pub fn is_untouched(&self) -> bool {
        self.calls.try_recv().is_err()
    }

    /// The next call of that RPC; others are answered 0 at once.
    pub fn next(&self, rpc: &str) -> HeldCall {
        loop {
            let (path, call) = self.next_of_all();
            if path.ends_with(rpc) {
                return call;
            }
            call.answer("0");
        }
    }
}

impl HeldCall {
    /// Hangs up, so that the caller never knows, and keeps the call on its way.
    pub fn hang_up(self) -> LateCall {
        LateCall(self.request)
    }

    /// Hands the call on to the database at this address, and its answer back.
    pub fn hand_on(mut self, address: &str) {
        let answer = LateCall(self.request).arrive(address);
        // Whoever called may have gone.
        let _ = self.caller.write_all(answer.as_bytes());
    }

    /// Answers with 200 and this JSON.
    pub fn answer(self, body: &str) {
        self.answer_as(200, body);
    }

    /// Answers with this status and JSON.
    pub fn answer_as(self, status: u16, body: &str) {
        self.write(status, "content-type: application/json", body.as_bytes());
    }

    /// Sends the caller to another address.
    pub fn redirect(self, status: u16, address: &str) {
        self.write(status, &format!("location: {address}"), b"");
    }

    /// Answers with this JSON, compressed by gzip.
    pub fn answer_packed(self, body: &str) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body.as_bytes()).expect("memory");
        let packed = encoder.finish().expect("memory");
        self.write(200, "content-type: application/json\r\ncontent-encoding: gzip", &packed);
    }

    /// Answers with this JSON in chunks, without saying how long it will be.
    pub fn answer_in_pieces(mut self, body: &str) {
        let mut answer =
            b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec();
        for piece in body.as_bytes().chunks(PIECE_BYTES) {
            answer.extend(format!("{:x}\r\n", piece.len()).as_bytes());
            answer.extend(piece);
            answer.extend(b"\r\n");
        }
        answer.extend(b"0\r\n\r\n");
        let _ = self.caller.write_all(&answer);
    }

    fn write(mut self, status: u16, headers: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\n{headers}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        // Whoever called may have gone.
        let _ = self.caller.write_all(&[head.as_bytes(), body].concat());
    }
}

fn listen(address: &str) -> TcpListener {
    let started = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && started.elapsed() < WAIT_MAX => {
                thread::sleep(Duration::from_millis(50));
            }
            bound => return bound.expect("a port"),
        }
    }
}

fn receive(stream: TcpStream, sender: &Sender<(String, HeldCall)>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).expect("a request");
    let mut request = format!("{first}connection: close\r\n");
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        let name = line.to_ascii_lowercase();
        if let Some(value) = name.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if !name.starts_with("connection:") {
            request.push_str(&line);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let request = [request.as_bytes(), b"\r\n", &body].concat();
    let call = HeldCall { caller: stream, request };
    // A page of metrics asks this by the way, and goes on without an answer.
    if path.ends_with("/rpc/system_health_check") {
        return call.answer_as(500, "{}");
    }
    // The test may be over.
    let _ = sender.send((path, call));
}
