//! Child processes: each in its own process group, so that stopping one leaves nothing of it behind.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

const POLL: Duration = Duration::from_millis(15);
const HEAD_LINES: usize = 8;
const TAIL_LINES: usize = 25;

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGINT and SIGTERM only set a flag, so that services are stopped in order.
pub(crate) fn watch_signals() {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without the handler Ctrl-C still ends this program; only the orderly stop is lost.
        let _ = signal_hook::flag::register(signal, Arc::clone(flag));
    }
}

pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// What a program that ran to its end left.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// Standard output and standard error, in the order they came.
    pub(crate) output: String,
}

impl Finished {
    /// What an error quotes of it.
    pub(crate) fn extract(&self) -> String {
        extract(&self.output)
    }
}

/// Runs a program to its end and keeps what it said; `echo` also shows each line as it comes.
pub(crate) fn run(command: &mut Command, echo: bool) -> Result<Finished> {
    let (mut reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let name = describe(command);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = spawn(command, &name)?;
    // The command keeps the write ends; dropping them lets the reader see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let pump = thread::spawn(move || collect(&mut reader, echo));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if is_interrupted() {
            stop_group(&mut child, Signal::TERM);
            bail!("interrupted while running {name}");
        }
        thread::sleep(POLL);
    };
    let output = pump.join().unwrap_or_default();
    Ok(Finished { status, output })
}

/// Runs a program that must succeed; what it said is shown only when it does not.
pub(crate) fn must(command: &mut Command) -> Result<String> {
    let finished = run(command, false)?;
    if !finished.status.success() {
        bail!("{} failed ({}):\n{}", describe(command), finished.status, finished.extract());
    }
    Ok(finished.output)
}

/// What a short program wrote to standard output, without its last line break; its standard error is left out.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!("{name} failed ({}):\n{}", output.status, extract(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Whether a short program succeeds; nothing of it is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A program that runs until it is stopped, its output in a log file.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop_signal: Signal,
}

impl Service {
    pub(crate) fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = spawn(command, name)?;
        Ok(Self { name, child, log, stop_signal: Signal::TERM })
    }

    /// Stops with SIGINT instead of SIGTERM.
    pub(crate) fn stopping_with_interrupt(mut self) -> Self {
        self.stop_signal = Signal::INT;
        self
    }

    /// The process, and the group it leads.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until `is_ready` says so; a service that ends before is an error with its last lines.
    pub(crate) fn wait_until(&mut self, timeout: Duration, mut is_ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !is_ready() {
            self.check_alive()?;
            if is_interrupted() {
                bail!("interrupted while {} was starting", self.name);
            }
            if start.elapsed() > timeout {
                bail!("{} was not ready after {} s:\n{}", self.name, timeout.as_secs(), self.last_lines());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// An error naming the service, with its last lines, when it has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!(
                "{} ended by itself ({status}); the end of {}:\n{}",
                self.name,
                self.log.display(),
                self.last_lines()
            );
        }
        Ok(())
    }

    pub(crate) fn last_lines(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        stop_group(&mut self.child, self.stop_signal);
    }
}

/// A port of the loopback interface that is free now: the preferred one when it is, else any.
pub(crate) fn free_port(preferred: u16) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, preferred))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// The program and its arguments, as a person would type them.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(text, " {}", argument.to_string_lossy());
    }
    text
}

fn spawn(command: &mut Command, name: &str) -> Result<Child> {
    command.spawn().with_context(|| format!("cannot start {name}"))
}

fn collect(reader: &mut impl Read, echo: bool) -> String {
    let mut text = String::new();
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let shown = String::from_utf8_lossy(&line);
        if echo {
            let mut terminal = anstream::stdout().lock();
            let _ = write!(terminal, "{shown}");
        }
        text.push_str(&shown);
        line.clear();
    }
    text
}

/// The end of a text; of a long one also its beginning, where many programs say what went wrong.
fn extract(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= HEAD_LINES + TAIL_LINES {
        return lines.join("\n");
    }
    let (head, tail) = (&lines[..HEAD_LINES], &lines[lines.len() - TAIL_LINES..]);
    format!("{}\n[…]\n{}", head.join("\n"), tail.join("\n"))
}

/// Asks the whole group to stop, waits, then makes it.
fn stop_group(child: &mut Child, signal: Signal) {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    if !matches!(child.try_wait(), Ok(Some(_))) {
        let _ = kill_process_group(group, signal);
        let start = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(POLL);
        }
    }
    // Also when the leader is gone: what it started may not be.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{Service, extract, must, run, succeeds};

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let text: Vec<String> = (1..=100).map(|line| line.to_string()).collect();
        let kept = extract(&text.join("\n"));
        assert!(kept.starts_with("1\n2\n") && kept.contains("\n8\n[…]\n76\n") && kept.ends_with("\n100"));
        assert_eq!(extract("a\nb"), "a\nb");
    }

    #[test]
    fn both_outputs_are_kept_in_order() -> anyhow::Result<()> {
        let finished = run(Command::new("sh").args(["-c", "echo a; echo b >&2; echo c; exit 3"]), false)?;
        assert_eq!(finished.output, "a\nb\nc\n");
        assert_eq!(finished.status.code(), Some(3));
        Ok(())
    }

    #[test]
    fn a_failed_program_is_an_error_with_what_it_said() {
        let error =
            must(Command::new("sh").args(["-c", "echo why; exit 1"])).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("why")));
    }

    #[test]
    fn stopping_a_service_stops_what_it_started() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("child");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let mut service =
            Service::start("a shell", Command::new("sh").args(["-c", &script]), folder.path().join("log"))?;
        let written = || std::fs::read_to_string(&file).unwrap_or_default();
        service.wait_until(Duration::from_secs(10), || written().ends_with('\n'))?;
        drop(service);
        let child = written().trim().to_owned();
        let start = Instant::now();
        // Whoever adopts it reaps it; until then it is still listed.
        while succeeds(Command::new("kill").args(["-0", &child])) && start.elapsed() < Duration::from_secs(5)
        {
        }
        assert!(!succeeds(Command::new("kill").args(["-0", &child])));
        Ok(())
    }

    #[test]
    fn a_service_that_ends_by_itself_is_an_error_with_its_last_lines() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut service = Service::start(
            "a shell",
            Command::new("sh").args(["-c", "echo why"]),
            folder.path().join("log"),
        )?;
        let error =
            service.wait_until(Duration::from_secs(10), || false).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("a shell ended") && text.contains("why")));
        Ok(())
    }
}
