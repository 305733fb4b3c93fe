//! WeChat Pay and Alipay, played in this process: what a merchant's server can see of them, from their manuals alone.
//!
//! It knows nothing of the edge's code. Requests are verified as strictly as the providers verify them, answers and notices are signed
//! and encrypted with keys made for the test; and it can do what providers do on bad days. Nothing here credits anybody.

mod alipay;
mod alipay_notice;
mod gate;
mod keys;
mod trades;
mod wechat;
mod wechat_notice;
mod wire;

#[cfg(test)]
mod tests;

pub use alipay::Alipay;
pub use alipay_notice::AlipayNotice;
pub use keys::{Key, bare};
pub use wechat::WeChat;
pub use wechat_notice::{Tamper, WeChatNotice};
pub use wire::{Request, Trouble};

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use gate::Gate;
use serde_json::Value;
use trades::Trades;
use wire::Reply;

use crate::http::{Answer, try_send};

/// Longer than anybody waits for a provider.
const SILENCE: Duration = Duration::from_secs(20);

/// Both providers, at one address.
pub struct Gateway {
    /// Scheme, host and port.
    pub url: String,
    /// WeChat Pay.
    pub wechat: WeChat,
    /// Alipay.
    pub alipay: Alipay,
    book: Arc<Mutex<Book>>,
    gate: Arc<Gate>,
}

/// What both have written down.
#[derive(Default)]
struct Book {
    wechat: Trades,
    alipay: Trades,
    /// Nonces of requests: none counts twice.
    nonces: Vec<String>,
    /// What our requests had wrong.
    complaints: Vec<String>,
    /// What was asked, oldest first.
    asked: Vec<Request>,
    trouble: Option<Trouble>,
    /// What answers to queries tell instead of the truth, signed rightly: JSON pointers and values.
    lies: Vec<(String, Value)>,
}

impl Book {
    fn told(&self, mut truth: Value) -> Value {
        for (pointer, value) in &self.lies {
            *truth.pointer_mut(pointer).expect("a field of the answer") = value.clone();
        }
        truth
    }
}

impl Gateway {
    /// Opens both for business.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let book = Arc::new(Mutex::new(Book::default()));
        let (wechat, alipay) = (WeChat::open(Arc::clone(&book)), Alipay::open(Arc::clone(&book), &url));
        let (for_wechat, for_alipay, for_both) = (wechat.clone(), alipay.clone(), Arc::clone(&book));
        let gate = Arc::<Gate>::default();
        let of_answers = Arc::clone(&gate);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (wechat, alipay) = (for_wechat.clone(), for_alipay.clone());
                let (book, gate) = (Arc::clone(&for_both), Arc::clone(&of_answers));
                // A caller that has gone is one of the things that happen.
                thread::spawn(move || serve(&stream, &wechat, &alipay, &book, &gate).ok());
            }
        });
        Self { url, wechat, alipay, book, gate }
    }

    /// From now on this happens to every request, or nothing.
    pub fn suffer(&self, trouble: impl Into<Option<Trouble>>) {
        lock(&self.book).trouble = trouble.into();
    }

    /// From now on every answer to a query tells this at that JSON pointer, and is rightly signed.
    pub fn lie(&self, pointer: &str, value: impl Into<Value>) {
        lock(&self.book).lies.push((pointer.to_owned(), value.into()));
    }

    /// From now on answers wait, until [`Self::let_answers_go`].
    pub fn hold_answers(&self) {
        self.gate.shut(true);
    }

    /// Waits until somebody has asked and waits for an answer.
    pub fn wait_for_held(&self) {
        self.gate.wait();
    }

    /// Answers wait no longer.
    pub fn let_answers_go(&self) {
        self.gate.shut(false);
    }

    /// From now on it tells the truth, at once, and nothing happens to it.
    pub fn behave(&self) {
        self.let_answers_go();
        let mut book = lock(&self.book);
        (book.trouble, book.lies) = (None, vec![]);
    }

    /// The requests so far whose target has this in it.
    pub fn asked(&self, part: &str) -> Vec<Request> {
        let book = lock(&self.book);
        book.asked.iter().filter(|request| request.target.contains(part)).cloned().collect()
    }

    /// What our requests had wrong since the last time one asked.
    pub fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.book).complaints)
    }
}

fn serve(
    stream: &TcpStream,
    wechat: &WeChat,
    alipay: &Alipay,
    book: &Mutex<Book>,
    gate: &Gate,
) -> std::io::Result<()> {
    let trouble = lock(book).trouble;
    if trouble == Some(Trouble::Refused) {
        return Ok(());
    }
    let request = Request::read(stream)?;
    lock(book).asked.push(request.clone());
    match trouble {
        Some(Trouble::Silent) => {
            thread::sleep(SILENCE);
            return Ok(());
        }
        Some(Trouble::Page(status)) => return Reply::page(status).write(stream, true),
        Some(Trouble::Disguised) => return Reply::page(200).write(stream, true),
        _ => {}
    }
    let reply = if request.path().starts_with("/v3/") {
        wechat.answer(&request, trouble, Utc::now())
    } else {
        alipay.answer(&request, trouble, Utc::now())
    };
    gate.pass();
    match trouble {
        Some(Trouble::Swallowed) => Ok(()),
        Some(Trouble::CutOff) => reply.write(stream, false),
        _ => reply.write(stream, true),
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    // A test that failed under the lock has said so already.
    book.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A notice as it goes over the line; it can be sent again and again.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Its headers, the body's type among them.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Envelope {
    /// The same with another header; an empty one stays there.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self
    }

    /// Sends it and waits for the answer.
    pub fn send(&self, url: &str) -> Answer {
        self.try_send(url).expect("an answer")
    }

    /// The same where nobody may be there to answer.
    pub fn try_send(&self, url: &str) -> Option<Answer> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        try_send("POST", url, &headers, &self.body)
    }
}

/// That moment as both providers write it: in China's time.
fn china(at: DateTime<Utc>) -> DateTime<chrono::FixedOffset> {
    at.with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).expect("an offset"))
}

/// So many letters and digits.
fn random_text(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut bytes = vec![0; length];
    rand_core_06::RngCore::fill_bytes(&mut rand_core_06::OsRng, &mut bytes);
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// So many digits, the first ones given.
fn random_number(begin: &str, length: usize) -> String {
    let rest = random_text(length - begin.len());
    begin.chars().chain(rest.bytes().map(|byte| char::from(b'0' + byte % 10))).collect()
}
