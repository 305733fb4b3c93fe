//! A thousand charges over a bad line: each is in the books once or not at all, and whoever asked knows which.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use mps_e2e::{BadLine, Fault, Shop, Stack, fresh, send, supabase_address, variable};
use serde_json::Value;

const CLIENTS: usize = 16;
const CHARGES_EACH: usize = 63;
const CHARGES: usize = CLIENTS * CHARGES_EACH;
/// A client asks so often with the same key before it gives up; over this line nobody has to.
const TRIES_MAX: usize = 12;
const SEED: u64 = 20_261_123;

/// What became of one charge, as its client knows it.
enum End {
    Paid(String),
    Refused(String),
    Unknown(String),
}

/// Charges one card again and again.
struct Client<'a> {
    edge_url: &'a str,
    supabase_url: &'a str,
    publishable_key: &'a str,
    shop: &'a Shop,
}

/// What a client did: the code, the key and the end of each charge.
type Charges = Vec<(String, String, End)>;

impl Client<'_> {
    fn charge_often(&self) -> Charges {
        let one = |_| {
            let (code, key) = (self.code(), fresh("key-"));
            let end = self.charge(&key, &self.shop.request(&code, "1.00"));
            (code, key, end)
        };
        (0..CHARGES_EACH).map(one).collect()
    }

    /// A code of the shop's member from the database itself: this test is about charges.
    fn code(&self) -> String {
        let url = format!("{}/rest/v1/rpc/rotate_card_qr", self.supabase_url);
        let authorization = format!("Bearer {}", self.shop.member);
        let headers = [
            ("content-type", "application/json"),
            ("apikey", self.publishable_key),
            ("authorization", authorization.as_str()),
        ];
        let answer = send("POST", &url, &headers, &format!(r#"{{"p_card_id":"{}"}}"#, self.shop.card_id));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body[0]["qr_plain"].as_str().expect("a code").to_owned()
    }

    /// Asks with the same key until the answer says that it is final.
    fn charge(&self, key: &str, body: &Value) -> End {
        let mut last = String::new();
        for _ in 0..TRIES_MAX {
            let authorization = format!("Bearer {}", self.shop.cashier);
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

#[test]
fn a_thousand_charges_over_a_bad_line_are_each_in_the_books_once() {
    let stack = Stack::new();
    let [edge_url, supabase_url, publishable_key] =
        ["MPS_E2E_FAULTY_EDGE_URL", "MPS_E2E_SUPABASE_URL", "MPS_E2E_PUBLISHABLE_KEY"].map(variable);
    let line = BadLine::start(&variable("MPS_E2E_FAULTY_UPSTREAM"), &supabase_address(), SEED);
    let shops: Vec<Shop> = (0..CLIENTS).map(|_| stack.open_shop("100000")).collect();
    // Nobody waits for the slowest of the others: a line that swallows an answer takes seconds.
    let charges: Charges = thread::scope(|scope| {
        let client = |shop| Client {
            edge_url: &edge_url,
            supabase_url: &supabase_url,
            publishable_key: &publishable_key,
            shop,
        };
        let running: Vec<_> = shops
            .iter()
            .map(|shop| {
                let client = client(shop);
                scope.spawn(move || client.charge_often())
            })
            .collect();
        running.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    let mut ends = BTreeMap::new();
    for (code, key, end) in charges {
        stack.keep_secret(&code);
        ends.insert(stack.keep_secret(&key), end);
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
