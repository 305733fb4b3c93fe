//! An edge between the database and both payment providers, and what the cases of recharges ask of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use crate::gateway::{Gateway, bare};
use crate::{Answer, Edge, Fault, Line, Shop, Stack, fresh, supabase_address, variable};

/// Where the providers believe the edge to be: they speak to nothing but https.
const PUBLIC_URL: &str = "https://pay.example/mps";

/// A case: its name, and what happens in it.
pub type Case = (&'static str, fn(&mut Providers));

/// The stack with an edge of its own and both providers.
pub struct Providers {
    /// The database, and whoever signs in.
    pub stack: Stack,
    /// The providers.
    pub gateway: Gateway,
    /// The way from the edge to the database.
    pub line: Line,
    /// The edge.
    pub edge: Edge,
}

/// An order as its member has it.
pub struct Order {
    /// Who ordered.
    pub shop: Shop,
    /// Its number.
    pub order_no: String,
    /// What the edge answered.
    pub answer: Answer,
    /// What it was asked.
    pub request: Value,
    /// The idempotency key.
    pub key: String,
}

impl Providers {
    /// Everything as it is in production, on this machine.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, |_| {})
    }

    /// The same with other variables.
    pub fn start_with(name: &str, change: impl FnOnce(&mut Vec<(String, String)>)) -> Self {
        let (mut stack, gateway) = (Stack::new(), Gateway::start());
        let line = Line::start(&supabase_address());
        let mut variables = variables(&line.url);
        variables.extend(gateway.wechat.variables(&gateway.url));
        variables.extend(gateway.alipay.variables());
        change(&mut variables);
        keep_secrets(&stack, &gateway);
        // Orders of other tests are none of its business.
        stack.execute("update app.recharge_orders set query_at = null where query_at is not null");
        let edge = Edge::start(name, variables);
        stack.go_to(&edge);
        Self { stack, gateway, line, edge }
    }

    /// Runs all of them, whatever becomes of each. After each no request of ours was wrong, and after all of them the books are right:
    /// nothing that a later case does hides what an earlier one did to them.
    pub fn run(mut self, cases: &[Case]) {
        let mut failed = Vec::new();
        for (name, case) in cases {
            let run = catch_unwind(AssertUnwindSafe(|| {
                case(&mut self);
                assert_eq!(self.gateway.complaints(), Vec::<String>::new(), "what the providers complain of");
            }));
            // The next one begins on a good day, and has nothing to do with the orders so far.
            self.gateway.behave();
            self.gateway.complaints();
            self.line.suffer(Fault::None);
            self.stack.execute("update app.recharge_orders set query_at = null where query_at is not null");
            if run.is_err() {
                failed.push(*name);
            }
        }
        let books = self.stack.service_rpc("verify_ledger", "{}");
        assert!(
            failed.is_empty() && (books.status, &books.body) == (200, &json!([])),
            "{} of {} cases failed: {failed:#?}; what is wrong with the books after all of them: {}",
            failed.len(),
            cases.len(),
            books.text
        );
    }

    /// A member without money orders a recharge: `native`, `jsapi`, `page` or `app`.
    pub fn order(&self, method: &str, amount: &str) -> Order {
        let order = self.try_order(method, amount);
        assert_eq!(order.answer.status, 200, "{}", order.answer.text);
        assert_eq!(order.answer.body["pay"]["method"], method, "{}", order.answer.text);
        order
    }

    /// The same, whatever is answered.
    pub fn try_order(&self, method: &str, amount: &str) -> Order {
        let shop = self.stack.open_shop("0");
        let provider = if matches!(method, "native" | "jsapi") { "wechat" } else { "alipay" };
        let mut request =
            json!({"card_id": shop.card_id, "amount": amount, "provider": provider, "method": method});
        if method == "jsapi" {
            request["openid"] = json!(self.stack.keep_secret(&format!("o{}", &fresh("")[..27])));
        }
        let key = self.stack.fresh_key();
        let answer = self.ask(&shop.member, &key, &request);
        Order { order_no: text_of(&answer.body, "order_no"), shop, answer, request, key }
    }

    /// A request for an order.
    pub fn ask(&self, token: &str, key: &str, request: &Value) -> Answer {
        self.stack.post_text("/api/recharge/orders", token, Some(key), &request.to_string())
    }

    /// The same request for the same order once more.
    pub fn ask_again(&self, order: &Order) -> Answer {
        self.ask(&order.shop.member, &order.key, &order.request)
    }

    /// An order of WeChat's that a member may pay by a code.
    pub fn wechat_order(&self) -> Order {
        self.order("native", "100.00")
    }

    /// An order of Alipay's whose page is open.
    pub fn alipay_order(&self) -> Order {
        let order = self.order("page", "100.00");
        let page = order.answer.body["pay"]["url"].as_str().expect("an address");
        assert_eq!(self.gateway.alipay.open_page(page), Ok(order.order_no.clone()));
        order
    }

    /// Where WeChat's notices go.
    pub fn wechat_url(&self) -> String {
        format!("{}/api/webhooks/wechat", self.edge.url)
    }

    /// Where Alipay's notices go.
    pub fn alipay_url(&self) -> String {
        format!("{}/api/webhooks/alipay", self.edge.url)
    }

    /// Balance and number of transactions of the card, status of the order, and each payment that was reported for it:
    /// `100.00 1 completed credited`, `0.00 0 needs_review needs_review:wrong_amount:99.99`.
    pub fn books(&self, order: &Order) -> String {
        self.stack.value(&format!(
            "select concat_ws(' ', c.balance, (select count(*) from app.transactions t where t.card_id = c.id), o.status,
               (select string_agg(concat_ws(':', p.status, p.review_reason, case when p.is_late then 'late' end,
                  case when p.amount <> o.amount then p.amount end, case when p.currency <> 'CNY' then p.currency end), ' '
                  order by p.recorded_at) from app.recharge_payments p where p.order_id = o.id))
             from app.recharge_orders o join app.cards c on c.id = o.card_id where o.order_no = '{}'",
            order.order_no
        ))
    }

    /// All times of the order, so many minutes earlier.
    pub fn age(&self, order: &Order, minutes: u32) {
        self.stack.execute(&format!(
            "update app.recharge_orders o set created_at = o.created_at - i, expires_at = o.expires_at - i,
               query_at = o.query_at - i
             from (select interval '{minutes} minutes' as i) a where o.order_no = '{}'",
            order.order_no
        ));
    }

    /// A counter of the edge: what became of orders of that provider.
    pub fn count(&self, provider: &str, status: &str) -> u64 {
        self.stack.metric(&format!(r#"recharge_orders_total{{provider="{provider}",status="{status}"}}"#))
    }

    /// Runs a job of the edge, as its operator can: what it did.
    pub fn run_job(&self, name: &str) -> Answer {
        self.stack.operate("POST", &format!("/ops/cron/{name}"))
    }

    /// Asks the providers for what is due: how many orders that was.
    pub fn query(&self) -> u64 {
        let answer = self.run_job("query_recharge_orders");
        assert_eq!((answer.status, &answer.body["is_done"]), (200, &json!(true)), "{}", answer.text);
        answer.body["total"].as_u64().expect("a number")
    }
}

/// What every edge of these tests is told.
/// What an edge of a test is told, with Supabase at this address.
pub fn variables(supabase_url: &str) -> Vec<(String, String)> {
    let mut all = vec![
        ("SUPABASE_URL".to_owned(), supabase_url.to_owned()),
        ("JWT_AUDIENCE".to_owned(), "authenticated".to_owned()),
        ("PUBLIC_URL".to_owned(), PUBLIC_URL.to_owned()),
    ];
    for (name, of_stage) in [
        ("SUPABASE_PUBLISHABLE_KEY", "MPS_E2E_PUBLISHABLE_KEY"),
        ("SUPABASE_SECRET_KEY", "MPS_E2E_SECRET_KEY"),
        ("SUPABASE_JWT_SECRET", "MPS_E2E_JWT_SECRET"),
        ("OPS_TOKEN", "MPS_E2E_OPS_TOKEN"),
    ] {
        all.push((name.to_owned(), variable(of_stage)));
    }
    // One member of a test is as good as many.
    for limit in ["RATE_LIMIT_USER", "RATE_LIMIT_PAYMENT", "RATE_LIMIT_ADDRESS", "REQUESTS_IN_FLIGHT"] {
        all.push((limit.to_owned(), "off".to_owned()));
    }
    all
}

/// No log of the edge may have a line of a private key in it, nor what notices are encrypted with.
fn keep_secrets(stack: &Stack, gateway: &Gateway) {
    stack.keep_secret(&gateway.wechat.api_v3_key);
    for key in [&gateway.wechat.merchant, &gateway.alipay.merchant] {
        let pem = key.private_pem();
        stack.keep_secret(&bare(&pem));
        pem.lines().filter(|line| line.len() == 64).for_each(|line| drop(stack.keep_secret(line)));
    }
}

fn text_of(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}
