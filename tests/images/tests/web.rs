//! mps-web, which serves the pages.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use mps_e2e::{Answer, in_time, send, try_send};
use mps_images_tests::{Container, HARDENED, done, entries, podman, programs_of, status_of, write};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What the proxy adds to the pages, as its own file says it.
fn headers() -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(ROOT).join("deploy/nginx/mps/site.conf")).expect("site.conf");
    let read = |line: &str| {
        let rest = line.strip_prefix("add_header ")?.strip_suffix(" always;")?;
        let (name, value) = rest.split_once(' ')?;
        Some((name.to_lowercase(), value.trim_matches('"').to_owned()))
    };
    text.lines().filter_map(read).collect()
}

fn cache_control(answer: &Answer) -> &str {
    answer.header("cache-control")
}

#[test]
fn the_pages_say_what_they_say_behind_the_proxy_whoever_runs_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let config =
        format!("{}:/etc/mps/config.json:ro", write(folder.path(), "config.json", r#"{"edgeUrl":"/"}"#));
    for user in ["65532:65532", "12345"] {
        let mut options = vec!["--publish", "127.0.0.1::8080", "--user", user, "--volume", &config];
        options.extend(["--tmpfs", "/tmp:mode=1777"]);
        options.extend(HARDENED);
        let running = Container::run(&options, "mps-web", &[]);
        let place = done(podman().args(["port", &running.name, "8080"]));
        let get = |path: &str| send("GET", &format!("http://{place}{path}"), &[], "");
        in_time("a page", || try_send("GET", &format!("http://{place}/"), &[], ""));
        let page = get("/");
        let (_, rest) = page.text.split_once("/assets/").expect("the page has a script");
        let script = format!("/assets/{}", rest.split('"').next().expect("a name"));
        for (path, status, kept) in [
            ("/", 200, "no-cache"),
            ("/member", 200, "no-cache"),
            (script.as_str(), 200, "public, max-age=31536000, immutable"),
            ("/config.json", 200, "no-store"),
            ("/nothing", 404, "no-cache"),
            ("/api/member/me", 404, "no-cache"),
        ] {
            let answer = get(path);
            assert_eq!((answer.status, cache_control(&answer)), (status, kept), "{path}");
            let wanted = headers();
            assert!(wanted.len() > 5);
            for (name, value) in wanted {
                assert_eq!(answer.header(&name), value, "{path} {name}");
            }
        }
        assert_eq!(get("/config.json").body["edgeUrl"], "/");
        for (program, process) in running.processes() {
            assert_eq!(status_of(&process, "CapEff"), "0000000000000000", "{program}");
            assert!(status_of(&process, "Uid").starts_with(user.split(':').next().unwrap_or_default()));
        }
        assert_eq!(running.stop("20"), 0, "{}", running.log());
    }
}

#[test]
fn the_image_has_one_program_and_no_shell() {
    let all = entries("mps-web");
    assert_eq!(programs_of(&all), ["usr/sbin/nginx"]);
    assert!(all.iter().all(|entry| !entry.mode.contains(['s', 'S'])), "{all:?}");
}
