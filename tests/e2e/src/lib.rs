//! What the end-to-end tests stand on: the running edge, the running Supabase, the database behind both.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test bench fails by panicking")]

mod bench;
mod database;
mod edge;
mod faults;
pub mod gateway;
mod http;
mod proxy;
mod secrets;
mod token;
mod upstream;

pub use bench::{Case, Order, Providers, variables};
pub use database::{Shop, State};
pub use edge::Edge;
pub use faults::{BadLine, Fault, Line};
pub use http::{Answer, answer_of, send, try_send};
pub use proxy::{HOST, Proxy, Rates, free_address, free_addresses, make_certificates};
pub use token::{ProjectKeys, Token};
pub use upstream::{HeldCall, LateCall, Upstream};

use std::cell::RefCell;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use postgres::{Client, NoTls};
use serde_json::{Value, json};

/// The password of every demo log-in.
pub const DEMO_PASSWORD: &str = "demo-password-1234";

/// Every job of the edge and its time, in the order in which those of one time run. A new one fails the tests until it is here, and
/// what is here is run by its scheduled event, by its address, and on the database.
pub const JOBS: &[(&str, &str)] = &[
    ("query_recharge_orders", "* * * * *"),
    ("expire_recharge_orders", "* * * * *"),
    ("seal", "* * * * *"),
    ("follow_levels", "* * * * *"),
    ("verify_seals", "*/5 * * * *"),
    ("rotate_qr_tokens", "*/5 * * * *"),
    ("expire_cards", "7 * * * *"),
    ("generate_settlements", "7 * * * *"),
    ("ensure_partitions", "7 * * * *"),
    ("purge", "23 2 * * *"),
    ("verify_ledger", "23 2 * * *"),
];

/// A variable that the stage sets.
pub fn variable(name: &str) -> String {
    env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run these tests with `cargo xtask test --only e2e`"))
}

/// What the work answers as soon as it has an answer; two minutes are too late.
pub fn in_time<T>(what: &str, work: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_mins(2), what, work)
}

/// The same of what is nearly there; a minute is too late.
fn soon<T>(work: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_mins(1), "it", work)
}

fn within<T>(limit: Duration, what: &str, mut work: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = work() {
            return answer;
        }
        assert!(start.elapsed() < limit, "{what} does not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The log whose path that variable has, once the text is in it.
pub fn wait_for_log(path_variable: &str, text: &str) -> String {
    let path = variable(path_variable);
    soon(|| Some(fs::read_to_string(&path).expect("a log")).filter(|log| log.contains(text)))
}

/// Waits until the log whose path that variable has has such a line.
pub fn wait_for_line(path_variable: &str, is_wanted: impl Fn(&str) -> bool) {
    let path = variable(path_variable);
    soon(|| fs::read_to_string(&path).expect("a log").lines().any(&is_wanted).then_some(()));
}

/// Host and port of Supabase.
pub fn supabase_address() -> String {
    variable("MPS_E2E_SUPABASE_URL").replace("http://", "")
}

/// A new value that no other test uses.
pub fn fresh(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple())
}

/// One test's view of the running stack. It has the database for itself: tests wait for each other.
/// The secrets that it used are kept: when all tests have run, no log of an edge may hold any of them.
pub struct Stack {
    edge_url: String,
    supabase_url: String,
    publishable_key: String,
    secret_key: String,
    jwt_secret: String,
    database: RefCell<Client>,
    secrets: RefCell<Vec<String>>,
}

impl Stack {
    /// Waits for its turn.
    #[expect(clippy::new_without_default, reason = "it waits, and panics without the stack")]
    pub fn new() -> Self {
        let mut database =
            Client::connect(&variable("MPS_E2E_DATABASE_URL"), NoTls).expect("the database answers");
        database.execute("select pg_advisory_lock(4711)", &[]).expect("the lock");
        let jwt_secret = variable("MPS_E2E_JWT_SECRET");
        let secret_key = variable("MPS_E2E_SECRET_KEY");
        let publishable_key = variable("MPS_E2E_PUBLISHABLE_KEY");
        Self {
            edge_url: variable("MPS_E2E_EDGE_URL"),
            supabase_url: variable("MPS_E2E_SUPABASE_URL"),
            database: RefCell::new(database),
            secrets: RefCell::new(vec![jwt_secret.clone(), secret_key.clone(), publishable_key.clone()]),
            publishable_key,
            secret_key,
            jwt_secret,
        }
    }

    /// From now on requests go to this edge.
    pub fn go_to(&mut self, edge: &Edge) {
        edge.url.clone_into(&mut self.edge_url);
    }

    /// Remembers a text that must not be in the log.
    pub fn keep_secret(&self, text: &str) -> String {
        self.secrets.borrow_mut().push(text.to_owned());
        text.to_owned()
    }

    /// The same for a text that may be short: one that any log line may contain is no secret.
    pub fn keep_secret_if_long(&self, text: &str) -> String {
        if text.len() < 20 { text.to_owned() } else { self.keep_secret(text) }
    }

    /// An idempotency key of its own.
    pub fn fresh_key(&self) -> String {
        self.keep_secret(&fresh("key-"))
    }

    /// Signs in as a demo user, the way an app does.
    pub fn sign_in(&self, email: &str) -> String {
        let url = format!("{}/auth/v1/token?grant_type=password", self.supabase_url);
        self.keep_secret(email);
        let body = json!({"email": email, "password": DEMO_PASSWORD}).to_string();
        let headers = [("apikey", self.publishable_key.as_str()), ("content-type", "application/json")];
        let answer = http::send("POST", &url, &headers, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.keep_secret(answer.body["access_token"].as_str().expect("an access token"))
    }

    /// A right token of a user.
    pub fn token_of(&self, user_id: &str) -> String {
        self.keep_secret(&Token::of(user_id).sign(&self.jwt_secret))
    }

    /// A token signed with the project's secret, whatever is in it.
    pub fn sign(&self, token: &Token) -> String {
        self.keep_secret(&token.sign(&self.jwt_secret))
    }

    /// Any request to the edge.
    pub fn edge(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        http::send(method, &format!("{}{path}", self.edge_url), headers, body)
    }

    /// A request to the edge that has limits, and nothing else to do.
    pub fn limited_edge(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        http::send(method, &format!("{}{path}", variable("MPS_E2E_LIMITED_EDGE_URL")), headers, body)
    }

    /// A request with the operator's token.
    pub fn operate(&self, method: &str, path: &str) -> Answer {
        let token = self.keep_secret(&variable("MPS_E2E_OPS_TOKEN"));
        self.edge(method, path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    /// A counter of the edge; 0 when it has not counted yet.
    pub fn metric(&self, series: &str) -> u64 {
        let page = self.operate("GET", "/metrics");
        assert_eq!(page.status, 200, "{}", page.text);
        let line = page.text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a whole number"))
    }

    /// A signed-in GET.
    pub fn get(&self, path: &str, token: &str) -> Answer {
        self.edge("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    /// A signed-in POST of JSON.
    pub fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.post_text(path, token, None, &body.to_string())
    }

    /// A signed-in charge.
    pub fn charge(&self, token: &str, key: &str, body: &Value) -> Answer {
        self.post_text("/api/payment/charge", token, Some(key), &body.to_string())
    }

    /// A signed-in POST of text that says it is JSON; without a token when that is empty.
    pub fn post_text(&self, path: &str, token: &str, key: Option<&str>, body: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        let mut headers = vec![("content-type", "application/json")];
        if !token.is_empty() {
            headers.push(("authorization", &authorization));
        }
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.edge("POST", path, &headers, body)
    }

    /// A call past the edge: the function itself, with a user's token or without one.
    pub fn rpc(&self, function: &str, token: Option<&str>, arguments: &str) -> Answer {
        let url = format!("{}/rest/v1/rpc/{function}", self.supabase_url);
        let authorization = format!("Bearer {}", token.unwrap_or_default());
        let mut headers =
            vec![("apikey", self.publishable_key.as_str()), ("content-type", "application/json")];
        if token.is_some() {
            headers.push(("authorization", &authorization));
        }
        http::send("POST", &url, &headers, arguments)
    }

    /// A call on our own behalf.
    pub fn service_rpc(&self, function: &str, arguments: &str) -> Answer {
        let url = format!("{}/rest/v1/rpc/{function}", self.supabase_url);
        let headers = [("apikey", self.secret_key.as_str()), ("content-type", "application/json")];
        http::send("POST", &url, &headers, arguments)
    }

    /// The whole log of the edge, up to and including a request that is made now.
    pub fn edge_log(&self) -> String {
        let last = self.edge("GET", "/health", &[], "");
        wait_for_log("MPS_E2E_EDGE_LOG", last.header("x-request-id"))
    }

    /// The value of a query as soon as it is not empty: what is written after a reply comes when it comes.
    pub fn value_in_time(&self, query: &str) -> String {
        soon(|| Some(self.value(query)).filter(|value| !value.is_empty()))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        secrets::keep(&self.secrets.borrow());
    }
}
