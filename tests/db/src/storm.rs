//! A seeded storm of money calls from many connections, some of which drop the line at a random point and ask again with the
//! same key. Afterwards the books must be right, and every answer must be in them exactly once.

mod answers;
mod client;
mod plan;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::call::Caller;
use crate::database::TestDatabase;
use crate::{Call, Session};
use answers::Answers;
use client::Client;
use world::World;

/// So many connections call at once.
pub const CLIENTS: usize = 16;
/// A long storm says so often how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// How long and which storm.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// The same seed draws the same calls; what they meet depends on who comes first.
    pub seed: u64,
    /// How many calls that move money, or are refused.
    pub operations: usize,
    /// One call with a key in so many is cut off at a random point.
    pub one_hang_up_in: u32,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Report {
    /// How often each call ended how: `charge ok`, `refund PT409 REFUND_EXCEEDS_REMAINING`.
    pub ends: BTreeMap<String, usize>,
    /// Lines dropped with a call in flight.
    pub hang_ups: usize,
    /// Dropped calls whose first try turned out to have committed.
    pub found_committed: usize,
    /// Answers asked for again and compared.
    pub replays: usize,
}

impl Storm {
    /// Runs it, then holds the books and the answers against each other.
    ///
    /// # Errors
    /// What was wrong.
    pub async fn run(self, db: &TestDatabase) -> Result<Report> {
        let world = Arc::new(World::make(db, self.operations).await?);
        let before = Answers::count_unkeyed(db).await?;
        let left = Arc::new(AtomicUsize::new(self.operations));
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let client = Client::new(db, Arc::clone(&world), self, number).await?;
            clients.push(tokio::spawn(client.work(Arc::clone(&left))));
        }
        let progress = tokio::spawn(tell_progress(Arc::clone(&left), self.operations));
        let (mut report, mut answers) = (Report::default(), Answers::default());
        for client in clients {
            let (part, known) = client.await??;
            report.add(part);
            answers.add(known)?;
        }
        progress.abort();
        answers.check(db, before).await?;
        db.check_ledger().await?;
        Ok(report)
    }
}

/// Runs until it is ended; a short storm hears nothing of it.
async fn tell_progress(left: Arc<AtomicUsize>, all: usize) {
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        println!("{} of {all} calls", all - left.load(Ordering::Relaxed));
    }
}

/// Takes one operation of those that are left.
fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)).is_ok()
}

impl Report {
    fn count(&mut self, end: String) {
        *self.ends.entry(end).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        self.hang_ups += other.hang_ups;
        self.found_committed += other.found_committed;
        self.replays += other.replays;
    }

    /// How many calls ended so.
    pub fn ended(&self, end: &str) -> usize {
        self.ends.get(end).copied().unwrap_or_default()
    }
}
