//! Every operation of openapi.json against the running Worker: what it answers is what the document says.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use mps_e2e::{Answer, Providers, Shop, Stack, fresh};
use serde_json::{Map, Value, json};

/// Operations that this walk cannot bring to an answer, and why.
const NEVER_DONE: &[&str] = &[
    "unbindIdentity",         // nobody here has an external identity
    "linkMember",             // the member has a user already
    "validateCode",           // the walk has no live code of its own
    "quotePayment",           // neither
    "charge",                 // neither
    "generateSettlement",     // the scene's own covers the period
    "settleLateTransactions", // and has settled what there is
    "bindCard",               // a standard card is not shared
    "acceptInvitation",       // so nobody is asked to own it
    "declineInvitation",      // neither
    "findPayment",            // it wants one of two fields, and neither must be there
    "resolveRechargeEvent",   // no provider has contradicted a payment here
    "reverseCash",            // the transaction of the walk is a payment
    "unbindCard",             // so nobody is bound to it but its owner
    "setCardPassword",        // and it takes no password
    "closeCard",              // there is money on it
    "deleteMember",           // and so its owner stays
    "unfreezeCard",           // nobody has frozen it yet
    "setLevels",              // Supabase Lite does not pass its array on as one
];

/// What is there for the walk to name.
struct Scene {
    shop: Shop,
    admin: String,
    values: Map<String, Value>,
}

impl Scene {
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn open(stack: &Stack) -> Self {
        let shop = stack.open_shop("500");
        let admin = stack.sign_in("admin@demo.example");
        let code = stack.code(&shop);
        let charge = stack.charge(&shop.cashier, &stack.fresh_key(), &shop.request(&code, "10.00"));
        assert_eq!(charge.status, 200, "{}", charge.body);
        let user_id = stack.value(&format!("select fx.make_user('{}@fixture.example')", fresh("walk-")));
        let label = json!({"card_id": shop.card_id, "label": "phone"});
        let device = stack.post("/api/devices", &shop.member, &label);
        assert_eq!(device.status, 200, "{}", device.body);
        stack.keep_secret(device.body["device_key"].as_str().expect("a key"));
        let levels = stack.get("/api/member/levels", &admin).body;
        let (order_no, provider_tx_id) = order_to_review(stack, &shop);
        let mut values = Map::new();
        let merchant = |column: &str| {
            stack.value(&format!("select {column} from app.merchants where code = '{}'", shop.merchant_code))
        };
        let member_id =
            stack.value(&format!("select personal_member_id from app.cards where id = '{}'", shop.card_id));
        for (name, value) in [
            ("card_id", json!(shop.card_id)),
            ("member_id", json!(member_id)),
            ("owner_member_id", json!(member_id)),
            ("merchant_id", json!(merchant("id"))),
            ("merchant_code", json!(shop.merchant_code)),
            ("terminal_code", json!(shop.terminal_code)),
            ("tx_no", charge.body["tx_no"].clone()),
            ("original_tx_no", charge.body["tx_no"].clone()),
            ("refund_amount", json!("1.00")),
            ("user_id", json!(user_id)),
            ("auth_user_id", json!(user_id)),
            ("keyword", json!("M")),
            ("key", json!("recharge_currency")),
            ("value", json!("CNY")),
            ("start_date", json!("2026-01-01T00:00:00Z")),
            ("end_date", json!("2026-02-01T00:00:00Z")),
            ("mode", json!("realtime")),
            ("period_start", json!("2020-01-01T00:00:00Z")),
            ("period_end", json!(stack.value("select to_char(now() at time zone 'UTC' + interval '-1 ms', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"))),
            ("status", json!("settled")),
            ("role", json!("cashier")),
            ("reason", json!("walk")),
            ("name", json!("Walk")),
            ("code", json!(fresh("WALK")[..12].to_uppercase())),
            ("label", json!("till")),
            ("password", json!("walk-password")),
            ("amount", json!("5.00")),
            ("delta_points", json!(5)),
            ("qr_plain", json!("701234567890123456789017")),
            ("raw_amount", json!("1.00")),
            ("resolution", json!("credit")),
            ("provider", json!("wechat")),
            ("provider_tx_id", json!(provider_tx_id)),
            ("order_no", json!(order_no)),
            ("note", json!("walk")),
            ("table_name", json!("transactions")),
            ("what", json!("changed")),
            ("tx_nos", json!(["PAY9999999999"])),
            ("idempotency_key", json!("never sent")),
            ("recharge_event_id", json!("0193b5a0-0000-7000-8000-0000000000ff")),
            ("expires_at", Value::Null),
            ("levels", levels),
            ("handle", device.body["handle"].clone()),
        ] {
            values.insert(name.to_owned(), value);
        }
        let mut scene = Self { shop, admin, values };
        let period = ["merchant_id", "mode", "period_start", "period_end"];
        let body = Map::from_iter(period.map(|name| (name.to_owned(), scene.value(name))));
        let settlement = stack.post("/api/admin/settlements", &scene.admin, &Value::Object(body));
        assert_eq!(settlement.status, 200, "{}", settlement.body);
        scene.values.insert("settlement_id".to_owned(), settlement.body["settlement_id"].clone());
        scene
    }

    /// What the walk says for a field that must be there.
    fn value(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or_else(|| panic!("the scene has no value for {name}"))
    }
}

/// An order of the shop's member for which too little was paid, and the provider's number of that payment.
fn order_to_review(stack: &Stack, shop: &Shop) -> (String, String) {
    let arguments =
        json!({"p_card_id": shop.card_id, "p_amount": "5.00", "p_provider": "wechat"}).to_string();
    let order = stack.rpc("create_recharge_order", Some(&shop.member), &arguments);
    assert_eq!(order.status, 200, "{}", order.text);
    let order_no = order.body[0]["order_no"].as_str().expect("a number").to_owned();
    let provider_tx_id = fresh("walk-");
    let payment = json!({
        "p_order_no": order_no, "p_provider": "wechat", "p_provider_tx_id": provider_tx_id, "p_amount": "4.99", "p_currency": "CNY",
        "p_paid_at": "2026-01-01T00:00:00Z",
    });
    let reported = stack.service_rpc("complete_recharge_order", &payment.to_string());
    assert_eq!(reported.body[0]["payment_status"], "needs_review", "{}", reported.text);
    (order_no, provider_tx_id)
}

/// One operation of the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    about: &'a Value,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.about["operationId"].as_str().expect("an operationId")
    }

    fn parameters(&self, place: &str) -> Vec<&str> {
        let all = self.about["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let here = all.iter().filter(|one| one["in"] == place && one["required"] == true);
        here.filter_map(|one| one["name"].as_str()).collect()
    }

    fn send(&self, stack: &Stack, scene: &Scene, token: Option<&str>) -> Answer {
        let text = |name: &str| match scene.value(name) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let mut path = self.path.to_owned();
        for name in self.parameters("path") {
            path = path.replace(&format!("{{{name}}}"), &text(name));
        }
        let query: Vec<String> =
            self.parameters("query").iter().map(|name| format!("{name}={}", text(name))).collect();
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let schema = &self.about["requestBody"]["content"]["application/json"]["schema"];
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let body: Map<String, Value> = required
            .iter()
            .filter_map(Value::as_str)
            .map(|name| (name.to_owned(), scene.value(name)))
            .collect();
        let has_body = self.about.get("requestBody").is_some();
        let authorization = format!("Bearer {}", token.unwrap_or_default());
        let key = stack.fresh_key();
        let mut headers = vec![];
        if token.is_some() {
            headers.push(("authorization", authorization.as_str()));
        }
        if has_body {
            headers.push(("content-type", "application/json"));
        }
        if !self.parameters("header").is_empty() {
            headers.push(("idempotency-key", key.as_str()));
        }
        let body = if has_body { Value::Object(body).to_string() } else { String::new() };
        stack.edge(&self.method.to_uppercase(), &path, &headers, &body)
    }

    /// The answer is one that the document names, of the shape that it gives.
    fn check(&self, document: &Value, answer: &Answer) {
        let (id, status) = (self.id(), answer.status.to_string());
        let response = &self.about["responses"][&status];
        assert!(response.is_object(), "{id}: {status} is not documented: {}", answer.body);
        assert!(answer.status < 500, "{id}: {status} {}", answer.body);
        let (content, name) = if answer.status == 200 {
            (&response["content"]["application/json"], "application/json")
        } else {
            (
                &document["components"]["responses"]["Problem"]["content"]["application/problem+json"],
                "application/problem+json",
            )
        };
        assert_eq!(answer.header("content-type"), name, "{id}");
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).expect("a right schema");
        let errors: Vec<String> =
            validator.iter_errors(&answer.body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{id}: {errors:?} in {}", answer.body);
        if answer.status != 200 {
            let codes = self.about["x-mps-codes"].as_array().expect("codes");
            assert!(
                codes.contains(&answer.body["code"]),
                "{id}: {} is not among its codes",
                answer.body["code"]
            );
        }
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods.iter().map(move |(method, about)| Operation { method, path, about })
    });
    // What providers call has a signature instead of a token; recharge_wechat.rs and recharge_alipay.rs walk there.
    let is_signed = |operation: &Operation| operation.about["security"] == json!([]);
    all.filter(|operation| operation.path.starts_with("/api/") && !is_signed(operation)).collect()
}

fn document(stack: &Stack) -> Value {
    let answer = stack.edge("GET", "/openapi.json", &[], "");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.body
}

#[test]
fn every_operation_answers_everybody_as_documented() {
    let bench = Providers::start("openapi");
    let stack = &bench.stack;
    let document = document(stack);
    let scene = Scene::open(stack);
    let (mut done, mut last) = (BTreeSet::new(), BTreeMap::new());
    let mut all = operations(&document);
    assert!(all.len() >= 75, "{} operations", all.len());
    // What ends things goes last: the others need them.
    let ends = [
        "deleteMember",
        "closeCard",
        "suspendMerchant",
        "suspendMember",
        "reportCardLost",
        "freezeCard",
        "unbindCard",
    ];
    all.sort_by_key(|operation| {
        ends.iter().rev().position(|id| *id == operation.id()).map_or(0, |place| place + 1)
    });
    let stranger = stack.stranger();
    for operation in &all {
        let nobody = operation.send(stack, &scene, None);
        assert_eq!(nobody.refusal(), (401, "NOT_AUTHENTICATED".to_owned()), "{}", operation.id());
        let people = [stranger.as_str(), &scene.shop.cashier, &scene.shop.member, &scene.admin];
        for token in people {
            let answer = operation.send(stack, &scene, Some(token));
            operation.check(&document, &answer);
            if answer.status == 200 {
                done.insert(operation.id().to_owned());
                stack.keep_secret_if_long(answer.body["device_key"].as_str().unwrap_or_default());
            }
            last.insert(operation.id().to_owned(), answer.text);
        }
    }
    let never: BTreeSet<String> =
        all.iter().map(|operation| operation.id().to_owned()).filter(|id| !done.contains(id)).collect();
    let expected: BTreeSet<String> = NEVER_DONE.iter().map(|id| (*id).to_owned()).collect();
    last.retain(|id, _| never.contains(id));
    assert_eq!(never, expected, "operations that answered nobody, and what they last said: {last:#?}");
}
