//! At a terminal: what is typed is not shown. `script` gives the program one.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::installation::{Installation, STRONG};

#[test]
fn what_is_typed_is_taken_and_not_shown() {
    let installation = Installation::ready();
    let program = format!(
        "{} secrets set OPS_TOKEN --config {}",
        env!("CARGO_BIN_EXE_mps"),
        installation.path("mps.yml").display()
    );
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &program, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is installed, as part of Debian's essential packages");
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
