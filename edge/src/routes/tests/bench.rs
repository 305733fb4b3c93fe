//! The edge with everything around it: a stopped clock, and a PostgREST that answers what each test tells it to.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header};
use mps_client::transport::{Direct, Transport};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::app::Front;
use crate::limits::window::{Taken, Windows};
use crate::limits::{Exchange, ExchangeLost, Group};
use crate::metrics::{Batch, Collector, CollectorLost};
use crate::platform::native;
use crate::platform::{self, FetchLost, Host, NotSigned, PublicKey, Work};

pub(crate) const SECRET: &str = "a-secret-of-more-than-32-characters";
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const CODE: &str = "701234567890123456789017";
pub(crate) const CARD: &str = "0193b5a0-0000-7000-8000-00000000000a";
pub(crate) const ORIGIN: &str = "https://wallet.example";

/// A clock that tests move, and short waits, which are over at once; a time limit of a second or more is never reached.
#[derive(Default)]
pub(crate) struct TestHost {
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) clock: Clock,
    /// How long anybody asked to wait.
    pub(crate) waits: Mutex<Vec<Duration>>,
    pub(crate) after: Mutex<Vec<Work<()>>>,
    pub(crate) objects: Objects,
    /// What every fetch is answered; `None`: it is lost.
    pub(crate) page: Mutex<Option<(u16, String)>>,
    /// Answers in its place where there is one.
    pub(crate) gateway: Mutex<Option<Gateway>>,
    pub(crate) fetches: AtomicU64,
    /// How many signatures were computed.
    pub(crate) verifications: AtomicU64,
}

/// A payment provider: what it answers, or that it does not.
pub(crate) type Gateway = Box<dyn FnMut(http::Request<Vec<u8>>) -> Option<http::Response<Vec<u8>>> + Send>;

/// How long ago the test began.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<Duration>>);

impl Clock {
    fn now(&self) -> Duration {
        *self.0.lock().expect("no panic holds it")
    }

    fn pass(&self, length: Duration) {
        *self.0.lock().expect("no panic holds it") += length;
    }

    fn reach(&self, moment: Duration) {
        let mut now = self.0.lock().expect("no panic holds it");
        *now = moment.max(*now);
    }
}

/// What Durable Objects are to the edge.
#[derive(Clone, Default)]
pub(crate) struct Objects(Arc<Shared>);

#[derive(Default)]
pub(crate) struct Shared {
    windows: [Mutex<Windows>; 2],
    now_millis: AtomicU64,
    totals: Mutex<Batch>,
    /// Answers with an error, or not at all.
    pub(crate) is_broken: AtomicBool,
    pub(crate) is_silent: AtomicBool,
    pub(crate) batches: AtomicU64,
    /// How often it was told what was counted.
    pub(crate) tellings: AtomicU64,
}

impl std::ops::Deref for Objects {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Objects {
    /// A counter's sum.
    pub(crate) fn count(&self, series: &str) -> u64 {
        *self.totals.lock().expect("no panic holds it").counts.get(series).unwrap_or(&0)
    }
}

impl Exchange for Objects {
    fn add(&self, group: Group, _: u64, told: Vec<Taken>) -> Work<Result<Vec<Taken>, ExchangeLost>> {
        self.tellings.fetch_add(1, Relaxed);
        if self.is_silent.load(Relaxed) {
            return Box::pin(std::future::pending());
        }
        if self.is_broken.load(Relaxed) {
            return Box::pin(std::future::ready(Err(ExchangeLost)));
        }
        let mut windows = self.windows[group as usize].lock().expect("no panic holds it");
        Box::pin(std::future::ready(Ok(windows.add(told, NOW * 1000 + self.now_millis.load(Relaxed)))))
    }
}

impl Collector for Objects {
    fn add(&self, batch: Batch) -> Work<Result<(), CollectorLost>> {
        if self.is_broken.load(Relaxed) {
            return Box::pin(std::future::ready(Err(CollectorLost)));
        }
        self.batches.fetch_add(1, Relaxed);
        self.totals.lock().expect("no panic holds it").merge(&batch);
        Box::pin(std::future::ready(Ok(())))
    }

    fn totals(&self) -> Work<Result<Batch, CollectorLost>> {
        let totals = self.totals.lock().expect("no panic holds it").clone();
        Box::pin(std::future::ready(Ok(totals)))
    }
}

impl TestHost {
    pub(crate) fn pass(&self, length: Duration) {
        self.clock.pass(length);
        let millis = u64::try_from(length.as_millis()).expect("a short time");
        self.objects.now_millis.fetch_add(millis, Relaxed);
    }
}

impl Host for TestHost {
    fn unix_time(&self) -> Duration {
        Duration::from_secs(NOW) + self.clock.now()
    }

    fn random_bytes(&self) -> [u8; 16] {
        platform::random_bytes()
    }

    fn log(&self, line: &str) {
        self.log.lock().expect("no panic holds it").push(line.to_owned());
    }

    fn sleep(&self, length: Duration) -> Work<()> {
        self.waits.lock().expect("no panic holds it").push(length);
        if length < Duration::from_secs(1) {
            let (clock, end) = (self.clock.clone(), self.clock.now() + length);
            Box::pin(async move {
                // Whatever else is to be done goes on meanwhile, other waits too.
                tokio::task::yield_now().await;
                clock.reach(end);
            })
        } else {
            Box::pin(std::future::pending())
        }
    }

    fn after_reply(&self, work: Work<()>) {
        self.after.lock().expect("no panic holds it").push(work);
    }

    fn fetch(
        &self,
        request: http::Request<Vec<u8>>,
        body_bytes_max: usize,
    ) -> Work<Result<http::Response<Vec<u8>>, FetchLost>> {
        self.fetches.fetch_add(1, Relaxed);
        if let Some(gateway) = self.gateway.lock().expect("no panic holds it").as_mut() {
            let answer = gateway(request).filter(|answer| answer.body().len() <= body_bytes_max);
            return Box::pin(std::future::ready(answer.ok_or(FetchLost)));
        }
        let page = self.page.lock().expect("no panic holds it").clone();
        Box::pin(async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let (status, body) = page.filter(|(_, body)| body.len() <= body_bytes_max).ok_or(FetchLost)?;
            let response = http::Response::builder().status(status).body(body.into_bytes());
            response.map_err(|_| FetchLost)
        })
    }

    fn sign(&self, pkcs8: &[u8], message: &[u8]) -> Work<Result<Vec<u8>, NotSigned>> {
        let key = RsaPrivateKey::from_pkcs8_der(pkcs8).map(SigningKey::<Sha256>::new);
        let signature = key.map(|key| key.sign(message).to_vec()).map_err(|_| NotSigned);
        Box::pin(std::future::ready(signature))
    }

    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Work<bool> {
        self.verifications.fetch_add(1, Relaxed);
        Box::pin(std::future::ready(native::verify(key, message, signature)))
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Direct::new())
    }

    fn exchange(&self) -> &dyn Exchange {
        &self.objects
    }

    fn collector(&self) -> &dyn Collector {
        &self.objects
    }
}

/// The edge with everything around it.
pub(crate) struct Bench {
    pub(crate) front: Front,
    pub(crate) host: Arc<TestHost>,
    pub(crate) received: Arc<Mutex<Vec<String>>>,
    pub(crate) variables: Variables,
}

type Variables = Arc<dyn Fn(&str) -> Option<String>>;

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Bench {
    /// PostgREST gives `answers` (status line, body) in turn, and then none.
    pub(crate) async fn new(answers: Vec<(&'static str, String)>) -> Self {
        Self::with(answers, &[]).await
    }

    /// The same with more variables.
    pub(crate) async fn with(
        answers: Vec<(&'static str, String)>,
        variables: &[(&'static str, &str)],
    ) -> Self {
        let given: Vec<(&str, String)> =
            variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, answers, received.clone()));
        let host = Arc::new(TestHost::default());
        let chosen =
            move |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let variable = move |name: &str| match name {
            _ if chosen(name).is_some() => chosen(name),
            "SUPABASE_URL" => Some(url.clone()),
            "SUPABASE_PUBLISHABLE_KEY" => Some("sb_publishable_x".to_owned()),
            "SUPABASE_SECRET_KEY" => Some("sb_secret_y".to_owned()),
            "SUPABASE_JWT_SECRET" => Some(SECRET.to_owned()),
            "CORS_ALLOWED_ORIGINS" => Some(ORIGIN.to_owned()),
            _ => None,
        };
        let variables: Variables = Arc::new(variable);
        Self { front: Front::open(&*variables, host.clone()), host, received, variables }
    }

    /// The same edge with the objects of another's.
    pub(crate) fn share_objects_with(mut self, other: &Self) -> Self {
        let host = Arc::new(TestHost { objects: other.host.objects.clone(), ..TestHost::default() });
        self.front = Front::open(&*self.variables, host.clone());
        self.host = host;
        self
    }

    pub(crate) async fn send(&self, request: Request) -> Reply {
        let response = self.front.answer(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status, headers: parts.headers, text, body }
    }

    /// Does what was left for after the replies.
    pub(crate) async fn finish(&self) {
        let after = std::mem::take(&mut *self.host.after.lock().expect("no panic holds it"));
        for work in after {
            work.await;
        }
    }

    pub(crate) fn received(&self) -> Vec<String> {
        self.received.lock().expect("no panic holds it").clone()
    }
}

async fn serve(
    listener: TcpListener,
    answers: Vec<(&'static str, String)>,
    received: Arc<Mutex<Vec<String>>>,
) {
    for (status, body) in answers {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut request = String::new();
        while !is_complete(&request) {
            let mut chunk = [0; 4096];
            let length = socket.read(&mut chunk).await.expect("bytes");
            request.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        received.lock().expect("no panic holds it").push(request);
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        socket.write_all(answer.as_bytes()).await.expect("an open socket");
    }
}

fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// The `Authorization` of a signed-in user.
pub(crate) fn signed_in() -> String {
    signed_in_as("u-1")
}

/// The same of a user with this id.
pub(crate) fn signed_in_as(subject: &str) -> String {
    signed_until(subject, NOW + 60)
}

/// The same with a token that ends then.
pub(crate) fn signed_until(subject: &str, exp: u64) -> String {
    let claims = Claims::new(json!({"sub": subject, "aud": "authenticated", "exp": exp}));
    let token = Hs256.token(&Header::empty(), &claims, &Hs256Key::new(SECRET)).expect("a token");
    format!("Bearer {token}")
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).expect("a request")
}

/// A signed-in POST of JSON, with more headers.
pub(crate) fn post(path: &str, more: &[(&str, &str)], body: impl Into<Body>) -> Request {
    let authorization = signed_in();
    let mut headers = vec![("authorization", authorization.as_str()), ("content-type", "application/json")];
    headers.extend_from_slice(more);
    request("POST", path, &headers, body)
}
