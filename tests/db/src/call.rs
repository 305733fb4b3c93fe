//! One RPC call: who makes it, and how it was answered.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::value::RawValue;
use tokio_postgres::error::DbError;

/// On whose behalf a transaction runs.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody: the publishable key alone.
    Anon,
    /// A signed-in user, by id.
    User(String),
    /// Our own back end with the secret key.
    Service,
    /// The tables' owner, for what no RPC does yet.
    Owner,
}

impl Caller {
    /// The API role and the claims that PostgREST would set.
    pub(crate) fn role_and_claims(&self) -> Option<(&'static str, String)> {
        match self {
            Self::User(id) => Some(("authenticated", format!(r#"{{"sub":"{id}","role":"authenticated"}}"#))),
            Self::Anon => Some(("anon", r#"{"role":"anon"}"#.to_owned())),
            Self::Service => Some(("service_role", r#"{"role":"service_role"}"#.to_owned())),
            Self::Owner => None,
        }
    }
}

/// A statement that answers one row with one column of JSON text. Parameters are text; the statement casts.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) caller: Caller,
    pub(crate) statement: String,
    pub(crate) parameters: Vec<Option<String>>,
}

/// How a call ended: what it answered, or how it was refused.
pub type Outcome = Result<Answer, Refusal>;

/// A row's columns, each as its own JSON text, so that no amount passes through a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer(BTreeMap<String, String>);

/// An error that PostgreSQL answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `PT409`, or PostgreSQL's own SQLSTATE.
    pub state: String,
    /// The code of the catalogue.
    pub code: String,
    /// The parameters, as JSON text.
    pub detail: String,
}

impl Call {
    /// A statement of one row and one column of JSON text.
    pub fn new(caller: Caller, statement: impl Into<String>, parameters: &[Option<&str>]) -> Self {
        let parameters = parameters.iter().map(|text| text.map(str::to_owned)).collect();
        Self { caller, statement: statement.into(), parameters }
    }

    /// `rotate_card_qr`.
    pub fn rotate(user: &str, card: &str) -> Self {
        let statement = "select to_jsonb(r)::text from public.rotate_card_qr($1::text::uuid) r";
        Self::new(Caller::User(user.to_owned()), statement, &[Some(card)])
    }

    /// `revoke_card_qr`; the answer's column is `revoked`.
    pub fn revoke(user: &str, card: &str) -> Self {
        let statement = "select jsonb_build_object('revoked', public.revoke_card_qr($1::text::uuid))::text";
        Self::new(Caller::User(user.to_owned()), statement, &[Some(card)])
    }

    /// `register_member`.
    pub fn register(user: &str, name: &str, phone: Option<&str>) -> Self {
        let statement = "select to_jsonb(r)::text from public.register_member($1, $2) r";
        Self::new(Caller::User(user.to_owned()), statement, &[Some(name), phone])
    }
}

/// The arguments of `merchant_charge_by_qr`.
#[derive(Clone, Debug)]
pub struct Charge {
    cashier: String,
    arguments: [Option<String>; 6],
}

impl Charge {
    /// A charge without key, order and terminal.
    pub fn new(cashier: &str, merchant_code: &str, code: &str, raw_amount: &str) -> Self {
        let given = |text: &str| Some(text.to_owned());
        let arguments = [given(merchant_code), given(code), given(raw_amount), None, None, None];
        Self { cashier: cashier.to_owned(), arguments }
    }

    /// With an idempotency key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.arguments[3] = Some(key.to_owned());
        self
    }

    /// For an order of the merchant.
    #[must_use]
    pub fn order(mut self, external_order_id: &str) -> Self {
        self.arguments[4] = Some(external_order_id.to_owned());
        self
    }
}

impl From<Charge> for Call {
    fn from(charge: Charge) -> Self {
        const STATEMENT: &str = "select to_jsonb(r)::text from public.merchant_charge_by_qr(
            p_merchant_code => $1, p_qr_plain => $2, p_raw_amount => $3::text::numeric, p_idempotency_key => $4,
            p_external_order_id => $5, p_terminal_code => $6) r";
        let parameters = charge.arguments.into();
        Self { caller: Caller::User(charge.cashier), statement: STATEMENT.to_owned(), parameters }
    }
}

impl Answer {
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        let columns: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(text).with_context(|| format!("no row: {text}"))?;
        Ok(Self(columns.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()))
    }

    /// A column's text; a string without its quotes.
    pub fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("no such column", |json| json.trim_matches('"'))
    }

    /// Everything but this column.
    #[must_use]
    pub fn without(&self, column: &str) -> Self {
        let mut rest = self.0.clone();
        rest.remove(column);
        Self(rest)
    }
}

impl From<&DbError> for Refusal {
    fn from(error: &DbError) -> Self {
        Self {
            state: error.code().code().to_owned(),
            code: error.message().to_owned(),
            detail: error.detail().unwrap_or_default().to_owned(),
        }
    }
}

impl Refusal {
    /// `PT409 QR_EXPIRED_OR_INVALID`: the state and the code.
    pub fn label(&self) -> String {
        format!("{} {}", self.state, self.code)
    }
}

/// How often each end was reached: `ok` or a refusal's label.
pub fn tally(outcomes: &[Outcome]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(label(outcome)).or_default() += 1;
    }
    counts
}

/// `ok` or the refusal's label.
pub fn label(outcome: &Outcome) -> String {
    outcome.as_ref().map_or_else(Refusal::label, |_| "ok".to_owned())
}

/// Fails unless the outcomes are these, each so often.
///
/// # Panics
/// Then.
pub fn assert_ends(outcomes: &[Outcome], expected: &[(&str, usize)]) {
    let expected = expected.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect();
    assert_eq!(tally(outcomes), expected);
}
