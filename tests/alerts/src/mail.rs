//! A mail server, as far as Alertmanager speaks to one.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64ct::{Base64, Encoding};

/// One that came.
#[derive(Clone, Debug)]
pub struct Mail {
    /// For whom.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// All of it, its lines put together.
    pub text: String,
}

/// Takes mails from whoever knows the password, as long as the test runs.
pub struct MailServer {
    /// Where.
    pub address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl MailServer {
    /// Empty.
    pub fn start(password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mails = Arc::new(Mutex::new(Vec::new()));
        let (shared, password) = (Arc::clone(&mails), password.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mails, password) = (Arc::clone(&shared), password.clone());
                // Who goes away in the middle sends it again.
                thread::spawn(move || speak(&stream, &password, &mails));
            }
        });
        Self { address, mails }
    }

    /// All that came.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The mail for somebody with this in its subject, once it is there.
    pub fn find(&self, to: &str, subject: &str) -> Option<Mail> {
        self.mails().into_iter().find(|mail| mail.to.contains(to) && mail.subject.contains(subject))
    }
}

fn speak(mut stream: &TcpStream, password: &str, mails: &Mutex<Vec<Mail>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let (mut is_known, mut to) = (false, String::new());
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
    say("220 mail.example ESMTP")?;
    while let Some(Ok(line)) = lines.next() {
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word.to_ascii_uppercase().as_str() {
            "EHLO" => say("250-mail.example\r\n250 AUTH PLAIN")?,
            "AUTH" => {
                is_known = is_right(rest, password);
                say(if is_known { "235 welcome" } else { "535 who are you" })?;
            }
            "MAIL" => say(if is_known { "250 ok" } else { "530 who are you" })?,
            "RCPT" => {
                rest.clone_into(&mut to);
                say("250 ok")?;
            }
            "DATA" => {
                say("354 go on")?;
                let text: Vec<String> =
                    lines.by_ref().map_while(Result::ok).take_while(|line| line != ".").collect();
                let mail = read(&to, &text.join("\n"));
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                say("250 ok")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
    None
}

/// `PLAIN` and, in base64, the name and the password, each after a zero.
fn is_right(said: &str, password: &str) -> bool {
    let decoded = said.strip_prefix("PLAIN ").and_then(|text| Base64::decode_vec(text).ok());
    decoded.is_some_and(|bytes| bytes.split(|byte| *byte == 0).next_back() == Some(password.as_bytes()))
}

fn read(to: &str, text: &str) -> Mail {
    let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default();
    // Quoted-printable: lines are broken with a `=`.
    Mail { to: to.to_owned(), subject: subject.to_owned(), text: text.replace("=\n", "") }
}
