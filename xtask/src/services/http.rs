//! Asking a local service: one request a connection.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A port of this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The status of one request; none when nothing there speaks HTTP.
pub(crate) fn status(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<u16> {
    let stream = send(TIMEOUT, address, method, path, headers, body)?;
    let mut reply = String::new();
    // Only the first line is wanted; a body that is no UTF-8 or comes late does not matter.
    let _ = stream.take(64).read_to_string(&mut reply);
    parse_status(&reply)
}

/// The status and the body of one request.
pub(crate) fn answer(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, String)> {
    answer_within(TIMEOUT, address, method, path, headers, body)
}

/// The same where the answer may take that long.
pub(crate) fn answer_within(
    limit: Duration,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, String)> {
    let mut reply = String::new();
    send(limit, address, method, path, headers, body)?.read_to_string(&mut reply).ok()?;
    Some((parse_status(&reply)?, parse_body(&reply)))
}

fn send(
    limit: Duration,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    let _ = write!(request, "Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).ok()?;
    Some(stream)
}

/// What follows the head; of a chunked one its first chunk, which small answers are whole in.
fn parse_body(reply: &str) -> String {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_default();
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (length, rest) = body.split_once("\r\n").unwrap_or_default();
    let length = usize::from_str_radix(length, 16).unwrap_or_default();
    rest.get(..length).unwrap_or_default().to_owned()
}

fn parse_status(reply: &str) -> Option<u16> {
    let mut words = reply.lines().next()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{parse_body, parse_status};

    #[test]
    fn the_body_follows_the_head_in_one_piece_or_in_a_chunk() {
        assert_eq!(parse_body("HTTP/1.1 200 OK\r\nA: b\r\n\r\nabc"), "abc");
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(parse_body(chunked), "abc");
    }

    #[test]
    fn the_status_is_the_second_word_of_the_first_line() {
        assert_eq!(parse_status("HTTP/1.1 204 No Content\r\nA: b"), Some(204));
        assert_eq!(parse_status("SSH-2.0-x 200"), None);
        assert_eq!(parse_status(""), None);
    }
}
