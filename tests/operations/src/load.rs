//! Shops that charge without end, as a program of an integrator does it: a key for each payment, the same key again until there is an answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mps_e2e::{fresh, in_time};
use serde_json::{Value, json};
use ureq::Agent;

/// A shop and a member who pays there all the time.
#[derive(Clone)]
pub struct Pair {
    /// Signed in as the member.
    pub member: String,
    /// Signed in as the cashier.
    pub cashier: String,
    /// The member's card.
    pub card_id: String,
    /// The merchant's code.
    pub merchant_code: String,
}

/// What became of every request.
#[derive(Debug, Default)]
pub struct Totals {
    /// Keys of payments that were answered, with their numbers.
    pub paid: BTreeMap<String, String>,
    /// Keys that were refused, and how.
    pub refused: BTreeMap<String, String>,
    /// Answers of any kind.
    pub answers: u64,
    /// Answers that told to repeat, with when.
    pub repeat: u64,
    /// Requests without an answer.
    pub lost: u64,
    /// What was neither, by what it was.
    pub wrong: BTreeMap<String, u64>,
    /// The longest time in which nothing was paid.
    pub longest_gap: Duration,
}

impl Totals {
    /// The same with what another load came to.
    pub fn add(&mut self, other: Self) {
        self.paid.extend(other.paid);
        self.refused.extend(other.refused);
        self.wrong.extend(other.wrong);
        self.answers += other.answers;
        self.repeat += other.repeat;
        self.lost += other.lost;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
    }
}

struct Shared {
    agent: Agent,
    url: String,
    /// What its keys begin with.
    name: String,
    is_over: AtomicBool,
    paid: AtomicU64,
    totals: Mutex<Totals>,
    last_paid: Mutex<Instant>,
    pairs: Mutex<Vec<Pair>>,
}

/// Runs until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// One client for each pair.
    pub fn start(agent: Agent, url: &str, pairs: Vec<Pair>) -> Self {
        let count = pairs.len();
        let shared = Arc::new(Shared {
            agent,
            url: url.to_owned(),
            name: fresh("load-")[..20].to_owned(),
            is_over: AtomicBool::new(false),
            paid: AtomicU64::new(0),
            totals: Mutex::default(),
            last_paid: Mutex::new(Instant::now()),
            pairs: Mutex::new(pairs),
        });
        let clients = (0..count)
            .map(|index| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || client(&shared, index))
            })
            .collect();
        Self { shared, clients }
    }

    /// Waits until so many more are paid.
    pub fn pay(&self, more: u64) {
        let goal = self.shared.paid.load(Ordering::Relaxed) + more;
        in_time("a payment", || (self.shared.paid.load(Ordering::Relaxed) >= goal).then_some(()));
    }

    /// From now on everybody is signed in anew.
    pub fn sign_in(&self, pairs: Vec<Pair>) {
        *held(&self.shared.pairs) = pairs;
    }

    /// Lets everybody finish.
    pub fn stop(self) -> Totals {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client");
        }
        std::mem::take(&mut *held(&self.shared.totals))
    }
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn client(shared: &Shared, index: usize) {
    for round in 0_u64.. {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let pair = held(&shared.pairs)[index].clone();
        let Some(code) = code(shared, &pair) else { continue };
        let key = format!("{}-{index}-{round}", shared.name);
        let body =
            json!({"merchant_code": pair.merchant_code, "qr_plain": code, "raw_amount": "0.01"}).to_string();
        charge(shared, &pair, &key, &body);
    }
}

fn code(shared: &Shared, pair: &Pair) -> Option<String> {
    let body = json!({"card_id": pair.card_id}).to_string();
    loop {
        match ask(shared, "/api/qr/rotate", &pair.member, None, &body) {
            Outcome::Done(answer) => return answer["qr_plain"].as_str().map(str::to_owned),
            Outcome::Repeat(pause) => thread::sleep(pause),
            Outcome::Refused(_) => return None,
        }
    }
}

fn charge(shared: &Shared, pair: &Pair, key: &str, body: &str) {
    loop {
        match ask(shared, "/api/payment/charge", &pair.cashier, Some(key), body) {
            Outcome::Done(answer) => {
                let number = answer["tx_no"].as_str().unwrap_or_default().to_owned();
                let gap = {
                    let mut last = held(&shared.last_paid);
                    let gap = last.elapsed();
                    *last = Instant::now();
                    gap
                };
                let mut totals = held(&shared.totals);
                totals.longest_gap = totals.longest_gap.max(gap);
                totals.paid.insert(key.to_owned(), number);
                shared.paid.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Outcome::Repeat(pause) => thread::sleep(pause),
            Outcome::Refused(what) => {
                held(&shared.totals).refused.insert(key.to_owned(), what);
                return;
            }
        }
    }
}

enum Outcome {
    Done(Value),
    Repeat(Duration),
    Refused(String),
}

fn ask(shared: &Shared, path: &str, token: &str, key: Option<&str>, body: &str) -> Outcome {
    let request = shared.agent.post(format!("{}{path}", shared.url));
    let request =
        request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
    let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
    let answer = request.send(body).and_then(|mut response| {
        let text = response.body_mut().read_to_string()?;
        Ok((response.status().as_u16(), response.headers().clone(), text))
    });
    let mut totals = held(&shared.totals);
    let Ok((status, headers, text)) = answer else {
        totals.lost += 1;
        return Outcome::Repeat(Duration::from_millis(50));
    };
    totals.answers += 1;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if status == 200 {
        return Outcome::Done(answer);
    }
    let seconds = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let (503, Some(seconds)) = (status, seconds) {
        totals.repeat += 1;
        return Outcome::Repeat(Duration::from_secs(seconds.min(2)));
    }
    let what = format!("{path} {status} {}", answer["code"].as_str().unwrap_or(&text));
    *totals.wrong.entry(what.clone()).or_default() += 1;
    Outcome::Refused(what)
}
