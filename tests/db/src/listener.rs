//! A connection that also hears what the server says beside its answers, such as the plans of `auto_explain`.

use std::future::poll_fn;

use anyhow::Result;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Socket};

use crate::call::Caller;
use crate::database::TestDatabase;

/// What a server said while it ran a call.
pub struct Heard {
    /// The messages, in their order.
    pub messages: Vec<String>,
    /// Why the call was refused, if it was.
    pub refusal: Option<String>,
}

/// A superuser's connection that keeps the server's messages.
pub struct Listener {
    client: Client,
    messages: UnboundedReceiver<String>,
}

type Stream = <NoTls as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream;

async fn keep_messages(mut connection: Connection<Socket, Stream>, kept: UnboundedSender<String>) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message
            && kept.send(notice.message().to_owned()).is_err()
        {
            break;
        }
    }
}

impl TestDatabase {
    /// A further connection that keeps the server's messages.
    ///
    /// # Errors
    /// When the server gives none.
    pub async fn listener(&self) -> Result<Listener> {
        let (client, connection) = self.config.connect(NoTls).await?;
        let (kept, messages) = unbounded_channel();
        tokio::spawn(keep_messages(connection, kept));
        Ok(Listener { client, messages })
    }
}

impl Listener {
    /// Runs statements as the superuser.
    ///
    /// # Errors
    /// When one fails.
    pub async fn run(&self, statements: &str) -> Result<()> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// Runs a statement as its caller and takes it back; `around` are statements of the superuser before it, in the same transaction.
    ///
    /// # Errors
    /// When the connection breaks or what comes before the statement fails.
    pub async fn overhear(&mut self, caller: &Caller, around: &str, statement: &str) -> Result<Heard> {
        self.run(&format!("begin; {around}")).await?;
        if let Some((role, claims)) = caller.role_and_claims() {
            self.run(&format!("set local role {role}; set local request.jwt.claims = '{claims}'")).await?;
        }
        while self.messages.try_recv().is_ok() {}
        let refusal = match self.client.batch_execute(statement).await {
            Ok(()) => None,
            Err(error) => match error.as_db_error() {
                Some(refused) => Some(refused.to_string()),
                None => return Err(error.into()),
            },
        };
        let mut messages = Vec::new();
        while let Ok(message) = self.messages.try_recv() {
            messages.push(message);
        }
        self.run("rollback").await?;
        Ok(Heard { messages, refusal })
    }
}
