//! A PostgREST that the test plays: it holds each call until the test answers it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// The calls that arrive.
pub struct Upstream {
    /// Its address.
    pub url: String,
    calls: Receiver<(String, HeldCall)>,
}

/// A call without an answer yet.
pub struct HeldCall(TcpStream);

impl Upstream {
    /// At this address of this machine, `127.0.0.1:0` for any port.
    pub fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
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
        self.calls.recv_timeout(Duration::from_secs(100)).expect("a call")
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
    /// Answers with 200 and this JSON.
    pub fn answer(self, body: &str) {
        self.answer_as(200, body);
    }

    /// Answers with this status and JSON.
    pub fn answer_as(self, status: u16, body: &str) {
        self.write(status, "content-type: application/json", body);
    }

    /// Sends the caller to another address.
    pub fn redirect(self, status: u16, address: &str) {
        self.write(status, &format!("location: {address}"), "");
    }

    fn write(mut self, status: u16, header: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\n{header}\r\ncontent-length: {length}");
        // Whoever called may have gone.
        let _ = self.0.write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes());
    }
}

fn receive(stream: TcpStream, sender: &Sender<(String, HeldCall)>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).expect("a request");
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    // The test may be over.
    let _ = sender.send((path, HeldCall(stream)));
}
