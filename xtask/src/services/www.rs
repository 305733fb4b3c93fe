//! A static server for the built web site, in this process: it starts at once and needs no other program. Supabase is
//! under its own origin, as behind one proxy in production.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const REQUEST_BYTES_MAX: u64 = 64 * 1024;
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What begins so is Supabase's. Supabase Lite's routes for signing in answer no page of another origin: their preflight
/// allows no header.
const SUPABASE: &str = "/supabase";

/// The site's folder, its run-time configuration, and where Supabase is: `127.0.0.1:54321`.
struct Site {
    folder: PathBuf,
    config: String,
    supabase: String,
}

/// Somebody whom the site offers to sign in with one tap.
pub(crate) struct DemoLogin<'a> {
    pub(crate) label: &'a str,
    pub(crate) email: &'a str,
    pub(crate) password: &'a str,
}

/// The run-time configuration that the site reads from `./config.json`.
pub(crate) fn config(edge_url: &str, publishable_key: &str, demo_logins: &[DemoLogin<'_>]) -> String {
    let logins: Vec<_> = demo_logins
        .iter()
        .map(|login| {
            serde_json::json!({ "label": login.label, "email": login.email, "password": login.password })
        })
        .collect();
    let config = serde_json::json!({
        "edgeUrl": edge_url,
        "supabaseUrl": SUPABASE,
        "supabasePublishableKey": publishable_key,
        "demoLogins": logins,
    });
    config.to_string()
}

/// Serves `folder` on `port` until this program ends; `/config.json` is `config`, whatever the folder holds.
pub(crate) fn serve(folder: PathBuf, port: u16, config: String, supabase_url: &str) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot serve the web site on port {port}"))?;
    let supabase = supabase_url.trim_start_matches("http://").to_owned();
    let site = Arc::new(Site { folder, config, supabase });
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let site = Arc::clone(&site);
            // A client that goes away in the middle concerns nobody else.
            thread::spawn(move || drop(answer(&site, stream)));
        }
    });
    Ok(())
}

fn answer(site: &Site, mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut reader = BufReader::new(Read::take(stream.try_clone()?, REQUEST_BYTES_MAX));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    // All headers are read, wanted or not: a reset connection would lose the answer.
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        headers.push(header);
    }
    if let Some(upstream_line) = for_supabase(&line) {
        return forward(site, &upstream_line, &headers, reader, stream);
    }
    let (status, media_type, body) = reply(site, &line);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if !line.starts_with("HEAD ") {
        stream.write_all(&body)?;
    }
    Ok(())
}

/// The request line as Supabase wants it; none when the request is not Supabase's.
fn for_supabase(line: &str) -> Option<String> {
    let (method, target) = line.split_once(' ')?;
    let target = target.strip_prefix(SUPABASE).filter(|rest| rest.starts_with('/'))?;
    Some(format!("{method} {target}"))
}

fn forward(
    site: &Site,
    line: &str,
    headers: &[String],
    body: impl Read,
    mut stream: TcpStream,
) -> Result<()> {
    let mut upstream = TcpStream::connect(&site.supabase)?;
    let named = |header: &&String, name: &str| header.to_ascii_lowercase().starts_with(name);
    let length = headers.iter().find(|header| named(header, "content-length:"));
    let length = length.and_then(|header| header.split(':').nth(1)?.trim().parse().ok()).unwrap_or(0);
    let kept: String =
        headers.iter().filter(|header| !named(header, "connection:")).map(String::as_str).collect();
    upstream.write_all(format!("{line}{kept}Connection: close\r\n\r\n").as_bytes())?;
    io::copy(&mut body.take(length), &mut upstream)?;
    io::copy(&mut upstream, &mut stream)?;
    Ok(())
}

fn reply(site: &Site, request_line: &str) -> (&'static str, &'static str, Vec<u8>) {
    let mut words = request_line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !matches!(method, "GET" | "HEAD") {
        return ("405 Method Not Allowed", "text/plain", Vec::new());
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    if path == "/config.json" {
        return ("200 OK", "application/json", site.config.clone().into_bytes());
    }
    match file_of(&site.folder, path).and_then(|file| Some((media_type(&file), fs::read(file).ok()?))) {
        Some((media_type, body)) => ("200 OK", media_type, body),
        None => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
    }
}

/// The file that a path names: inside the folder, a folder's index.html, `.html` left out or not.
fn file_of(folder: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    if !relative.components().all(|component| matches!(component, Component::Normal(_))) {
        return None;
    }
    let named = folder.join(relative);
    let candidates = [named.join("index.html"), named.with_extension("html"), named];
    candidates.into_iter().rev().find(|file| file.is_file())
}

fn media_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::{Site, answer, for_supabase, reply};

    fn site() -> anyhow::Result<(tempfile::TempDir, Site)> {
        let parent = tempfile::tempdir()?;
        let folder = parent.path().join("dist");
        fs::create_dir(&folder)?;
        fs::write(parent.path().join("secret"), "secret")?;
        fs::write(folder.join("index.html"), "home")?;
        fs::write(folder.join("member.html"), "member")?;
        fs::write(folder.join("core.wasm"), "wasm")?;
        Ok((parent, Site { folder, config: "{}".to_owned(), supabase: String::new() }))
    }

    #[test]
    fn pages_and_wasm_have_their_types() -> anyhow::Result<()> {
        let (_parent, site) = site()?;
        let text = |body: &str| body.as_bytes().to_vec();
        assert_eq!(reply(&site, "GET / HTTP/1.1"), ("200 OK", "text/html; charset=utf-8", text("home")));
        assert_eq!(
            reply(&site, "GET /member?a=1 HTTP/1.1"),
            ("200 OK", "text/html; charset=utf-8", text("member"))
        );
        assert_eq!(reply(&site, "GET /core.wasm HTTP/1.1"), ("200 OK", "application/wasm", text("wasm")));
        assert_eq!(reply(&site, "GET /config.json HTTP/1.1"), ("200 OK", "application/json", text("{}")));
        Ok(())
    }

    #[test]
    fn nothing_outside_the_folder_is_served() -> anyhow::Result<()> {
        let (_parent, site) = site()?;
        assert_eq!(reply(&site, "GET /../secret HTTP/1.1").0, "404 Not Found");
        assert_eq!(reply(&site, "GET //../secret HTTP/1.1").0, "404 Not Found");
        assert_eq!(reply(&site, "GET /absent HTTP/1.1").0, "404 Not Found");
        Ok(())
    }

    #[test]
    fn only_reading_is_allowed() -> anyhow::Result<()> {
        let (_parent, site) = site()?;
        assert_eq!(reply(&site, "POST / HTTP/1.1").0, "405 Method Not Allowed");
        Ok(())
    }

    #[test]
    fn what_begins_with_supabase_goes_to_supabase() -> anyhow::Result<()> {
        let (_parent, mut site) = site()?;
        let upstream = TcpListener::bind("127.0.0.1:0")?;
        site.supabase = upstream.local_addr()?.to_string();
        let supabase = thread::spawn(move || -> std::io::Result<String> {
            let (mut stream, _) = upstream.accept()?;
            let mut seen = vec![0; 4096];
            let mut length = 0;
            while !seen[..length].ends_with(b"{}") {
                length += stream.read(&mut seen[length..])?;
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            Ok(String::from_utf8_lossy(&seen[..length]).into_owned())
        });
        let front = TcpListener::bind("127.0.0.1:0")?;
        let mut browser = TcpStream::connect(front.local_addr()?)?;
        browser.write_all(
            b"POST /supabase/auth/v1/token?a=1 HTTP/1.1\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        )?;
        answer(&site, front.accept()?.0)?;
        let mut answered = String::new();
        browser.read_to_string(&mut answered)?;
        assert_eq!(answered, "HTTP/1.1 204 No Content\r\n\r\n");
        let seen = supabase.join().map_err(|_panic| anyhow::anyhow!("the upstream panicked"))??;
        assert_eq!(
            seen,
            "POST /auth/v1/token?a=1 HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        );
        assert_eq!(for_supabase("GET /supabase.html HTTP/1.1\r\n"), None);
        Ok(())
    }
}
