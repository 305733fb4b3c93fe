//! `mps serve` as an operator uses it, before a PostgREST that this test plays.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::{env, fs, thread};

use mps_e2e::{Upstream, fresh, send, variable};
use mps_operations_tests::{Serving, health_count, mps};

const OPS_TOKEN: &str = "an-operator-s-token-of-32-letters-or-more";

fn serve() -> Command {
    let mut command = mps();
    command.args(["serve", "--release", &variable("MPS_E2E_RELEASE")]);
    command
}

/// Where only those who ask at this very address are answered, if this machine has such a one.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.2:0").or_else(|_| TcpListener::bind("127.0.0.1:0"));
    listener.expect("a port").local_addr().expect("an address")
}

/// And the line that says that it listens.
fn start(address: SocketAddr, upstream: &str, state: &str) -> (Serving, String) {
    let mut command = serve();
    command.args(["--listen", &address.to_string(), "--state", state]);
    command.env("SUPABASE_URL", upstream).env("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x");
    command.env("SUPABASE_SECRET_KEY", "sb_secret_x").env("OPS_TOKEN", OPS_TOKEN);
    command.env("SUPABASE_JWT_SECRET", "a-secret-of-more-than-32-characters");
    let serving = Serving::start("serve", &mut command);
    let first = serving.wait_for("the edge listens");
    (serving, first)
}

#[test]
fn jobs_run_on_time_a_stop_lets_requests_finish_and_a_restart_keeps_the_counters() {
    let (upstream, address) = (Upstream::start("127.0.0.1:0"), free_address());
    let state = env::temp_dir().join(fresh("mps-serve-"));
    let state_text = state.to_str().expect("a path in UTF-8");
    let (mut running, _) = start(address, &upstream.url, state_text);
    for _ in 0..7 {
        assert_eq!(send("GET", &format!("http://{address}/health"), &[], "").status, 200);
    }
    let counted = health_count(address, OPS_TOKEN);
    assert!(counted >= 7, "{counted}");

    // Within a minute, by the clock.
    upstream.next("/rpc/cron_seal").answer("0");

    let slow = thread::spawn(move || send("GET", &format!("http://{address}/ready"), &[], ""));
    let call = upstream.next("/rpc/test_connection");
    // Other jobs of the minute may be under way: a stop would wait for them.
    let upstream_url = upstream.url.clone();
    upstream.answer_all();
    running.signal("TERM");
    running.wait_for("stopping");
    assert!(running.child.try_wait().expect("a child").is_none(), "it did not wait for the request");
    call.answer(r#"[{"ok":true,"server_time":"2026-11-23T01:06:00+00:00","schema_version":"1"}]"#);
    let answered = slow.join().expect("no panic");
    assert_eq!(answered.refusal(), (503, "NOT_CONFIGURED".to_owned()), "it was cut off");
    assert_eq!(running.child.wait().expect("an end").code(), Some(0));

    let (mut again, _) = start(address, &upstream_url, state_text);
    assert!(health_count(address, OPS_TOKEN) >= counted, "the counters are gone");
    again.signal("TERM");
    assert_eq!(again.child.wait().expect("an end").code(), Some(0));
    fs::remove_dir_all(&state).expect("its state");
}

/// The number in the line that tells which process the edge is.
fn process_in(line: &str) -> String {
    let (_, rest) = line.split_once("(process ").expect("a process");
    rest.trim_end_matches(')').to_owned()
}

#[test]
fn an_edge_that_dies_is_started_again_with_as_many_open_files_as_it_may_have() {
    let (upstream, address) = (Upstream::start("127.0.0.1:0"), free_address());
    let state = env::temp_dir().join(fresh("mps-serve-"));
    let (mut running, first) = start(address, &upstream.url, state.to_str().expect("a path in UTF-8"));
    let id = process_in(&first);
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).expect("its limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let numbers: Vec<&str> = files.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(numbers[0], numbers[1], "the soft limit is the hard one: {files}");
    assert!(Command::new("kill").args(["-KILL", &id]).status().expect("kill").success());
    let again = process_in(&running.wait_for("is started again (process"));
    assert_ne!(again, id);
    let url = format!("http://{address}/health");
    while mps_e2e::try_send("GET", &url, &[], "").is_none_or(|answer| answer.status != 200) {
        assert!(running.child.try_wait().expect("a child").is_none());
    }
    running.signal("TERM");
    assert_eq!(running.child.wait().expect("an end").code(), Some(0));
    fs::remove_dir_all(&state).expect("its state");
}

#[test]
fn a_missing_or_malformed_variable_is_named_and_nothing_runs() {
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let none = serve().output().expect("the program");
    assert_eq!(none.status.code(), Some(1));
    assert!(said(&none).contains("not set: SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY"), "{}", said(&none));

    let file = env::temp_dir().join(fresh("mps-env-"));
    let text = "SUPABASE_URL=ftp://x\nSUPABASE_PUBLISHABLE_KEY=x\nSUPABASE_SECRET_KEY=y\nSUPABASE_JWT_SECRET=a-secret-of-more-than-32-characters\n";
    fs::write(&file, text).expect("a file");
    let state = env::temp_dir().join(fresh("mps-serve-"));
    let mut command = serve();
    command.arg("--env-file").arg(&file).arg("--state").arg(&state);
    let wrong = command.args(["--listen", &free_address().to_string()]).output().expect("the program");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("SUPABASE_URL is missing or malformed"), "{}", said(&wrong));
    assert!(!said(&wrong).contains("ftp://x"));
    fs::remove_file(&file).expect("the file");
    fs::remove_dir_all(&state).expect("its state");
}
