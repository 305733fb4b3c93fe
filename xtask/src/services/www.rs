//! A static server for the built web site, in this process: it starts at once and needs no other program.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const REQUEST_LINE_BYTES_MAX: u64 = 8192;
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The site's folder and its run-time configuration.
struct Site {
    folder: PathBuf,
    config: String,
}

/// The run-time configuration that the site reads from `./config.json`.
pub(crate) fn config(edge_url: &str, supabase_url: &str, publishable_key: &str) -> String {
    let config = serde_json::json!({
        "edgeUrl": edge_url,
        "supabaseUrl": supabase_url,
        "supabasePublishableKey": publishable_key,
    });
    config.to_string()
}

/// Serves `folder` on `port` until this program ends; `/config.json` is `config`, whatever the folder holds.
pub(crate) fn serve(folder: PathBuf, port: u16, config: String) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot serve the web site on port {port}"))?;
    let site = Arc::new(Site { folder, config });
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let site = Arc::clone(&site);
            // A client that goes away in the middle concerns nobody else.
            thread::spawn(move || drop(answer(&site, stream)));
        }
    });
    Ok(())
}

fn answer(site: &Site, stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut line = String::new();
    let mut reader = BufReader::new(std::io::Read::take(stream.try_clone()?, REQUEST_LINE_BYTES_MAX));
    reader.read_line(&mut line)?;
    // The headers are read and left: a reset connection would lose the answer.
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let (status, media_type, body) = reply(site, &line);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    if !line.starts_with("HEAD ") {
        stream.write_all(&body)?;
    }
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

    use super::{Site, reply};

    fn site() -> anyhow::Result<(tempfile::TempDir, Site)> {
        let parent = tempfile::tempdir()?;
        let folder = parent.path().join("dist");
        fs::create_dir(&folder)?;
        fs::write(parent.path().join("secret"), "secret")?;
        fs::write(folder.join("index.html"), "home")?;
        fs::write(folder.join("member.html"), "member")?;
        fs::write(folder.join("core.wasm"), "wasm")?;
        Ok((parent, Site { folder, config: "{}".to_owned() }))
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
}
