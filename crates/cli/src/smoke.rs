//! `mps smoke`: a member shows a code, a shop charges it, asks again, and gives the money back, against a running installation.

mod people;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use self::people::People;
use crate::auth::refusal;
use crate::output::{Output, say};
use crate::secrets::Secret;
use crate::web::{Reply, Web};

/// An answer that does not come is asked for again after these.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

#[derive(Args)]
#[command(
    long_about = "Try an installation with money of its own\n\n\
                  A test member rotates a code; the cashier of a test merchant charges it, charges again with the same key (it must be the same \
                  payment), gives the money back, and is refused a second charge of the code. Afterwards the card has what it had before. Whoever the two \
                  are is told by access tokens (MPS_SMOKE_MEMBER_TOKEN, MPS_SMOKE_CASHIER_TOKEN), by e-mail addresses and passwords (--member, --cashier, \
                  MPS_SMOKE_MEMBER_PASSWORD, MPS_SMOKE_CASHIER_PASSWORD, --auth-url, SUPABASE_PUBLISHABLE_KEY), or by the ids of their users where \
                  SUPABASE_JWT_SECRET is there to sign for them.",
    after_help = "Examples:\n  mps smoke --url https://pay.example.com --merchant SMOKE01 --member smoke@example.com --cashier till@example.com \\\n    \
                  --auth-url https://project.supabase.co\n  mps smoke --url https://localhost:8443 --cacert authority.pem --merchant SMOKE01"
)]
pub(crate) struct Options {
    /// Where the API is: <https://pay.example.com>
    #[arg(long, value_name = "URL")]
    url: String,
    /// The authority that vouches for it, in PEM, when it is one of your own
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// The test merchant's code
    #[arg(long, value_name = "CODE")]
    merchant: String,
    /// Its terminal; a merchant that has any wants one
    #[arg(long, value_name = "CODE")]
    terminal: Option<String>,
    /// How much moves, there and back
    #[arg(long, default_value = "0.01", value_name = "AMOUNT")]
    amount: String,
    #[command(flatten)]
    people: people::Who,
}

/// What went well, and how long it took.
struct Steps {
    done: Vec<Value>,
}

impl Steps {
    fn take<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let outcome = step().with_context(|| name.to_owned())?;
        let millis = start.elapsed().as_secs_f64() * 1000.0;
        say(&format!("{name}: {millis:.0} ms"));
        self.done.push(json!({"step": name, "milliseconds": millis.round()}));
        Ok(outcome)
    }
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    let web = Web::new(options.cacert.as_deref())?;
    let people = people::find(&options.people, &web)?;
    let visit = Visit { web, url: options.url.trim_end_matches('/').to_owned(), people, options };
    let mut steps = Steps { done: Vec::new() };
    visit.go(&mut steps)?;
    output.result(&json!({"ok": true, "steps": steps.done}), || {
        format!("{} takes payments and gives them back", options.url)
    });
    Ok(ExitCode::SUCCESS)
}

struct Visit<'a> {
    web: Web,
    url: String,
    people: People,
    options: &'a Options,
}

impl Visit<'_> {
    fn go(&self, steps: &mut Steps) -> Result<()> {
        steps.take("ready", || self.get("/ready", None).map(drop))?;
        let card = steps.take("the member's card", || self.card())?;
        let before = steps.take("its balance", || self.balance(&card))?;
        let code = steps.take("a code", || {
            let answer =
                right(self.send("/api/qr/rotate", &self.people.member, None, &json!({"card_id": card}))?)?;
            text(&answer.json(), "qr_plain")
        })?;
        let (charge, key) = (self.charge_of(&code), random_key()?);
        let tx_no = steps.take("charged", || {
            let answer = self.post_surely("/api/payment/charge", &key, &charge)?;
            text(&answer.json(), "tx_no")
        })?;
        // From here on money has moved: what fails says what to give back.
        let rest = self.after_charge(steps, &tx_no, &charge, &key);
        rest.map_err(|error| anyhow!("{error:#}. {tx_no} was charged: see that it is given back"))?;
        let after = steps.take("its balance again", || self.balance(&card))?;
        ensure!(before == after, "the card had {before} and has {after}");
        Ok(())
    }

    fn after_charge(&self, steps: &mut Steps, tx_no: &str, charge: &Value, key: &str) -> Result<()> {
        steps.take("charged again with the same key", || {
            let answer = self.post_surely("/api/payment/charge", key, charge)?;
            let again = text(&answer.json(), "tx_no")?;
            ensure!(again == tx_no, "the key's payment was {tx_no} and is {again}");
            ensure!(
                answer.header("idempotency-replayed") == Some("true"),
                "it is not said to be a repetition"
            );
            Ok(())
        })?;
        steps.take("given back", || {
            let paid = self.get(&format!("/api/payment/{tx_no}"), Some(&self.people.cashier))?;
            let amount = text(&paid.json(), "final_amount")?;
            let body = json!({"merchant_code": self.options.merchant, "original_tx_no": tx_no, "refund_amount": amount});
            self.post_surely("/api/payment/refund", &random_key()?, &body).map(drop)
        })?;
        steps.take("a spent code is refused", || {
            let reply =
                self.send("/api/payment/charge", &self.people.cashier, Some(&random_key()?), charge)?;
            let is_problem = reply.header("content-type") == Some("application/problem+json");
            ensure!(
                (400..500).contains(&reply.status) && is_problem,
                "a code that was spent is answered with {}",
                reply.status
            );
            Ok(())
        })
    }

    fn charge_of(&self, code: &str) -> Value {
        let mut charge = json!({"merchant_code": self.options.merchant, "qr_plain": code, "raw_amount": self.options.amount});
        if let Some(terminal) = &self.options.terminal {
            charge["terminal_code"] = json!(terminal);
        }
        charge
    }

    /// The member's own.
    fn card(&self) -> Result<String> {
        let cards = self.get("/api/member/cards", Some(&self.people.member))?.json();
        let standard = cards.as_array().into_iter().flatten().find(|card| card["card_type"] == "standard");
        text(standard.context("the member has no standard card")?, "card_id")
    }

    fn balance(&self, card: &str) -> Result<String> {
        text(&self.get(&format!("/api/member/cards/{card}"), Some(&self.people.member))?.json(), "balance")
    }

    fn get(&self, path: &str, token: Option<&str>) -> Result<Reply> {
        let authorization = format!("Bearer {}", token.unwrap_or_default());
        let headers = [("authorization", authorization.as_str())];
        let headers = if token.is_some() { &headers[..] } else { &[] };
        right(self.web.get(&format!("{}{path}", self.url), headers)?)
    }

    /// As the cashier, with the same key again until it is known what became of it. A refusal tells of its own attempt only: after
    /// one without an answer it does not say that nothing was done.
    fn post_surely(&self, path: &str, key: &str, body: &Value) -> Result<Reply> {
        let ask = || self.send(path, &self.people.cashier, Some(key), body);
        let is_unanswered = |reply: &Result<Reply>| reply.as_ref().map_or(true, |reply| reply.status >= 500);
        let mut reply = ask();
        if !is_unanswered(&reply) {
            return reply.and_then(right);
        }
        for pause in PAUSES {
            thread::sleep(pause);
            reply = ask().and_then(right);
            if reply.is_ok() {
                break;
            }
        }
        reply.with_context(|| self.unknown(key))
    }

    fn unknown(&self, key: &str) -> String {
        let merchant = &self.options.merchant;
        format!(
            "whether money moved is not known: GET /api/payment/find?merchant_code={merchant}&idempotency_key={key} tells"
        )
    }

    fn send(&self, path: &str, token: &str, key: Option<&str>, body: &Value) -> Result<Reply> {
        let authorization = format!("Bearer {token}");
        let mut headers =
            vec![("authorization", authorization.as_str()), ("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.web.post(&format!("{}{path}", self.url), &headers, &body.to_string())
    }
}

fn right(reply: Reply) -> Result<Reply> {
    if reply.status == 200 {
        return Ok(reply);
    }
    bail!("{} {}", reply.status, refusal(&reply.json()))
}

fn text(answer: &Value, field: &str) -> Result<String> {
    answer[field].as_str().map(str::to_owned).with_context(|| format!("the answer has no {field}"))
}

fn random_key() -> Result<String> {
    Ok(format!("smoke-{}", Secret::generate()?.expose()))
}
