//! One client of the storm: calls, hangs up now and then, asks again with the same key until it knows.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::answers::{Answers, Made};
use super::plan::{self, Intent, Step, Then};
use super::world::{Ordered, Paid, World};
use super::{Call, Report, Session, Storm, take_one};
use crate::call::{Outcome, label};
use crate::database::{Line, TestDatabase};
use crate::session::Patience;

/// One answer in so many is asked for again.
const ONE_REPLAY_IN: u32 = 10;
/// Whoever hangs up waits at most so long.
const PATIENCE_MICROS_MAX: u64 = 3000;

pub(super) struct Client {
    world: Arc<World>,
    line: Line,
    session: Session,
    rng: fastrand::Rng,
    seed: u64,
    one_hang_up_in: u32,
    number: usize,
    calls: usize,
    report: Report,
    answers: Answers,
}

impl Client {
    pub(super) async fn new(
        db: &TestDatabase,
        world: Arc<World>,
        Storm { seed, one_hang_up_in, .. }: Storm,
        number: usize,
    ) -> Result<Self> {
        let line = db.line();
        let session = line.session().await?;
        // Any odd factor keeps the clients' draws apart.
        let rng = fastrand::Rng::with_seed(seed ^ (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (report, answers) = (Report::default(), Answers::default());
        Ok(Self { world, line, session, rng, seed, one_hang_up_in, number, calls: 0, report, answers })
    }

    pub(super) async fn work(mut self, left: Arc<AtomicUsize>) -> Result<(Report, Answers)> {
        while take_one(&left) {
            self.calls += 1;
            let key = format!("storm-{}-{}-{}", self.seed, self.number, self.calls);
            match plan::next(&self.world, &mut self.rng, key.clone()) {
                Step::Charge { rotate, shop, amount } => self.charge(rotate, shop, &amount, key).await?,
                Step::Keyed(intent) => self.fulfil(intent).await?,
                Step::Disturb(name, call) => {
                    let outcome = self.session.call(&call).await?;
                    self.count(name, &outcome)?;
                    if let ("settlement", Ok(made)) = (name, outcome) {
                        self.world.remember_settlement(made.text("settlement_id"));
                    }
                }
            }
        }
        Ok((self.report, self.answers))
    }

    async fn charge(&mut self, rotate: Call, shop: usize, amount: &str, key: String) -> Result<()> {
        match self.session.call(&rotate).await? {
            Ok(code) => {
                let intent = plan::charge_of(&self.world, shop, code.text("qr_plain"), amount, key);
                self.fulfil(intent).await
            }
            Err(refusal) => self.count("rotate", &Err(refusal)),
        }
    }

    /// Calls until the end is known, and remembers it.
    async fn fulfil(&mut self, intent: Intent) -> Result<()> {
        let mut was_cut_off = false;
        let outcome = loop {
            let hangs_up = !was_cut_off && self.rng.u32(0..self.one_hang_up_in) == 0;
            if !hangs_up {
                break self.session.call(&intent.call).await?;
            }
            if let Some(outcome) = self.call_and_hang_up(&intent.call).await? {
                break outcome;
            }
            was_cut_off = true;
        };
        self.count(intent.name, &outcome)?;
        let Ok(answer) = outcome else { return Ok(()) };
        if was_cut_off && answer.text("replayed") == "true" {
            self.report.found_committed += 1;
        }
        if self.rng.u32(0..ONE_REPLAY_IN) == 0 {
            let again = self.session.call(&intent.call).await?;
            let again = again.ok().context("a committed call was refused when asked for again")?;
            ensure!(again.without("replayed") == answer.without("replayed"), "{again:?} is not {answer:?}");
            self.report.replays += 1;
        }
        match intent.then {
            Then::Nothing => {}
            Then::Refund(shop) => self.world.remember(Paid { shop, tx_no: answer.text("tx_no").to_owned() }),
            Then::Pay => {
                let text = |column| answer.text(column).to_owned();
                self.world.remember_order(Ordered { order_no: text("order_no"), amount: text("amount") });
            }
        }
        self.answers.remember(intent.key, Made::new(answer.text(intent.result), answer.text(intent.amount)))
    }

    /// Nothing when the line was dropped before the end was known.
    async fn call_and_hang_up(&mut self, call: &Call) -> Result<Option<Outcome>> {
        let time = Duration::from_micros(self.rng.u64(0..PATIENCE_MICROS_MAX));
        let patience = if self.rng.bool() { Patience::ForAnswer(time) } else { Patience::ForCommit(time) };
        let outcome = self.session.call_impatiently(call, patience).await?;
        if outcome.is_none() {
            let fresh = self.line.session().await?;
            std::mem::replace(&mut self.session, fresh).hang_up();
            self.report.hang_ups += 1;
        }
        Ok(outcome)
    }

    /// Counts an end; one that is no refusal of the catalogue ends the storm.
    fn count(&mut self, name: &str, outcome: &Outcome) -> Result<()> {
        if let Err(refusal) = outcome {
            ensure!(refusal.state.starts_with("PT4"), "{name} ended with {}", refusal.label());
        }
        self.report.count(format!("{name} {}", label(outcome)));
        Ok(())
    }
}
