//! One HTTP/1.1 request read from a connection, and the ways in which a provider answers it, or does not.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// No request of ours comes near it.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query, as they stand in the first line.
    pub target: String,
    headers: Vec<(String, String)>,
    /// The body, untouched.
    pub body: Vec<u8>,
}

/// An answer before it is written.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// What happens to a request beside its answer. Those up to `SystemError` say that the provider did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The connection closes before the request was read.
    Refused,
    /// Nobody answers.
    Silent,
    /// Something in front of the provider answers with its own page.
    Page(u16),
    /// A page with status 200.
    Disguised,
    /// The provider says that it is out of order, signed.
    SystemError,
    /// Done, and the connection closes without a word.
    Swallowed,
    /// Done, and the connection closes in the middle of the answer.
    CutOff,
    /// Done, and nobody signed the answer.
    Unsigned,
    /// Done, and somebody else signed the answer.
    WronglySigned,
    /// Done, and the answer was signed five minutes ago.
    Stale,
    /// Done, and the answer is another one than was signed.
    Tampered,
}

impl Trouble {
    /// Whether the provider has done what it was asked.
    pub(super) fn is_done(self) -> bool {
        self > Self::SystemError
    }
}

impl Request {
    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query as it came.
    pub(super) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The body as text; empty when it is none.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    pub(super) fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut words = first.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut request =
            Self { method: method.to_owned(), target: target.to_owned(), headers: vec![], body: vec![] };
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.trim_end().split_once(':') {
                request.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            line.clear();
        }
        if request.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            request.body = read_chunks(&mut reader)?;
        } else {
            let length: usize = request.header("content-length").parse().unwrap_or_default();
            request.body = vec![0; length.min(BODY_BYTES_MAX)];
            reader.read_exact(&mut request.body)?;
        }
        Ok(request)
    }
}

fn read_chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default().min(BODY_BYTES_MAX);
        // A chunk and its line end; the last one is empty.
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

impl Reply {
    pub(super) fn json(status: u16, body: String) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body }
    }

    /// What stands in front of a provider says so.
    pub(super) fn page(status: u16) -> Self {
        let body = "<html><body><h1>Service is busy</h1></body></html>".to_owned();
        Self { status, headers: vec![("content-type".to_owned(), "text/html".to_owned())], body }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Writes it, or its first half alone.
    pub(super) fn write(&self, mut stream: &TcpStream, is_whole: bool) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.status != 204 {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        let bytes = format!("{head}\r\n{}", self.body).into_bytes();
        let end = if is_whole { bytes.len() } else { bytes.len() - self.body.len().max(2) / 2 };
        stream.write_all(&bytes[..end])
    }
}
