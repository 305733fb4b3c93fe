//! `cargo xtask dev`: the whole system on this machine with demo data, until Ctrl-C.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use anstream::println;
use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build;
use crate::cache::compiled;
use crate::forecast::{Forecast, Plan};
use crate::lanes;
use crate::process;
use crate::report;
use crate::repository::Repository;
use crate::services::edge::{Edge, Settings};
use crate::services::keys::Keys;
use crate::services::lite::{Lite, Project};
use crate::services::www::{self, DemoLogin};
use crate::setup::{self, Need};

/// How often a service that ended by itself is noticed.
const WATCH: Duration = Duration::from_millis(200);

const DEMO_PASSWORD: &str = "demo-password-1234";

/// Who can sign in, what he is, and his button on the sign-in page; supabase/seed.sql makes them.
const DEMO_USERS: &[(&str, &str, &str)] = &[
    ("ming@demo.example", "member, silver", "王小明 · 會員"),
    ("hua@demo.example", "member, owns a shared card", "李小華 · 會員"),
    ("cashier@demo.example", "cashier of SHOP001, terminal K7Q2ZD", "示範咖啡 · 收銀員"),
    ("admin@demo.example", "administrator", "管理者"),
];

/// The steps of a first start, by their names elsewhere.
const PLAN: Plan = &[
    &[&[("wasm-bindgen", 65), ("worker-build", 100)], &[("wasm32 target", 10), ("npm packages", 40)]],
    &[&[("edge for development", 140)], &[("npm package", 80), ("web site", 10)]],
];

/// Run Supabase, the edge and the web site here, with demo data, until Ctrl-C
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask dev\n  cargo xtask dev --fresh\n  cargo xtask dev --port-www 8080"
)]
pub(crate) struct Options {
    /// Begin with new demo data; otherwise it is kept until the migrations or the seed change
    #[arg(long)]
    fresh: bool,
    /// Port of the web site; a free one when it is taken
    #[arg(long, default_value_t = 5173, value_name = "PORT")]
    port_www: u16,
    /// Port of the edge; a free one when it is taken
    #[arg(long, default_value_t = 8787, value_name = "PORT")]
    port_edge: u16,
    /// Port of Supabase; a free one when it is taken
    #[arg(long, default_value_t = 54321, value_name = "PORT")]
    port_supabase: u16,
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let start = Instant::now();
    let mut lock = lock(repository)?;
    build_all(repository)?;

    let www_port = choose_port("the web site", options.port_www)?;
    let edge_port = choose_port("the edge", options.port_edge)?;
    let supabase_port = choose_port("Supabase", options.port_supabase)?;

    let logs = repository.logs()?;
    let keys = Keys::kept_in(&repository.state("dev.env"))?;
    let project =
        Project::on_pglite(repository, &repository.state("lite/dev"), supabase_port, &keys, options.fresh)?;
    // From here on children inherit the lock: the two services, and no compiler that ends a moment after an interrupt.
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
    let mut lite = project.start(logs.join("supabase.log"))?;
    let www_url = format!("http://127.0.0.1:{www_port}");
    let origins = format!("{www_url},http://localhost:{www_port}");
    let settings = Settings { port: edge_port, supabase_url: &lite.url(), keys: &keys, origins: &origins };
    let folder = repository.join(build::DEV_FOLDER);
    let mut edge = Edge::start_build(repository, &folder, &settings, &[], logs.join("edge.log"))?;
    // Minus signs, as `kill` wants the numbers of process groups.
    write!(lock, " -{} -{}", lite.service().id(), edge.service().id())?;
    let config = www::config(&edge.url(), &keys.publishable, &demo_logins());
    www::serve(repository.join("www/dist"), www_port, config, &lite.url())?;
    edge.wait_until_ready()?;
    lite.wait_until_ready()?;

    show(&www_url, &edge, &lite, start.elapsed());
    watch(&mut edge, &mut lite)
}

/// Builds everything, the edge beside the pages, and tells how long that will still take.
fn build_all(repository: &Repository) -> Result<()> {
    let _forecast = Forecast::of(PLAN);
    setup::ensure(repository, Need::BUILD)?;
    report::step("compiled dependencies", || compiled::restore(repository))?;
    lanes::beside(
        || build::dev_edge(repository),
        || {
            build::package(repository)?;
            build::www(repository)
        },
    )?;
    report::step("compiled dependencies, for the next checkout", || compiled::keep(repository))
}

fn demo_logins() -> Vec<DemoLogin<'static>> {
    DEMO_USERS.iter().map(|&(email, _, label)| DemoLogin { label, email, password: DEMO_PASSWORD }).collect()
}

/// Waits for Ctrl-C; a service that ends before is an error. Leaving stops both.
fn watch(edge: &mut Edge, lite: &mut Lite) -> Result<()> {
    while !process::is_interrupted() {
        edge.service().check_alive()?;
        lite.service().check_alive()?;
        thread::sleep(WATCH);
    }
    println!("\nstopped");
    Ok(())
}

/// One at a time in a checkout: two would write the same data. The services inherit the lock, so that those of a run
/// that was killed, and could not stop them, are noticed too.
fn lock(repository: &Repository) -> Result<File> {
    fs::create_dir_all(repository.state("")).context("cannot make .mps")?;
    let path = repository.state("dev.lock");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        let mut services = String::new();
        let _ = file.read_to_string(&mut services);
        bail!(
            "`cargo xtask dev` runs in this checkout already: stop it with Ctrl-C in its terminal; if it was killed, \
             stop what it left with `kill --{services}`"
        );
    }
    file.set_len(0)?;
    Ok(file)
}

fn choose_port(what: &str, preferred: u16) -> Result<u16> {
    let port = process::free_port(preferred)?;
    if port != preferred {
        report::progress(&format!("port {preferred} is taken; {what} takes {port}"));
    }
    Ok(port)
}

fn show(www_url: &str, edge: &Edge, lite: &Lite, elapsed: Duration) {
    let mut lines = vec![
        format!("web site   {www_url}"),
        format!("edge       {}", edge.url()),
        format!("Supabase   {}", lite.url()),
        String::new(),
        format!("demo log-ins, password {DEMO_PASSWORD}"),
    ];
    lines.extend(DEMO_USERS.iter().map(|(email, role, _)| format!("  {email:<22} {role}")));
    lines.push(String::new());
    lines.push("logs in .mps/logs, keys in .mps/dev.env".to_owned());
    lines.push(format!("ready after {:.1} s; Ctrl-C stops everything", elapsed.as_secs_f64()));
    println!("\n{}", boxed(&lines));
}

fn boxed(lines: &[String]) -> String {
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let rule = "─".repeat(width + 2);
    let body: Vec<String> = lines.iter().map(|line| format!("│ {line:<width$} │")).collect();
    format!("╭{rule}╮\n{}\n╰{rule}╯", body.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::boxed;

    #[test]
    fn a_box_is_as_wide_as_its_longest_line() {
        assert_eq!(boxed(&["a".to_owned(), "bcd".to_owned()]), "╭─────╮\n│ a   │\n│ bcd │\n╰─────╯");
    }
}
