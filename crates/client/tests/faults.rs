//! An upstream that fails: what each fault means, and that no call outlives its budget.
#![allow(clippy::expect_used)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mps_client::retry::{Host, Policy, call_repeatedly};
use mps_client::rpc::TestConnection;
use mps_client::{ApiKey, CallContext, Caller, Client, RequestId, RpcError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const RIGHT: &str =
    r#"[{"ok":true,"server_time":"2026-11-23T01:06:00+00:00","schema_version":"20261123000100"}]"#;

/// What the upstream does with a request that it has read.
#[derive(Clone)]
enum Act {
    /// Sends these bytes and closes.
    Say(String),
    /// Sends these bytes and keeps the connection open.
    SayAndHold(String),
    /// Sends these bytes again and again.
    SayForEver(&'static str, &'static str),
}

/// Does one act after the other, the last for ever; counts connections.
async fn upstream(acts: Vec<Act>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(perform(socket, acts[number.min(acts.len() - 1)].clone()));
        }
    });
    (url, count)
}

async fn perform(mut socket: TcpStream, act: Act) {
    let mut request = Vec::new();
    while !request.ends_with(b"{}") {
        let mut chunk = [0; 4096];
        match socket.read(&mut chunk).await {
            Ok(length) if length > 0 => request.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    match act {
        Act::Say(text) => {
            let _ = socket.write_all(text.as_bytes()).await;
        }
        Act::SayAndHold(text) => {
            let _ = socket.write_all(text.as_bytes()).await;
            // Until the caller goes.
            let _ = socket.read(&mut [0]).await;
        }
        Act::SayForEver(head, chunk) => {
            let _ = socket.write_all(head.as_bytes()).await;
            while socket.write_all(chunk.as_bytes()).await.is_ok() {}
        }
    }
}

fn answer(status: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"))
}

/// Real time; chance is the longest pause.
struct RealHost(Instant);

impl Host for RealHost {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn jitter(&self, most: Duration) -> Duration {
        most
    }

    async fn sleep(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(limit, work).await.ok()
    }
}

/// A house in a hurry.
const QUICK: Policy = Policy {
    attempts_max: 3,
    budget: Duration::from_secs(4),
    attempt_max: Duration::from_secs(1),
    pause_max_first: Duration::from_millis(5),
};

async fn call(url: &str) -> Result<bool, RpcError> {
    let client = Client::new(url, ApiKey::parse("k").expect("a key"), None);
    let request_id = RequestId::parse("req-1").expect("an id");
    let context = CallContext { caller: Caller::Anonymous, request_id };
    let host = RealHost(Instant::now());
    call_repeatedly(&client, &context, &TestConnection {}, QUICK, &host).await.map(|reply| reply.ok)
}

fn code_of(result: &Result<bool, RpcError>) -> &str {
    result.as_ref().expect_err("an error").upstream().expect("no refusal").as_str()
}

#[tokio::test]
async fn every_fault_of_a_connection_or_a_gateway_is_asked_again() {
    let faults = [
        Act::Say(String::new()),
        Act::Say("HTTP/1.1 200 OK\r\ncontent-le".to_owned()),
        Act::Say("no HTTP at all\r\n\r\n".to_owned()),
        Act::Say(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", RIGHT.len(), &RIGHT[..30])),
        Act::Say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n[{\"ok\":".to_owned()),
        Act::SayAndHold(String::new()),
        Act::SayAndHold("HTTP/1.1 200 OK\r\nx-half: ".to_owned()),
        Act::SayAndHold("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n[".to_owned()),
        answer("500 Internal Server Error", "<html>500</html>"),
        answer("502 Bad Gateway", "<html>502</html>"),
        answer("503 Service Unavailable", ""),
        answer("504 Gateway Timeout", r#"{"message":"no code"}"#),
        answer("429 Too Many Requests", "slow down"),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let (url, count) = upstream(vec![fault, answer("200 OK", RIGHT)]).await;
        assert_eq!(call(&url).await, Ok(true), "fault {number}");
        assert_eq!(count.load(Ordering::SeqCst), 2, "fault {number}");
    }
}

#[tokio::test]
async fn a_call_that_nobody_answers_ends_within_its_budget() {
    let wait = async |silence: &str| {
        let (url, count) = upstream(vec![Act::SayAndHold(silence.to_owned())]).await;
        let start = Instant::now();
        let result = call(&url).await;
        assert_eq!((code_of(&result), count.load(Ordering::SeqCst)), ("TIMEOUT", 3));
        // One attempt after the other; the rest is what a busy machine needs to notice.
        assert!(
            (3 * QUICK.attempt_max..2 * QUICK.budget).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
    };
    let silent = wait("");
    let half_a_head = wait("HTTP/1.1 200 OK\r\n");
    let half_a_body = wait("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1");
    tokio::join!(silent, half_a_head, half_a_body);
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_read_to_its_end() {
    const MEBIBYTE_HEX: &str = "100000";
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk: &'static str = format!("{MEBIBYTE_HEX}\r\n{}\r\n", " ".repeat(1024 * 1024)).leak();
    let (url, count) = upstream(vec![Act::SayForEver(head, chunk)]).await;
    let client = Client::new(&url, ApiKey::parse("k").expect("a key"), None);
    let request_id = RequestId::parse("req-1").expect("an id");
    let context = CallContext { caller: Caller::Anonymous, request_id };
    let result = client.call(&context, &TestConnection {}).await.map(|reply| reply.ok);
    assert_eq!((code_of(&result), count.load(Ordering::SeqCst)), ("TOOLONG", 1));
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_read_at_all() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n";
    let (url, count) = upstream(vec![Act::SayAndHold(head.to_owned())]).await;
    let result = call(&url).await;
    assert_eq!((code_of(&result), count.load(Ordering::SeqCst)), ("TOOLONG", 1));
    let head = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 999999999999\r\n\r\n";
    let (url, count) = upstream(vec![Act::SayAndHold(head.to_owned())]).await;
    let result = call(&url).await;
    assert_eq!((code_of(&result), count.load(Ordering::SeqCst)), ("502", 3), "the status still counts");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (elsewhere, visits) = upstream(vec![answer("200 OK", RIGHT)]).await;
        let redirect = format!("HTTP/1.1 {status}\r\nlocation: {elsewhere}/x\r\ncontent-length: 0\r\n\r\n");
        let (url, _) = upstream(vec![Act::Say(redirect)]).await;
        let result = call(&url).await;
        assert_eq!(code_of(&result), &status[..3]);
        assert_eq!(visits.load(Ordering::SeqCst), 0, "a key went elsewhere");
    }
}
