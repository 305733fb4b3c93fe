//! The least of an HTTP server: one request on a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// What somebody asked.
pub(crate) struct Asked {
    /// Of the head, every line.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What it is answered; `None`: the connection is closed without a word.
pub(crate) type Said = Option<(u16, &'static str, String)>;

/// Serves at a port of its own as long as the test runs; where.
pub(crate) fn serve(answer: impl Fn(&Asked) -> Said + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Who goes away in the middle asks again.
            let Some(asked) = read(&mut stream) else { continue };
            if let Some((status, kind, body)) = answer(&asked) {
                let head = format!(
                    "HTTP/1.1 {status} .\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes());
            }
        }
    });
    address
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let (mut bytes, mut part) = (Vec::new(), [0; 8192]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(Asked { head: head.to_owned(), body: body.to_owned() });
            }
        }
        let length = stream.read(&mut part).ok().filter(|length| *length > 0)?;
        bytes.extend(&part[..length]);
    }
}
