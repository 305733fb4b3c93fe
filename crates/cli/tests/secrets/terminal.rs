//! At a terminal: what is typed is not shown. `script` gives the program one.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use crate::installation::{Installation, SECRET_KEY, STRONG};

fn at_a_terminal(installation: &Installation, arguments: &str) -> Child {
    let (program, config) = (env!("CARGO_BIN_EXE_mps"), installation.path("mps.yml"));
    let line = format!("{program} secrets {arguments} --config {}", config.display());
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("script is there, as one of Debian's essential programs")
}

#[test]
fn what_is_typed_is_taken_and_not_shown() {
    let installation = Installation::ready();
    let mut child = at_a_terminal(&installation, "set OPS_TOKEN");
    let mut screen = Vec::new();
    let mut output = child.stdout.take().unwrap();
    let mut input = child.stdin.take().unwrap();
    // The prompt comes once the echo is off.
    let mut byte = [0];
    while !screen.ends_with(b"(not shown): ") {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&screen));
        screen.push(byte[0]);
    }
    input.write_all(format!("{STRONG}\n").as_bytes()).unwrap();
    output.read_to_end(&mut screen).unwrap();
    let screen = String::from_utf8(screen).unwrap();
    assert!(child.wait().unwrap().success(), "{screen}");
    assert!(screen.contains("OPS_TOKEN is set") && !screen.contains(STRONG), "{screen}");
    assert_eq!(installation.value("OPS_TOKEN"), STRONG);
}

#[test]
fn all_secrets_are_not_put_on_a_screen() {
    let installation = Installation::ready();
    let output = at_a_terminal(&installation, "render --for env").wait_with_output().unwrap();
    let screen = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{screen}");
    assert!(screen.contains("on the screen") && !screen.contains(SECRET_KEY), "{screen}");
}
