//! What `mps` sees of Supabase Auth, from its API's description: making users, and signing them in by their passwords.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use mps_e2e::Token;
use postgres::{Client, NoTls};
use serde_json::{Value, json};

use crate::doors::read_request;

/// Runs until the test ends.
pub struct Auth {
    /// Where it is, without `/auth/v1`.
    pub url: String,
    /// E-mail addresses, and the password and id of each.
    users: Users,
}

type Users = Arc<Mutex<BTreeMap<String, (String, String)>>>;

struct Keys {
    publishable: String,
    service: String,
    jwt_secret: String,
}

impl Auth {
    /// Before that database, with the keys of the service and of pages, and the secret of tokens.
    pub fn start(database_url: &str, publishable: &str, service: &str, jwt_secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let users = Users::default();
        let keys = Keys {
            publishable: publishable.to_owned(),
            service: service.to_owned(),
            jwt_secret: jwt_secret.to_owned(),
        };
        let mut database = Client::connect(database_url, NoTls).expect("the database");
        let known = Arc::clone(&users);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &keys, &known, &mut database);
            }
        });
        Self { url, users }
    }

    /// Somebody who is there already.
    pub fn add(&self, email: &str, password: &str, id: &str) {
        let user = (password.to_owned(), id.to_owned());
        self.users.lock().expect("no panic holds it").insert(email.to_owned(), user);
    }
}

fn serve(mut stream: TcpStream, keys: &Keys, users: &Users, database: &mut Client) {
    let request = read_request(&mut stream);
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    let has = |name: &str, value: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .any(|(n, v)| n.eq_ignore_ascii_case(name) && v == value)
    };
    let body: Value = serde_json::from_str(body).expect("JSON");
    let is_service =
        has("authorization", &format!("Bearer {}", keys.service)) && has("apikey", &keys.service);
    let (status, answer) = match head.lines().next().unwrap_or_default() {
        "POST /auth/v1/admin/users HTTP/1.1" if is_service => make(&body, users, database),
        "POST /auth/v1/admin/users HTTP/1.1" => {
            (401, json!({"code": 401, "error_code": "no_authorization", "msg": "no"}))
        }
        "POST /auth/v1/token?grant_type=password HTTP/1.1" if has("apikey", &keys.publishable) => {
            sign_in(&body, users, &keys.jwt_secret)
        }
        _ => (404, json!({"code": 404, "msg": "404 page not found"})),
    };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all((head + &answer).as_bytes()).expect("whoever asked");
}

fn make(user: &Value, users: &Users, database: &mut Client) -> (u16, Value) {
    let (email, password) =
        (user["email"].as_str().expect("an address"), user["password"].as_str().expect("a password"));
    let mut users = users.lock().expect("no panic holds it");
    if users.contains_key(email) {
        let msg = "A user with this email address has already been registered";
        return (422, json!({"code": 422, "error_code": "email_exists", "msg": msg}));
    }
    assert_eq!(user["email_confirm"], true, "or nobody signs in before they opened their mail");
    let made = database.query_one(
        "insert into auth.users (id, email, email_confirmed_at) values (gen_random_uuid(), $1, now()) returning id::text",
        &[&email],
    );
    let id: String = made.expect("a user").get(0);
    users.insert(email.to_owned(), (password.to_owned(), id.clone()));
    (200, json!({"id": id, "aud": "authenticated", "role": "authenticated", "email": email}))
}

fn sign_in(body: &Value, users: &Users, jwt_secret: &str) -> (u16, Value) {
    let users = users.lock().expect("no panic holds it");
    match body["email"].as_str().and_then(|email| users.get(email)) {
        Some((password, id)) if body["password"] == *password => {
            let token = Token::of(id).sign(jwt_secret);
            (
                200,
                json!({"access_token": token, "token_type": "bearer", "expires_in": 3600, "refresh_token": "r"}),
            )
        }
        _ => {
            let msg = "Invalid login credentials";
            (400, json!({"code": 400, "error_code": "invalid_credentials", "msg": msg}))
        }
    }
}
