//! One connection: a call as PostgREST makes it, a call left in flight, and many calls at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::Barrier;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use crate::call::{Answer, Call, Outcome, Refusal};
use crate::database::TestDatabase;

/// When a client loses patience, and after how long.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// The call was sent; an answer that came is never committed.
    ForAnswer(Duration),
    /// The commit was sent.
    ForCommit(Duration),
}

/// A connection and the process that serves it.
pub struct Session {
    client: Client,
    process: String,
    line: AbortHandle,
    prepared: Mutex<HashMap<String, Statement>>,
}

impl Session {
    pub(crate) async fn new((client, line): (Client, AbortHandle)) -> Result<Self> {
        let process = client.query_one("select pg_backend_pid()::text", &[]).await?.try_get(0)?;
        Ok(Self { client, process, line, prepared: Mutex::default() })
    }

    /// Drops the line without a word, as a phone in a tunnel does: whatever was in flight has an unknown end.
    pub(crate) fn hang_up(self) {
        self.line.abort();
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn texts(&self, statement: &str, parameters: &[&str]) -> Result<Vec<Option<String>>> {
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(statement, &parameters).await.with_context(|| statement.to_owned())?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn prepare(&self, call: &Call) -> Result<Statement> {
        let known =
            self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(&call.statement).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(&call.statement).await?;
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.insert(call.statement.clone(), statement.clone());
        Ok(statement)
    }

    /// Opens a transaction with the caller's role and claims.
    async fn begin(&self, call: &Call) -> Result<Statement> {
        let statement = self.prepare(call).await?;
        let begin = match call.caller.role_and_claims() {
            Some((role, claims)) => format!(
                "begin; set local role {role}; select set_config('request.jwt.claims', '{}', true)",
                claims.replace('\'', "''")
            ),
            None => "begin".to_owned(),
        };
        self.client.batch_execute(&begin).await?;
        Ok(statement)
    }

    async fn query(&self, call: &Call, statement: &Statement) -> Result<String, Error> {
        let parameters: Vec<&(dyn ToSql + Sync)> =
            call.parameters.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        self.client.query_one(statement, &parameters).await?.try_get(0)
    }

    /// Begins a call and leaves its transaction open; a refused one is over.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn leave_open(&self, call: &Call) -> Result<Outcome> {
        let statement = self.begin(call).await?;
        self.execute(call, &statement).await
    }

    async fn execute(&self, call: &Call, statement: &Statement) -> Result<Outcome> {
        match self.query(call, statement).await {
            Ok(json) => Answer::from_json(&json).map(Ok),
            Err(error) => {
                self.roll_back().await?;
                refusal(error).map(Err)
            }
        }
    }

    /// Commits what was left open.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn commit(&self) -> Result<()> {
        Ok(self.client.batch_execute("commit").await?)
    }

    /// Runs one more statement in what was left open, past every right, and commits both.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn commit_with(&self, statement: &str) -> Result<()> {
        Ok(self.client.batch_execute(&format!("reset role; {statement}; commit")).await?)
    }

    /// Gives up what was left open.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn roll_back(&self) -> Result<()> {
        Ok(self.client.batch_execute("rollback").await?)
    }

    /// One call in a transaction of its own.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn call(&self, call: &Call) -> Result<Outcome> {
        let statement = self.begin(call).await?;
        self.finish(call, &statement).await
    }

    async fn finish(&self, call: &Call, statement: &Statement) -> Result<Outcome> {
        let outcome = self.execute(call, statement).await?;
        if outcome.is_ok()
            && let Err(error) = self.client.batch_execute("commit").await
        {
            return refusal(error).map(Err);
        }
        Ok(outcome)
    }

    /// A call whose client loses patience, with the query or with the commit in flight; nothing when it did.
    pub(crate) async fn call_impatiently(&self, call: &Call, patience: Patience) -> Result<Option<Outcome>> {
        let statement = self.begin(call).await?;
        let answered = match patience {
            Patience::ForAnswer(time) => {
                timeout(time, self.execute(call, &statement)).await.ok().transpose()?
            }
            Patience::ForCommit(_) => Some(self.execute(call, &statement).await?),
        };
        match (answered, patience) {
            (None | Some(Ok(_)), Patience::ForAnswer(_)) => Ok(None),
            (Some(Ok(answer)), Patience::ForCommit(time)) => match timeout(time, self.commit()).await {
                Ok(committed) => committed.map(|()| Some(Ok(answer))),
                Err(_) => Ok(None),
            },
            (refused, _) => Ok(refused),
        }
    }

    /// One call's text, whatever it is; a refusal is an error.
    pub(crate) async fn raw(&self, call: &Call) -> Result<String> {
        let statement = self.begin(call).await?;
        let text = self.query(call, &statement).await?;
        self.commit().await?;
        Ok(text)
    }

    /// Runs the call and takes it back, so that what a connection does only the first time is done.
    async fn rehearse(&self, call: &Call) -> Result<()> {
        if self.leave_open(call).await?.is_ok() {
            self.roll_back().await?;
        }
        Ok(())
    }

    /// Makes ready, waits for everybody else, then calls.
    async fn compete(self, call: Call, start: Arc<Barrier>) -> (Self, Result<Outcome>) {
        let ready = self.begin(&call).await;
        start.wait().await;
        let outcome = match ready {
            Ok(statement) => self.finish(&call, &statement).await,
            Err(error) => Err(error),
        };
        (self, outcome)
    }
}

/// What the database itself refused, a deadlock included; anything else is no outcome.
fn refusal(error: Error) -> Result<Refusal> {
    match error.as_db_error() {
        Some(refused) => Ok(Refusal::from(refused)),
        None => Err(error.into()),
    }
}

impl TestDatabase {
    /// One call in a transaction of its own.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn call(&self, call: impl Into<Call>) -> Result<Outcome> {
        self.owner.call(&call.into()).await
    }

    /// All calls at once, each on its own connection and in its own transaction; outcomes in the order of the calls.
    ///
    /// # Errors
    /// When a connection breaks.
    pub async fn at_once(&self, calls: Vec<Call>) -> Result<Vec<Outcome>> {
        let mut sessions = self.experienced_sessions(&calls).await?;
        let start = Arc::new(Barrier::new(calls.len()));
        let contenders: Vec<_> = calls
            .into_iter()
            .zip(sessions.drain(..))
            .map(|(call, session)| tokio::spawn(session.compete(call, Arc::clone(&start))))
            .collect();
        let mut outcomes = Vec::new();
        for contender in contenders {
            let (session, outcome) = contender.await?;
            sessions.push(session);
            outcomes.push(outcome?);
        }
        self.put_back(sessions);
        Ok(outcomes)
    }

    /// Sessions that have done this before, so that none comes late to its first race.
    async fn experienced_sessions(&self, calls: &[Call]) -> Result<Vec<Session>> {
        let mut sessions = self.take_idle(calls.len());
        let mut novices = Vec::new();
        for call in &calls[sessions.len()..] {
            let (session, call) = (self.session().await?, call.clone());
            novices.push(tokio::spawn(async move {
                session.rehearse(&call).await?;
                anyhow::Ok(session)
            }));
        }
        for novice in novices {
            sessions.push(novice.await??);
        }
        Ok(sessions)
    }

    fn take_idle(&self, most: usize) -> Vec<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let left = idle.len().saturating_sub(most);
        idle.split_off(left)
    }

    fn put_back(&self, sessions: Vec<Session>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(sessions);
    }

    /// Starts a call on a connection of its own, and comes back once PostgreSQL says that it waits for `holder`, or for
    /// somebody who waits for that.
    ///
    /// # Errors
    /// When the call ended without having waited.
    pub async fn start_behind(&self, holder: &impl Process, call: impl Into<Call>) -> Result<InFlight> {
        let (session, call) = (self.session().await?, call.into());
        let process = session.process.clone();
        let running = tokio::spawn(async move { session.call(&call).await });
        self.until_it_waits(InFlight { process, running }, holder).await
    }

    /// Comes back once a call waits for `holder` too, or for somebody who waits for that.
    ///
    /// # Errors
    /// When the call ended without having waited.
    pub async fn until_it_waits(&self, call: InFlight, holder: &impl Process) -> Result<InFlight> {
        while self.text(WAITS, &[call.process(), holder.process()]).await? != "true" {
            if call.running.is_finished() {
                bail!("it did not wait, and ended with {:?}", call.outcome().await?);
            }
        }
        Ok(call)
    }
}

/// Whether one process waits for another, at first or second hand and further.
const WAITS: &str = "
    with recursive blocking (process) as (
      select unnest(pg_blocking_pids($1::text::int))
      union
      select unnest(pg_blocking_pids(b.process)) from blocking b)
    select exists (select from blocking b where b.process = $2::text::int)::text";

/// Who can be waited for.
pub trait Process {
    /// The number of the process that serves it.
    fn process(&self) -> &str;
}

impl Process for Session {
    fn process(&self) -> &str {
        &self.process
    }
}

impl Process for InFlight {
    fn process(&self) -> &str {
        &self.process
    }
}

/// A call that waits for somebody's lock.
pub struct InFlight {
    process: String,
    running: JoinHandle<Result<Outcome>>,
}

impl InFlight {
    /// How it ended.
    ///
    /// # Errors
    /// When its connection broke.
    pub async fn outcome(self) -> Result<Outcome> {
        self.running.await?
    }
}
