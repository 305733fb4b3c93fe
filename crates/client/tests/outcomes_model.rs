//! What a caller is told is never overtaken: clients, the edge's retries and a database, with an adversary in between who delays, drops,
//! repeats and reorders requests, loses answers, tops up and drains the card, dismisses the cashier and kills the edge.
//!
//! The retries are the real ones; the database is a model of the rules of `app.claim_idempotency_key` and `app.cancel_idempotency_key`,
//! which tests/db holds on PostgreSQL.
#![allow(clippy::expect_used)]

#[path = "outcomes_model/adversary.rs"]
mod adversary;

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use adversary::{Choices, Hop, Line, PRICE, World};
use mps_client::retry::{Host, Policy, call_repeatedly};
use mps_client::rpc::{Charge, FindPayment, MerchantChargeByQr};
use mps_client::{AccessToken, ApiKey, CallContext, Caller, Client, RequestId, RpcError};
use mps_core::Money;

/// So many histories are drawn where they are too many to be gone through.
const SEEDS: u64 = 5_000;

/// Time passes only where it must: nothing here takes any.
#[derive(Default)]
pub(crate) struct ModelHost(Cell<Duration>);

impl Host for ModelHost {
    fn elapsed(&self) -> Duration {
        self.0.get()
    }

    fn jitter(&self, _most: Duration) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, length: Duration) {
        self.0.set(self.0.get() + length);
    }

    async fn within<T>(&self, _limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        Some(work.await)
    }
}

pub(crate) fn policy(attempts_max: u32) -> Policy {
    Policy { attempts_max, ..Policy::HOUSE }
}

pub(crate) fn context() -> CallContext {
    let caller = Caller::User(AccessToken::parse("t").expect("a token"));
    CallContext { caller, request_id: RequestId::parse("r").expect("an id") }
}

pub(crate) fn client_over(hop: Hop) -> Client {
    Client::over(Arc::new(hop), "http://model", ApiKey::parse("k").expect("a key"), None)
}

/// Runs what never waits; `None` when its process was killed on the way.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> Option<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// One charge; `None` when whoever retried was killed.
pub(crate) fn charge_over(client: &Client, attempts_max: u32) -> Option<Result<Charge, RpcError>> {
    let call = MerchantChargeByQr {
        merchant_code: "SHOP",
        qr_plain: "701234567890123456789017",
        raw_amount: Money::parse_price(PRICE).expect("an amount"),
        idempotency_key: Some("k"),
        tag: None,
        external_order_id: None,
        terminal_code: None,
    };
    run(call_repeatedly(client, &context(), &call, policy(attempts_max), &ModelHost::default()))
}

/// What the caller was told, held against the books once everything that was on its way has come, in any order, with money on the card.
fn check(world: &World, told: Option<&Result<Charge, RpcError>>, choices: &Choices) {
    let before = world.payments();
    world.deliver_all();
    let (after, history) = (world.payments(), || format!("{:?}\n{}", choices.taken(), world.history()));
    assert!(after <= 1, "paid {after} times: {}", history());
    match told {
        Some(Ok(_)) => assert_eq!((before, after), (1, 1), "told that it was paid: {}", history()),
        Some(Err(RpcError::Refused(refusal))) => {
            assert_eq!(after, 0, "told {} and charged: {}", refusal.code, history());
        }
        Some(Err(_)) | None => {}
    }
    world.check_books();
}

/// What was reached, so that a model in which nothing happens is red.
#[derive(Default, Debug)]
struct Reached {
    histories: u64,
    paid: u64,
    refused: u64,
    cancelled: u64,
    unknown: u64,
}

impl Reached {
    fn count(&mut self, told: Option<&Result<Charge, RpcError>>) {
        self.histories += 1;
        match told {
            Some(Ok(_)) => self.paid += 1,
            Some(Err(RpcError::Refused(refusal))) if refusal.is_key_cancelled => self.cancelled += 1,
            Some(Err(RpcError::Refused(_))) => self.refused += 1,
            Some(Err(_)) | None => self.unknown += 1,
        }
    }

    fn assert_all(&self) {
        println!("{self:?}");
        assert!([self.paid, self.refused, self.cancelled, self.unknown].iter().all(|count| *count > 0));
    }
}

#[test]
fn of_two_attempts_no_refusal_is_overtaken_in_any_history() {
    let mut reached = Reached::default();
    let (line, mut choices) = (Line::new(), Choices::exhaustive());
    loop {
        let (world, client) = line.begin(&choices, None);
        let told = charge_over(client, 2);
        reached.count(told.as_ref());
        check(&world, told.as_ref(), &choices);
        let Some(next) = choices.next() else { break };
        choices = next;
    }
    reached.assert_all();
    assert!(reached.histories > 10_000, "{reached:?}");
}

#[test]
fn of_three_attempts_no_refusal_is_overtaken() {
    let (line, mut reached) = (Line::new(), Reached::default());
    for seed in 0..SEEDS {
        let choices = Choices::seeded(seed);
        let (world, client) = line.begin(&choices, None);
        let told = charge_over(client, 3);
        reached.count(told.as_ref());
        check(&world, told.as_ref(), &choices);
    }
    reached.assert_all();
}

/// The caller repeats as the edge does, and the edge may be killed: what holds for one hop holds for two.
#[test]
fn a_caller_who_repeats_over_an_edge_that_repeats_hears_no_refusal_that_is_overtaken() {
    let (line, mut reached) = (Line::new(), Reached::default());
    for seed in 0..SEEDS {
        let choices = Choices::seeded(seed);
        let attempts_max = 1 + u32::try_from(seed % 3).expect("small");
        let (world, client) = line.begin(&choices, Some(attempts_max));
        let told = charge_over(client, 3);
        reached.count(told.as_ref());
        check(&world, told.as_ref(), &choices);
    }
    reached.assert_all();
}

#[test]
fn asking_for_a_payment_never_cancels_its_key() {
    let line = Line::new();
    for seed in 0..200 {
        let choices = Choices::seeded(seed);
        let (world, client) = line.begin(&choices, None);
        let call = FindPayment {
            merchant_code: Some("SHOP".to_owned()),
            idempotency_key: Some("k".to_owned()),
            external_order_id: None,
        };
        run(call_repeatedly(client, &context(), &call, policy(3), &ModelHost::default()));
        assert!(!world.history().contains("cancel_request"), "{}", world.history());
    }
}
