//! The database behind the stack, as its superuser: fixtures, and what every table holds.

use serde_json::Value;

use crate::{Stack, fresh};

/// The ordered rows of every table, as a digest each.
#[derive(Debug, PartialEq, Eq)]
pub struct State(Vec<(String, i64, String)>);

impl State {
    /// How many tables it covers.
    pub fn tables(&self) -> usize {
        self.0.len()
    }
}

/// A member with a standard card, and a merchant with a cashier and a terminal; nobody else has to do with them.
pub struct Shop {
    /// Signed in as the member.
    pub member: String,
    /// The member's standard card.
    pub card_id: String,
    /// The merchant's code.
    pub merchant_code: String,
    /// Signed in as the merchant's cashier.
    pub cashier: String,
    /// The merchant's terminal.
    pub terminal_code: String,
}

impl Stack {
    /// The first column of one row, as text.
    pub fn value(&self, query: &str) -> String {
        let rows = self.database.borrow_mut().simple_query(query).expect("a right query");
        let first = rows.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        first.unwrap_or_default()
    }

    /// Statements without an answer.
    pub fn execute(&self, statements: &str) {
        self.database.borrow_mut().batch_execute(statements).expect("right statements");
    }

    /// What every table of `app` and `audit` holds, partitions included.
    pub fn state(&self) -> State {
        // The edge tells the audit log of refused calls when it comes to it, after the reply.
        let query = "select table_name, rows, digest from fx.state() where table_name <> 'audit.event_log'
            union all select 'audit.event_log', count(*),
              md5(coalesce(string_agg(to_jsonb(e)::text, e'\\n' order by to_jsonb(e)::text), ''))
            from audit.event_log e where e.action <> 'call.refused' order by table_name";
        let rows = self.database.borrow_mut().query(query, &[]).expect("fx.state()");
        State(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    /// A new member whose card has this balance, and a new merchant.
    pub fn open_shop(&self, balance: &str) -> Shop {
        let name = fresh("e2e-");
        let user_id = self.value(&format!("select fx.make_member('{name}@fixture.example', {balance})"));
        let merchant_code = fresh("E2E")[..12].to_uppercase();
        self.value(&format!("select fx.make_merchant('{merchant_code}')"));
        let cashier_id = self.value(&format!("select fx.make_merchant_user('{merchant_code}')"));
        let terminal_code = self.terminal_code();
        self.value(&format!("select fx.make_terminal('{merchant_code}', '{terminal_code}')"));
        Shop {
            card_id: self.value(&format!("select fx.standard_card('{user_id}')")),
            member: self.token_of(&user_id),
            cashier: self.token_of(&cashier_id),
            merchant_code,
            terminal_code,
        }
    }

    /// A terminal's code that no other test has: six random characters meet again among a thousand shops.
    pub fn terminal_code(&self) -> String {
        self.value("select 'T' || lpad(upper(to_hex(nextval('app.transaction_no_seq'))), 5, '0')")
    }

    /// A signed-in user who is nothing yet.
    pub fn stranger(&self) -> String {
        let user_id = self.value(&format!("select fx.make_user('{}@fixture.example')", fresh("stranger-")));
        self.token_of(&user_id)
    }

    /// A fresh code of the shop's member, through the edge.
    pub fn code(&self, shop: &Shop) -> String {
        let body = serde_json::json!({"card_id": shop.card_id, "ttl_seconds": 60});
        let answer = self.post("/api/qr/rotate", &shop.member, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.keep_secret(answer.body["qr_plain"].as_str().expect("a code"))
    }
}

impl Shop {
    /// A request for a charge, with some of its fields changed.
    pub fn request(&self, code: &str, raw_amount: impl Into<Value>) -> Value {
        serde_json::json!({
            "merchant_code": self.merchant_code, "qr_plain": code, "raw_amount": raw_amount.into(),
        })
    }
}
