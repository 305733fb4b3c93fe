//! A thousand charges over a bad line: each is in the books once or not at all, and whoever asked knows which.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mps_e2e::{BadLine, Fault, Shop, Stack, send, supabase_address, variable};
use serde_json::Value;

const CHARGES: usize = 1000;
const CLIENTS: usize = 16;
/// A client asks so often with the same key before it gives up; over this line nobody has to.
const TRIES_MAX: usize = 12;
const SEED: u64 = 20_261_123;

/// What became of one charge, as its client knows it.
enum End {
    Paid(String),
    Refused(String),
    Unknown(String),
}

struct Client<'a> {
    edge_url: &'a str,
    token: &'a str,
}

impl Client<'_> {
    /// Asks with the same key until the answer says that it is final.
    fn charge(&self, key: &str, body: &Value) -> End {
        let mut last = String::new();
        for _ in 0..TRIES_MAX {
            let authorization = format!("Bearer {}", self.token);
            let headers = [
                ("content-type", "application/json"),
                ("authorization", authorization.as_str()),
                ("idempotency-key", key),
            ];
            let url = format!("{}/api/payment/charge", self.edge_url);
            let answer = send("POST", &url, &headers, &body.to_string());
            if answer.status == 200 {
                return End::Paid(answer.body["tx_no"].as_str().expect("a number").to_owned());
            }
            last = format!("{} {}", answer.status, answer.text);
            assert_eq!(answer.header("content-type"), "application/problem+json", "{last}");
            if answer.body["retry"] != "same_key" {
                return End::Refused(last);
            }
        }
        End::Unknown(last)
    }
}

/// A code of the shop's member from the database itself: this test is about charges.
fn code(stack: &Stack, shop: &Shop) -> String {
    let answer =
        stack.rpc("rotate_card_qr", Some(&shop.member), &format!(r#"{{"p_card_id":"{}"}}"#, shop.card_id));
    assert_eq!(answer.status, 200, "{}", answer.text);
    stack.keep_secret(answer.body[0]["qr_plain"].as_str().expect("a code"))
}

#[test]
fn a_thousand_charges_over_a_bad_line_are_each_in_the_books_once() {
    let stack = Stack::new();
    let edge_url = variable("MPS_E2E_FAULTY_EDGE_URL");
    let line = BadLine::start(&variable("MPS_E2E_FAULTY_UPSTREAM"), &supabase_address(), SEED);
    let shops: Vec<Shop> = (0..CLIENTS).map(|_| stack.open_shop("100000")).collect();
    let made = AtomicUsize::new(0);
    let mut ends = BTreeMap::new();
    // All codes of a round are drawn before it: a card has one live code.
    while made.load(Ordering::Relaxed) < CHARGES {
        let round: Vec<(String, Value, &Shop)> = shops
            .iter()
            .take(CHARGES - made.load(Ordering::Relaxed))
            .map(|shop| (stack.fresh_key(), shop.request(&code(&stack, shop), "1.00"), shop))
            .collect();
        made.fetch_add(round.len(), Ordering::Relaxed);
        let answers: Vec<(String, End)> = thread::scope(|scope| {
            let running: Vec<_> = round
                .iter()
                .map(|(key, body, shop)| {
                    let client = Client { edge_url: &edge_url, token: &shop.cashier };
                    scope.spawn(move || (key.clone(), client.charge(key, body)))
                })
                .collect();
            running.into_iter().map(|client| client.join().expect("a client")).collect()
        });
        ends.extend(answers);
    }
    check_the_books(&stack, &shops, &ends);
    check_the_line(&line.drawn());
}

fn check_the_books(stack: &Stack, shops: &[Shop], ends: &BTreeMap<String, End>) {
    let cards: Vec<String> = shops.iter().map(|shop| format!("'{}'", shop.card_id)).collect();
    let booked = stack.value(&format!(
        "select coalesce(string_agg(tx_no, ' '), '') from app.transactions
         where tx_type = 'payment' and card_id in ({})",
        cards.join(",")
    ));
    let booked: Vec<&str> = booked.split_whitespace().collect();
    let (mut paid, mut refused) = (BTreeSet::new(), Vec::new());
    for end in ends.values() {
        match end {
            End::Paid(tx_no) => assert!(paid.insert(tx_no.as_str()), "{tx_no} answers two charges"),
            End::Refused(why) => refused.push(why),
            End::Unknown(why) => panic!("nobody knows after {TRIES_MAX} tries: {why}"),
        }
    }
    assert_eq!(refused, Vec::<&String>::new(), "nothing is wrong with these charges");
    assert_eq!(booked.len(), CHARGES);
    assert_eq!(booked.into_iter().collect::<BTreeSet<_>>(), paid);
    let spent = stack.value(&format!(
        "select sum(100000 - balance)::text from app.cards where id in ({})",
        cards.join(",")
    ));
    assert_eq!(spent, format!("{CHARGES}.00"));
    assert_eq!(stack.service_rpc("cron_verify_ledger", "{}").text, "0");
}

/// A line on which nothing goes wrong shows nothing.
fn check_the_line(drawn: &[Fault]) {
    let kinds: BTreeSet<Fault> = drawn.iter().copied().collect();
    assert!(kinds.len() >= 13, "{kinds:?}");
    let faults = drawn.iter().filter(|fault| **fault != Fault::None).count();
    assert!(faults * 3 > drawn.len(), "{faults} faults in {} calls", drawn.len());
}
