//! A database of its own for each test, copied from the template that `cargo xtask test` prepares, and gone afterwards.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Config, NoTls};

use crate::call::{Call, Caller};
use crate::session::Session;

const URL_VARIABLE: &str = "MPS_TEST_PG_URL";
const TEMPLATE: &str = "mps_template";

/// Any number that nobody else takes as an advisory lock in database `postgres`.
const TURN: i64 = 0x6D70_735F_6462;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A copy of the template: schema, default settings and the fixtures' functions, no members.
pub struct TestDatabase {
    pub(crate) config: Config,
    /// The superuser's session, for what a test prepares and looks at.
    pub(crate) owner: Session,
    /// Sessions that have run a race before.
    pub(crate) idle: Mutex<Vec<Session>>,
}

/// Runs a test on a fresh database, and drops that, however the test ends.
///
/// Tests take turns, also across processes: a race needs the machine and the server's connections to itself, and of two
/// copies of one template at once one fails.
///
/// # Errors
/// The test's own, or what kept its database from being made.
pub fn on_a_fresh_database(test: impl AsyncFnOnce(&TestDatabase) -> Result<()>) -> Result<()> {
    let url = env::var(URL_VARIABLE).with_context(|| {
        format!("{URL_VARIABLE} is not set: run these tests with `cargo xtask test --only db`")
    })?;
    let server: Config = url.parse().with_context(|| format!("{URL_VARIABLE} is no address"))?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let name = format!("mps_test_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let mut config = server.clone();
    config.dbname(&name);

    let (maintenance, _) = runtime.block_on(connect(&server))?;
    let create = format!("create database \"{name}\" template \"{TEMPLATE}\"");
    runtime.block_on(async {
        maintenance.execute("select pg_advisory_lock($1)", &[&TURN]).await?;
        maintenance.batch_execute(&create).await
    })?;
    let ended = catch_unwind(AssertUnwindSafe(|| run(&runtime, config, test)));
    let dropped =
        runtime.block_on(maintenance.batch_execute(&format!("drop database \"{name}\" with (force)")));
    match ended {
        Ok(result) => result.and(dropped.context("the database was not dropped")),
        Err(panic) => resume_unwind(panic),
    }
}

fn run(runtime: &Runtime, config: Config, test: impl AsyncFnOnce(&TestDatabase) -> Result<()>) -> Result<()> {
    runtime.block_on(async {
        let owner = Session::new(connect(&config).await?).await?;
        let database = TestDatabase { config, owner, idle: Mutex::default() };
        database.run("select fx.ensure_master_key()").await?;
        test(&database).await
    })
}

/// Connects; the connection's task ends with the client, or drops the line when it is aborted.
async fn connect(config: &Config) -> Result<(Client, AbortHandle)> {
    let (client, connection) = config.connect(NoTls).await.context("no connection to PostgreSQL")?;
    let line = tokio::spawn(connection);
    Ok((client, line.abort_handle()))
}

/// Where further connections come from; outlives no database.
#[derive(Clone)]
pub(crate) struct Line(Config);

impl Line {
    pub(crate) async fn session(&self) -> Result<Session> {
        Session::new(connect(&self.0).await?).await
    }
}

impl TestDatabase {
    pub(crate) fn line(&self) -> Line {
        Line(self.config.clone())
    }

    /// A further connection.
    ///
    /// # Errors
    /// When the server gives none.
    pub async fn session(&self) -> Result<Session> {
        Session::new(connect(&self.config).await?).await
    }

    /// Runs statements as the superuser.
    ///
    /// # Errors
    /// When one fails.
    pub async fn run(&self, statements: &str) -> Result<()> {
        self.owner.client().batch_execute(statements).await.with_context(|| statements.to_owned())
    }

    /// The first column of the first row, as text; parameters are text.
    ///
    /// # Errors
    /// When the statement fails or answers no row.
    pub async fn text(&self, statement: &str, parameters: &[&str]) -> Result<String> {
        let texts = self.texts(statement, parameters).await?;
        texts.into_iter().next().flatten().with_context(|| format!("nothing: {statement}"))
    }

    /// The first column of each row, as text.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn texts(&self, statement: &str, parameters: &[&str]) -> Result<Vec<Option<String>>> {
        self.owner.texts(statement, parameters).await
    }

    /// Holds the books against their rules, as the service does.
    ///
    /// # Errors
    /// Each violation that `verify_ledger` names.
    pub async fn check_ledger(&self) -> Result<()> {
        let call = Call::new(
            Caller::Service,
            "select coalesce(jsonb_agg(v), '[]')::text from public.verify_ledger() v",
            &[],
        );
        let violations = self.owner.raw(&call).await?;
        ensure!(violations == "[]", "the books are wrong: {violations}");
        Ok(())
    }
}
