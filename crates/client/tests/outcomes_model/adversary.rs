//! The world of the model: a card and its keys, what is on its way, and who decides what happens next.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mps_client::retry::call_repeatedly;
use mps_client::rpc::CancelRequest;
use mps_client::transport::{Answer, Carried, Lost, Transport};
use mps_client::{Call, Client, RpcError};
use serde_json::{Value, json};

use super::{ModelHost, charge_over, client_over, context, policy, run};

/// What is charged; the card has a little less until it is topped up.
pub(crate) const PRICE: &str = "210";
const PRICE_CENTS: i64 = 21_000;
const BALANCE_CENTS: i64 = 20_000;
const TOP_UP_CENTS: i64 = 5_000;

/// Decides: every history in turn, or one that a seed names.
#[derive(Clone)]
pub(crate) struct Choices(Arc<Mutex<Path>>);

struct Path {
    /// What was chosen, and of how many.
    taken: Vec<(usize, usize)>,
    /// How many of them this run has come by.
    place: usize,
    /// The state of the generator; `None` for every history in turn.
    seed: Option<u64>,
}

impl Choices {
    pub(crate) fn exhaustive() -> Self {
        Self(Arc::new(Mutex::new(Path { taken: Vec::new(), place: 0, seed: None })))
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Path { taken: Vec::new(), place: 0, seed: Some(seed) })))
    }

    /// A number below `of`.
    fn choose(&self, of: usize) -> usize {
        let mut path = lock(&self.0);
        let place = path.place;
        path.place += 1;
        if let Some((chosen, _)) = path.taken.get(place) {
            return *chosen;
        }
        let chosen = path.seed.as_mut().map_or(0, |state| {
            // SplitMix64.
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            usize::try_from((mixed ^ (mixed >> 31)) % of as u64).unwrap_or_default()
        });
        path.taken.push((chosen, of));
        chosen
    }

    fn is_exhaustive(&self) -> bool {
        lock(&self.0).seed.is_none()
    }

    /// Of all histories, those in which the world outside does at most two things: more of them are not other ones.
    fn interferences_max(&self) -> u32 {
        if self.is_exhaustive() { 2 } else { u32::MAX }
    }

    pub(crate) fn taken(&self) -> Vec<(usize, usize)> {
        lock(&self.0).taken.clone()
    }

    /// The next history; `None` after the last.
    pub(crate) fn next(&self) -> Option<Self> {
        let mut taken = self.taken();
        while let Some((chosen, of)) = taken.pop() {
            if chosen + 1 < of {
                taken.push((chosen + 1, of));
                return Some(Self(Arc::new(Mutex::new(Path { taken, place: 0, seed: None }))));
            }
        }
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the database knows of a key.
#[derive(Clone, Debug)]
enum Key {
    Done(String),
    Cancelled,
}

#[derive(Clone)]
struct Held {
    database: Option<Client>,
    rpc: String,
    arguments: Value,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each happens once")]
struct Books {
    balance: i64,
    /// Everything but payments that moved the balance.
    moved: i64,
    payments: i64,
    keys: BTreeMap<String, Key>,
    is_dismissed: bool,
    is_topped_up: bool,
    is_drained: bool,
    interferences: u32,
    /// Whether somebody waits in vain for an answer.
    is_unknown: bool,
    /// Requests that may still arrive, each with where.
    held: Vec<Held>,
    history: Vec<String>,
}

/// Something that happens outside.
type Act = fn(&World);

/// The database and everything around it.
#[derive(Clone)]
pub(crate) struct World {
    /// How often the edge sends a request.
    edge_attempts_max: u32,
    choices: Choices,
    books: Arc<Mutex<Books>>,
}

impl World {
    pub(crate) fn new(choices: Choices) -> Self {
        let books = Books { balance: BALANCE_CENTS, moved: BALANCE_CENTS, ..Books::default() };
        Self { edge_attempts_max: 0, choices, books: Arc::new(Mutex::new(books)) }
    }

    pub(crate) fn payments(&self) -> i64 {
        lock(&self.books).payments
    }

    pub(crate) fn history(&self) -> String {
        lock(&self.books).history.join("\n")
    }

    pub(crate) fn check_books(&self) {
        let books = lock(&self.books);
        assert_eq!(books.balance, books.moved - books.payments * PRICE_CENTS);
        assert!(books.balance >= 0);
    }

    /// There is money, the cashier is back, and everything arrives, in an order that the adversary chooses.
    pub(crate) fn deliver_all(&self) {
        {
            let mut books = lock(&self.books);
            books.is_dismissed = false;
            books.balance += PRICE_CENTS;
            books.moved += PRICE_CENTS;
            books.history.push("everything arrives".to_owned());
        }
        while self.deliver_one() {}
    }

    fn deliver_one(&self) -> bool {
        let held = lock(&self.books).held.len();
        if held == 0 {
            return false;
        }
        let place = self.choices.choose(held);
        let late = lock(&self.books).held.remove(place);
        // Nobody waits for its answer any more.
        let _ = arrive(self, late.database.as_ref(), &late.rpc, &late.arguments);
        true
    }

    /// What happens before a request is sent, if anything.
    fn interfere(&self) {
        let acts: Vec<Act> = {
            let books = lock(&self.books);
            if books.interferences >= self.choices.interferences_max() {
                return;
            }
            let possible: [(bool, Act); 5] = [
                (true, |_| {}),
                (!books.held.is_empty(), |world| {
                    world.deliver_one();
                }),
                (!books.is_topped_up, |world| {
                    world.note("topped up", |books| {
                        books.is_topped_up = true;
                        books.balance += TOP_UP_CENTS;
                        books.moved += TOP_UP_CENTS;
                    });
                }),
                (!books.is_drained, |world| {
                    world.note("drained", |books| {
                        books.is_drained = true;
                        books.moved -= books.balance;
                        books.balance = 0;
                    });
                }),
                (!books.is_dismissed && !self.choices.is_exhaustive(), |world| {
                    world.note("dismissed", |books| books.is_dismissed = true);
                }),
            ];
            possible.into_iter().filter(|(is_possible, _)| *is_possible).map(|(_, act)| act).collect()
        };
        let act = self.choices.choose(acts.len());
        if act > 0 {
            lock(&self.books).interferences += 1;
        }
        acts[act](self);
    }

    fn note(&self, what: &str, act: impl FnOnce(&mut Books)) {
        let mut books = lock(&self.books);
        act(&mut books);
        books.history.push(what.to_owned());
    }

    /// What the database answers: a row, or a refusal as PostgREST words it.
    fn execute(&self, rpc: &str, arguments: &Value) -> Answer {
        let mut books = lock(&self.books);
        let key = arguments["p_idempotency_key"].as_str().unwrap_or_default().to_owned();
        let result = match rpc {
            _ if books.is_dismissed => Err((403, "NOT_MERCHANT_USER")),
            "cancel_request" => Ok(books.cancel(&key)),
            "find_payment" => Err((404, "TX_NOT_FOUND")),
            _ => books.charge(key, arguments),
        };
        books.history.push(format!("{rpc}: {result:?}"));
        match result {
            Ok(row) => answer(200, &json!([row])),
            Err((status, code)) => refusal(status, code),
        }
    }
}

impl Books {
    fn cancel(&mut self, key: &str) -> Value {
        let known = self.keys.entry(key.to_owned()).or_insert(Key::Cancelled);
        let is_cancelled = matches!(known, Key::Cancelled);
        let none = Value::Null;
        json!({"cancelled": is_cancelled, "tx_id": none, "tx_no": none, "tx_type": none, "final_amount": none, "created_at": none})
    }

    fn charge(&mut self, key: String, arguments: &Value) -> Result<Value, (u16, &'static str)> {
        let fingerprint = arguments.to_string();
        let replayed = match self.keys.get(&key) {
            Some(Key::Cancelled) => return Err((409, "REQUEST_CANCELLED")),
            Some(Key::Done(known)) if *known != fingerprint => return Err((422, "IDEMPOTENCY_KEY_REUSED")),
            Some(Key::Done(_)) => true,
            None if self.balance < PRICE_CENTS => return Err((402, "INSUFFICIENT_BALANCE")),
            None => {
                self.balance -= PRICE_CENTS;
                self.payments += 1;
                self.keys.insert(key, Key::Done(fingerprint));
                false
            }
        };
        Ok(json!({
            "tx_id": "0198b2b0-0000-7000-8000-000000000001", "tx_no": "PAY0000000001",
            "card_id": "0198b2b0-0000-7000-8000-000000000002", "final_amount": "210.00", "discount": "1.000",
            "points_earned": 210, "discount_source": "level", "raw_amount": "210.00",
            "created_at": "2026-11-28T10:00:00+00:00", "replayed": replayed,
        }))
    }
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, body: Some(body.to_string().into_bytes()) }
}

fn refusal(status: u16, code: &str) -> Answer {
    answer(status, &json!({"code": format!("PT{status}"), "message": code, "details": "{}", "hint": null}))
}

const FATES: [&str; 7] = [
    "answered",
    "answer lost",
    "dropped",
    "sender killed",
    "held",
    "answer lost, a copy held",
    "answered, a copy held",
];

/// The clients of both hops, made once: one costs more than a thousand histories. Each history has its own world.
#[derive(Clone)]
pub(crate) struct Line {
    to_database: Client,
    to_edge: Client,
    world: Arc<Mutex<World>>,
}

impl Line {
    pub(crate) fn new() -> Self {
        let world = Arc::new(Mutex::new(World::new(Choices::exhaustive())));
        let to_database = client_over(Hop { world: world.clone(), database: None });
        let to_edge = client_over(Hop { world: world.clone(), database: Some(to_database.clone()) });
        Self { to_database, to_edge, world }
    }

    /// In a new world: the client of whoever calls the database, or the edge which sends a request so often.
    pub(crate) fn begin(&self, choices: &Choices, edge_attempts_max: Option<u32>) -> (World, &Client) {
        let world =
            World { edge_attempts_max: edge_attempts_max.unwrap_or_default(), ..World::new(choices.clone()) };
        *lock(&self.world) = world.clone();
        (world, if edge_attempts_max.is_some() { &self.to_edge } else { &self.to_database })
    }
}

/// One hop of a request, with the adversary on it.
pub(crate) struct Hop {
    world: Arc<Mutex<World>>,
    /// What the edge behind it calls the database with; nothing when the database is behind it.
    database: Option<Client>,
}

/// Whatever is behind a hop does the request; `None` when it was killed while it did.
fn arrive(world: &World, database: Option<&Client>, rpc: &str, arguments: &Value) -> Option<Answer> {
    match database {
        None => Some(world.execute(rpc, arguments)),
        Some(client) => through_edge(client, rpc, arguments, world.edge_attempts_max),
    }
}

impl Transport for Hop {
    fn carry(&self, request: http::Request<String>, _body_bytes_max: usize) -> Carried {
        let rpc = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let arguments: Value = serde_json::from_str(request.body()).unwrap_or_default();
        let world = lock(&self.world).clone();
        world.interfere();
        // Answered; answer lost; dropped; whoever sent it is killed; held, and given up; answer lost, and a copy held; answered, and a copy
        // held. The last only once an attempt is unknown: whose answer came the first time was sent once (no proxy repeats a POST).
        let is_unknown = lock(&world.books).is_unknown;
        let fate = world.choices.choose(if is_unknown { 7 } else { 6 });
        if fate != 0 {
            world.note(FATES[fate], |books| books.is_unknown = true);
        }
        if fate >= 4 {
            let database = self.database.clone();
            lock(&world.books).held.push(Held { database, rpc: rpc.clone(), arguments: arguments.clone() });
        }
        let arrive = || arrive(&world, self.database.as_ref(), &rpc, &arguments);
        let outcome = match fate {
            0 | 6 => arrive().ok_or(Lost("NETWORK")),
            1 | 3 | 5 => {
                let _ = arrive();
                Err(Lost("NETWORK"))
            }
            _ => Err(Lost("NETWORK")),
        };
        if fate == 3 {
            return Box::pin(pending());
        }
        Box::pin(async move { outcome })
    }
}

/// A request that the edge behind a hop repeats by itself.
fn through_edge(client: &Client, rpc: &str, arguments: &Value, attempts_max: u32) -> Option<Answer> {
    if rpc != CancelRequest::RPC {
        let told = charge_over(client, attempts_max)?;
        return Some(told.map_or_else(as_answer, |told| answer(200, &json!([told]))));
    }
    let idempotency_key = arguments["p_idempotency_key"].as_str().unwrap_or_default().to_owned();
    let call = CancelRequest { merchant_code: Some("SHOP".to_owned()), idempotency_key };
    let told = run(call_repeatedly(client, &context(), &call, policy(attempts_max), &ModelHost::default()))?;
    Some(told.map_or_else(as_answer, |told| answer(200, &json!([told]))))
}

/// As PostgREST would word it.
fn as_answer(error: RpcError) -> Answer {
    match error {
        RpcError::Refused(said) => refusal(said.code.status(), said.code.as_str()),
        _ => answer(503, &Value::Null),
    }
}
