//! Asking a local service whether it answers: one request a connection, the status is all that counts.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The status of one request to a port of this machine; none when nothing there speaks HTTP.
pub(crate) fn status(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<u16> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    let _ = write!(request, "Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).ok()?;
    let mut reply = String::new();
    // Only the first line is wanted; a body that is no UTF-8 or comes late does not matter.
    let _ = stream.take(64).read_to_string(&mut reply);
    parse_status(&reply)
}

fn parse_status(reply: &str) -> Option<u16> {
    let mut words = reply.lines().next()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_status;

    #[test]
    fn the_status_is_the_second_word_of_the_first_line() {
        assert_eq!(parse_status("HTTP/1.1 204 No Content\r\nA: b"), Some(204));
        assert_eq!(parse_status("SSH-2.0-x 200"), None);
        assert_eq!(parse_status(""), None);
    }
}
