//! mps-edge, as Kubernetes and compose run it.

use std::net::SocketAddr;
use std::process::Command;
use std::{fs, thread};

use mps_e2e::{Proxy, Rates, Upstream, free_address, fresh, in_time, send, try_send};
use mps_images_tests::{
    Container, HARDENED, done, entries, image, make_readable, podman, programs_of, status_of, text_of, write,
};
use mps_operations_tests::health_count;
use serde_json::Value;

const OPS_TOKEN: &str = "an-operator-s-token-of-32-letters-or-more";
/// As deploy/compose has it.
const HEALTH: [&str; 6] =
    ["--health-cmd", r#"["mps","health"]"#, "--health-timeout", "5s", "--health-retries", "1"];

/// An edge in this machine's network, before that upstream, at that address.
fn edge(address: SocketAddr, upstream: &str, options: &[&str]) -> Container {
    let variables = [
        format!("SUPABASE_URL={upstream}"),
        "SUPABASE_PUBLISHABLE_KEY=sb_publishable_x".to_owned(),
        "SUPABASE_SECRET_KEY=sb_secret_x".to_owned(),
        "SUPABASE_JWT_SECRET=a-secret-of-more-than-32-characters".to_owned(),
        format!("OPS_TOKEN={OPS_TOKEN}"),
    ];
    let mut all = vec!["--network", "host"];
    all.extend(HARDENED);
    all.extend(options);
    all.extend(variables.iter().flat_map(|variable| ["--env", variable]));
    let listen = format!("--listen={address}");
    Container::run(&all, "mps-edge", &["serve", &listen, "--no-jobs", "--stop-seconds=30"])
}

fn wait_until_well(container: &Container, address: SocketAddr) {
    in_time(&container.name, || {
        let state = &container.inspect()["State"]["Status"];
        assert_eq!(state, "running", "{}", container.log());
        try_send("GET", &format!("http://{address}/health"), &[], "").filter(|answer| answer.status == 200)
    });
}

#[test]
fn the_image_has_two_programs_no_shell_and_nothing_that_gains_rights() {
    let all = entries("mps-edge");
    assert_eq!(programs_of(&all), ["usr/bin/mps", "usr/lib/mps/current/bin/workerd"]);
    let gains = |mode: &str| mode.contains(['s', 'S']);
    assert!(all.iter().all(|entry| !gains(&entry.mode)), "{all:?}");
    // What others than root may write to is mounted over, or is refused by the read-only root.
    let written: Vec<&str> = all
        .iter()
        .filter(|entry| entry.mode.as_bytes()[8] == b'w' || !entry.owner.starts_with("0/"))
        .filter(|entry| !entry.mode.starts_with('l'))
        .map(|entry| entry.path.as_str())
        .collect();
    assert_eq!(written, ["tmp", "var/lib/mps"]);
    let state = all.iter().find(|entry| entry.path == "var/lib/mps").expect("a folder");
    assert_eq!((state.mode.as_str(), state.owner.as_str()), ("drwxrwxr-x", "65532/0"));
    for place in ["var/lib/dpkg/status.d/libc6", "usr/share/doc/libc6/copyright", "etc/ssl/cert.pem"] {
        assert!(all.iter().any(|entry| entry.path == place), "{place}");
    }
    for shell in ["sh", "/bin/sh", "bash"] {
        let name = image("mps-edge");
        let ran = podman().args(["run", "--rm", "--network", "none", "--entrypoint", shell, &name]).output();
        assert!(!ran.expect("podman").status.success(), "{shell} runs");
    }
}

#[test]
fn the_image_says_what_it_is_and_is_as_old_as_its_commit() {
    let text = done(podman().args(["image", "inspect", &image("mps-edge")]));
    let about: Value = serde_json::from_str(&text).expect("JSON");
    let (about, labels) = (&about[0], &about[0]["Labels"]);
    let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].as_str().unwrap_or_default();
    let head = done(Command::new("git").args(["rev-parse", "HEAD"]));
    assert_eq!((label("title"), label("version")), ("mps-edge", "0.0.0+tests"));
    assert_eq!(label("revision"), head);
    assert!(label("licenses").contains("MIT OR Apache-2.0"));
    assert_eq!(about["Created"], label("created"));
    let count = labels.as_object().expect("labels").len();
    assert_eq!(count, 6, "only our own: {labels}");
    assert_eq!(about["User"], "65532:65532");
    let size = about["Size"].as_u64().expect("a size");
    assert!(size < 150_000_000, "{size}");
}

#[test]
fn an_edge_runs_as_anybody_without_any_right() {
    for user in ["65532:65532", "12345", "1000:0"] {
        let (upstream, address) = (Upstream::start("127.0.0.1:0"), free_address());
        let running = edge(address, &upstream.url, &["--user", user]);
        wait_until_well(&running, address);
        let processes = running.processes();
        assert_eq!(processes.len(), 2, "{processes:?}");
        for (program, process) in processes {
            let id = user.split(':').next().unwrap_or_default();
            assert_eq!(status_of(&process, "Uid"), [id; 4].join(" "), "{program}");
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(status_of(&process, set), "0000000000000000", "{program} {set}");
            }
            assert_eq!(status_of(&process, "NoNewPrivs"), "1", "{program}");
        }
        assert_eq!(running.inspect()["HostConfig"]["ReadonlyRootfs"], true);
        assert_eq!(running.stop("40"), 0, "{}", running.log());
    }
}

#[test]
fn health_is_red_while_the_edge_hangs_and_green_again_after_it() {
    let (upstream, address) = (Upstream::start("127.0.0.1:0"), free_address());
    let asked = format!(r#"["mps","health","--url=http://{address}"]"#);
    let mut options = HEALTH.to_vec();
    options[1] = &asked;
    let running = edge(address, &upstream.url, &options);
    wait_until_well(&running, address);
    assert_eq!(running.health(), "healthy");
    let workerd = running.process("workerd");
    let signal = |name: &str| done(Command::new("kill").args([name, &workerd]));
    signal("-STOP");
    assert_eq!(running.health(), "unhealthy");
    signal("-CONT");
    assert_eq!(running.health(), "healthy");
}

#[test]
fn a_wrong_variable_ends_the_container_and_is_named_without_its_value() {
    let running = edge(free_address(), "ftp://a-wrong-address", &[]);
    assert_eq!(running.wait(), 1);
    assert!(running.log().contains("SUPABASE_URL is missing or malformed"), "{}", running.log());
    assert!(!running.log().contains("a-wrong-address"), "{}", running.log());
}

#[test]
fn a_stop_lets_a_request_finish_and_the_counters_outlive_the_container() {
    let (upstream, address) = (Upstream::start("127.0.0.1:0"), free_address());
    let volume = fresh("mps-state-");
    done(podman().args(["volume", "create", &volume]));
    let mounted = format!("{volume}:/var/lib/mps");
    let running = edge(address, &upstream.url, &["--volume", &mounted]);
    wait_until_well(&running, address);
    for _ in 0..7 {
        assert_eq!(send("GET", &format!("http://{address}/health"), &[], "").status, 200);
    }
    let counted = health_count(address, OPS_TOKEN);
    assert!(counted >= 7, "{counted}");

    let slow = thread::spawn(move || send("GET", &format!("http://{address}/ready"), &[], ""));
    let call = upstream.next("/rpc/test_connection");
    let name = running.name.clone();
    let stop = thread::spawn(move || done(podman().args(["stop", "--time", "40", &name])));
    in_time("the stop", || running.log().contains("stopping").then_some(()));
    assert_eq!(running.inspect()["State"]["ExitCode"], 0);
    assert!(!stop.is_finished(), "it did not wait for the request");
    call.answer(r#"[{"ok":true,"server_time":"2026-11-23T01:06:00+00:00","schema_version":"1"}]"#);
    let answered = slow.join().expect("no panic");
    assert_eq!(answered.refusal(), (503, "NOT_CONFIGURED".to_owned()), "it was cut off");
    stop.join().expect("no panic");
    let state = &running.inspect()["State"];
    assert_eq!((&state["Status"], &state["ExitCode"]), (&"exited".into(), &0.into()), "{}", running.log());
    drop(running);

    let again = edge(address, &upstream.url, &["--volume", &mounted]);
    wait_until_well(&again, address);
    assert!(health_count(address, OPS_TOKEN) >= counted, "the counters are gone");
    drop(again);
    done(podman().args(["volume", "rm", &volume]));
}

#[test]
fn an_edge_asks_by_tls_only_whom_its_authorities_vouch_for() {
    let upstream = Upstream::start("127.0.0.1:0");
    let played = upstream.url.replace("http://", "");
    let texts = [("server_name pay.example;", "server_name pay.example localhost;")];
    let proxy = Proxy::start("images", &[&played], &Rates::HIGH, &texts);
    let folder = tempfile::tempdir().expect("a folder");
    let authority = fs::read_to_string(proxy.authority()).expect("a certificate");
    let authority = format!(
        "{}:/etc/ssl/certs/ca-certificates.crt:ro",
        write(folder.path(), "authority.pem", &authority)
    );
    // A path that the proxy hands on.
    let rest = format!("SUPABASE_REST_URL=https://localhost:{}/api", proxy.tls.port());

    let address = free_address();
    let stranger = edge(address, "https://localhost", &["--env", &rest]);
    wait_until_well(&stranger, address);
    assert_eq!(send("GET", &format!("http://{address}/ready"), &[], "").status, 503);
    assert!(upstream.is_untouched(), "it asked whom nobody vouches for");
    drop(stranger);

    let address = free_address();
    let friend = edge(address, "https://localhost", &["--env", &rest, "--volume", &authority]);
    wait_until_well(&friend, address);
    let asked = thread::spawn(move || send("GET", &format!("http://{address}/ready"), &[], ""));
    upstream.next("/api/rpc/test_connection").answer("[]");
    assert_eq!(asked.join().expect("no panic").status, 503);
}

#[test]
fn the_operators_program_is_in_the_image() {
    let folder = tempfile::tempdir().expect("a folder");
    make_readable(folder.path());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mounted = format!("{root}/deploy/config:/config:ro");
    let mut command = podman();
    command.args(["run", "--rm", "--network", "none"]).args(HARDENED).args(["--volume", &mounted]);
    command.args([&image("mps-edge"), "config", "check", "/config/environments/production.yml"]);
    let output = command.output().expect("podman");
    assert!(text_of(&output).contains("nothing to say against it"), "{}", text_of(&output));
    assert!(output.status.success());
}
