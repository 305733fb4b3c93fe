//! The stages `e2e` and `browser`: the services of each, started for it and stopped after it.

use std::fs;
use std::path::{Path, PathBuf};

use anstream::println;
use anyhow::{Context, Result};

use super::runner::Selection;
use super::tally::Tally;
use super::{TestContext, backups, runner, secrets};
use crate::build;
use crate::files;
use crate::process::{Service, free_port};
use crate::release;
use crate::report;
use crate::repository::Repository;
use crate::services::edge::{Edge, Settings};
use crate::services::keys::Keys;
use crate::services::lite::{Lite, Project};
use crate::services::postrust::Postrust;
use crate::services::www;
use crate::setup::{chromium, nginx, postrust};

const E2E_DATABASE: &str = "mps_e2e";

/// The pages of this origin may read the answers of the edge.
const E2E_ORIGIN: &str = "https://wallet.example";

/// The one test that makes an edge panic.
const OF_THE_PANICKING_EDGE: &str = "a_panic_answers_500_and_all_others_in_flight_are_answered";

/// Quotas that a test uses up in a moment, in windows that outlast it.
const LIMITS: &[(&str, &str)] = &[
    ("RATE_LIMIT_USER", "200/60"),
    ("RATE_LIMIT_PAYMENT", "50/60"),
    ("RATE_LIMIT_ADDRESS", "50/60"),
    ("TRUSTED_ADDRESS_HEADER", "X-Real-IP"),
];

/// The edge and Supabase Lite on the private PostgreSQL, so that tests can look into the tables and race.
pub(super) fn e2e(context: &mut TestContext) -> Result<Tally> {
    let (repository, filter, is_long) = (context.repository, context.filter, context.is_long);
    build::edge(repository)?;
    let cluster = context.cluster()?.cluster();
    cluster.create(E2E_DATABASE)?;
    let database = cluster.url(E2E_DATABASE);
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let keys = Keys::random()?;
    report::progress("applying the migrations and the demo data through Supabase Lite");
    let project = Project::on_postgres(repository, folder.path(), free_port(0)?, &keys, &database)?;
    cluster.execute_file(E2E_DATABASE, &repository.join("supabase/tests/fixtures.sql"))?;

    let ops_token = Keys::random()?.jwt_secret;
    let operator = [("OPS_TOKEN", ops_token.as_str())];
    let mut backend = Backend::start(repository, &project, &keys, "e2e", E2E_ORIGIN, &operator)?;
    let limited =
        Settings { port: free_port(0)?, supabase_url: &backend.lite.url(), keys: &keys, origins: "" };
    let log = repository.logs()?.join("e2e-limited-edge.log");
    let mut limited = Edge::start_with(repository, &limited, LIMITS, log)?;
    limited.wait_until_ready()?;
    let start = |settings: &Settings, log| Edge::start(repository, settings, log);
    let (mut faulty, line) = before_a_played_upstream(repository, &keys, "faulty", start)?;
    let (mut of_keys, keys_upstream) = before_a_played_upstream(repository, &keys, "keys", start)?;
    let mut panicking = if is_long { Some(panicking_edge(repository, &keys)?) } else { None };
    let start = |settings: &Settings, log| Edge::start_wrangler(repository, settings, &operator, log);
    let (mut of_jobs, jobs_upstream) = before_a_played_upstream(repository, &keys, "wrangler", start)?;
    let log = repository.logs()?.join("e2e-postrust.log");
    let postrust = Postrust::start(&database, &keys.jwt_secret, log)?;
    let kept_secrets = folder.path().join("secrets");
    let logs_of_tests = logs_of_tests(repository, "e2e-edges")?;
    let mut environment = of_every_run(repository, &keys)?;
    environment.extend([
        ("MPS_E2E_EDGE_URL", backend.edge.url()),
        ("MPS_E2E_KEYS_EDGE_URL", of_keys.url()),
        ("MPS_E2E_KEYS_EDGE_LOG", of_keys.service().log().display().to_string()),
        ("MPS_E2E_KEYS_UPSTREAM", keys_upstream),
        ("MPS_E2E_JOBS_EDGE_URL", of_jobs.url()),
        ("MPS_E2E_JOBS_EDGE_LOG", of_jobs.service().log().display().to_string()),
        ("MPS_E2E_JOBS_UPSTREAM", jobs_upstream),
        ("MPS_E2E_SECRETS", kept_secrets.display().to_string()),
        ("MPS_E2E_POSTRUST_URL", postrust.url()),
        ("MPS_E2E_SUPABASE_URL", backend.lite.url()),
        ("MPS_E2E_DATABASE_URL", database),
        ("MPS_E2E_LIMITED_EDGE_URL", limited.url()),
        ("MPS_E2E_FAULTY_EDGE_URL", faulty.url()),
        ("MPS_E2E_FAULTY_UPSTREAM", line),
        ("MPS_E2E_OPS_TOKEN", ops_token),
        ("MPS_E2E_KEYS", folder.path().display().to_string()),
        ("MPS_E2E_LOGS", logs_of_tests.display().to_string()),
        ("MPS_E2E_EDGE_LOG", backend.edge.service().log().display().to_string()),
    ]);
    let panicking = panicking.as_mut().map(|(edge, upstream)| {
        environment
            .extend([("MPS_E2E_PANIC_EDGE_URL", edge.url()), ("MPS_E2E_PANIC_UPSTREAM", upstream.clone())]);
        edge
    });
    let left_out = if panicking.is_some() { None } else { Some(OF_THE_PANICKING_EDGE) };
    let selection = Selection { packages: &["mps-e2e"], filter, left_out };
    let mut tally = runner::rust_tests(repository, selection, &environment)?;
    let edges = [&mut backend.edge, &mut limited, &mut faulty, &mut of_keys, &mut of_jobs];
    let edges = edges.into_iter().chain(panicking);
    let mut logs: Vec<_> = edges.map(|edge| edge.service().log().to_owned()).collect();
    logs.extend(files::walk(&logs_of_tests)?.into_iter().filter(|path| is_log(path)));
    // A few chosen tests keep few secrets, and leave logs empty.
    if filter.is_none() {
        tally += secrets::check(&kept_secrets, &logs)?;
    }
    backend.show_logs_of(tally);
    if tally.failed > 0 {
        show_log(cluster.service());
    }
    Ok(tally)
}

/// The operator's commands, and what they start.
pub(super) fn operations(context: &mut TestContext) -> Result<Tally> {
    let (repository, filter) = (context.repository, context.filter);
    build::package(repository)?;
    build::edge(repository)?;
    build::www(repository)?;
    let cluster = context.cluster()?.cluster().url("postgres");
    let release = repository.state("release");
    let mps = operators_program(repository)?;
    release::make(repository, &release, "0.0.0+tests", Path::new(&mps))?;
    let environment = for_operations(repository, "operations", &release, cluster)?;
    let logs_of_tests = repository.logs()?.join("operations");
    let selection = Selection { packages: &["mps-operations-tests"], filter, left_out: Some(backups::TEST) };
    let tally = runner::rust_tests(repository, selection, &environment)?;
    if tally.failed > 0 {
        for path in files::walk(&logs_of_tests)?.iter().filter(|path| is_log(path)) {
            println!("{}", path.display());
        }
    }
    Ok(tally)
}

/// What tests are told that make an installation of a release; their logs are in a folder of that name.
pub(super) fn for_operations(
    repository: &Repository,
    name: &str,
    release: &Path,
    database: String,
) -> Result<Vec<(&'static str, String)>> {
    let mut environment = of_every_run(repository, &Keys::random()?)?;
    environment.extend([
        ("MPS_E2E_RELEASE", release.display().to_string()),
        ("MPS_E2E_DATABASE_URL", database),
        ("MPS_E2E_LOGS", logs_of_tests(repository, name)?.display().to_string()),
        // The proxy's configuration names one; nobody asks there.
        ("MPS_E2E_SUPABASE_URL", "http://127.0.0.1:9".to_owned()),
        ("MPS_OPS_POSTRUST", postrust::program()?.display().to_string()),
    ]);
    Ok(environment)
}

/// What the tests are told whatever is started: keys and programs.
fn of_every_run(repository: &Repository, keys: &Keys) -> Result<Vec<(&'static str, String)>> {
    let program = operators_program(repository)?;
    Ok(vec![
        ("MPS_E2E_ORIGIN", E2E_ORIGIN.to_owned()),
        ("MPS_E2E_PUBLISHABLE_KEY", keys.publishable.clone()),
        ("MPS_E2E_SECRET_KEY", keys.secret.clone()),
        ("MPS_E2E_JWT_SECRET", keys.jwt_secret.clone()),
        ("MPS_E2E_MPS", program),
        ("MPS_E2E_NGINX", nginx::require()?.display().to_string()),
        ("MPS_E2E_WORKERD", repository.npm_bin("workerd").display().to_string()),
    ])
}

/// The build that can be made to panic, and where its Supabase is played. It is compiled anew for each change of the edge, so that only a
/// long run has it.
fn panicking_edge(repository: &Repository, keys: &Keys) -> Result<(Edge, String)> {
    build::panicking_edge(repository)?;
    let start = |settings: &Settings, log| Edge::start_panicking(repository, settings, log);
    before_a_played_upstream(repository, keys, "panicking", start)
}

/// An edge whose Supabase the tests play, and the address where they are to play it.
fn before_a_played_upstream(
    repository: &Repository,
    keys: &Keys,
    name: &str,
    start: impl FnOnce(&Settings, PathBuf) -> Result<Edge>,
) -> Result<(Edge, String)> {
    let upstream = format!("127.0.0.1:{}", free_port(0)?);
    let url = format!("http://{upstream}");
    let settings = Settings { port: free_port(0)?, supabase_url: &url, keys, origins: "" };
    let mut edge = start(&settings, repository.logs()?.join(format!("e2e-{name}-edge.log")))?;
    edge.wait_until_ready()?;
    Ok((edge, upstream))
}

/// A new folder, where tests keep the logs of the edges that they start themselves.
pub(super) fn logs_of_tests(repository: &Repository, name: &str) -> Result<PathBuf> {
    let folder = repository.logs()?.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "log")
}

/// `mps`, as an operator runs it; where it is.
pub(super) fn operators_program(repository: &Repository) -> Result<String> {
    runner::build_program(repository, ["--bin", "mps"])?;
    Ok(repository.join("target/debug/mps").display().to_string())
}

/// The web site in a browser, everything behind it as `cargo xtask dev` has it.
pub(super) fn browser(context: &TestContext) -> Result<Tally> {
    let repository = context.repository;
    build::package(repository)?;
    build::edge(repository)?;
    build::www(repository)?;
    // A test runs it; compiling it is no part of a test.
    runner::build_program(repository, ["--example", "pay"])?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let keys = Keys::random()?;
    let project = Project::on_pglite(repository, folder.path(), free_port(0)?, &keys, true)?;
    let www_port = free_port(0)?;
    let www_url = format!("http://127.0.0.1:{www_port}");
    let mut backend = Backend::start(repository, &project, &keys, "browser", &www_url, &[])?;
    let config = www::config(&backend.edge.url(), &keys.publishable, &[]);
    www::serve(repository.join("www/dist"), www_port, config, &backend.lite.url())?;
    let environment = [
        ("MPS_WWW_URL", www_url),
        ("MPS_EDGE_URL", backend.edge.url()),
        ("MPS_SUPABASE_URL", backend.lite.url()),
        ("MPS_PUBLISHABLE_KEY", keys.publishable.clone()),
        ("MPS_CHROMIUM", chromium::require()?.display().to_string()),
    ];
    let tally = runner::node_tests(repository, Path::new("tests/browser"), &environment)?;
    backend.show_logs_of(tally);
    Ok(tally)
}

/// The npm package as a stranger gets it.
pub(super) fn packaging(context: &TestContext) -> Result<Tally> {
    build::package(context.repository)?;
    let environment = [("MPS_CHROMIUM", chromium::require()?.display().to_string())];
    runner::node_tests(context.repository, Path::new("tests/packaging"), &environment)
}

/// The two services behind every client.
pub(super) struct Backend {
    // Dropped in this order: the edge first, it calls the other.
    pub(super) edge: Edge,
    pub(super) lite: Lite,
}

impl Backend {
    pub(super) fn start(
        repository: &Repository,
        project: &Project,
        keys: &Keys,
        stage: &str,
        origins: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let logs = repository.logs()?;
        let lite = project.start(logs.join(format!("{stage}-supabase.log")))?;
        let settings = Settings { port: free_port(0)?, supabase_url: &lite.url(), keys, origins };
        let log = logs.join(format!("{stage}-edge.log"));
        let edge = Edge::start_with(repository, &settings, variables, log)?;
        let mut backend = Self { edge, lite };
        backend.lite.wait_until_ready()?;
        backend.edge.wait_until_ready()?;
        Ok(backend)
    }

    /// After a failure: where the logs are and how they end. A service that ended by itself is a failure too.
    pub(super) fn show_logs_of(&mut self, tally: Tally) {
        for service in [self.edge.service(), self.lite.service()] {
            if let Err(error) = service.check_alive() {
                report::error(&error);
            } else if tally.failed > 0 {
                show_log(service);
            }
        }
    }
}

fn show_log(service: &Service) {
    println!("\nthe end of {}:\n{}", service.log().display(), service.last_lines());
}
