//! The routes of merchants and of the house as each kind of user meets them: who may, who may not, and that a refusal changes
//! no row.

use mps_e2e::{Answer, Stack, answer_of, fresh};
use serde_json::{Value, json};

/// A merchant with one user in each role, an admin of the house, and two who have nothing to do with them.
struct House {
    stack: Stack,
    merchant_id: String,
    member_id: String,
    card_id: String,
    admin: String,
    owner: String,
    manager: String,
    cashier: String,
    member: String,
    other_owner: String,
    stranger: String,
}

impl House {
    fn new() -> Self {
        let stack = Stack::new();
        let shop = stack.open_shop("500");
        let other = stack.open_shop("500");
        let worker = |code: &str, role: &str| {
            stack.token_of(&stack.value(&format!("select fx.make_merchant_user('{code}', '{role}')")))
        };
        let admin_id = stack.value(&format!("select fx.make_user('{}@fixture.example')", fresh("admin-")));
        stack.execute(&format!("insert into app.admin_users (user_id) values ('{admin_id}')"));
        let merchant = format!("select id from app.merchants where code = '{}'", shop.merchant_code);
        let member = format!("select personal_member_id from app.cards where id = '{}'", shop.card_id);
        Self {
            merchant_id: stack.value(&merchant),
            member_id: stack.value(&member),
            owner: worker(&shop.merchant_code, "owner"),
            manager: worker(&shop.merchant_code, "manager"),
            other_owner: worker(&other.merchant_code, "owner"),
            admin: stack.token_of(&admin_id),
            stranger: stack.stranger(),
            card_id: shop.card_id,
            cashier: shop.cashier,
            member: shop.member,
            stack,
        }
    }

    fn send(&self, token: &str, method: &str, path: &str, key: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {token}");
        let mut headers = vec![("authorization", authorization.as_str())];
        let takes_key = ["prepaid", "corporate", "voucher", "adjust", "points", "charge", "refund", "cash"];
        headers.extend(takes_key.iter().any(|name| path.ends_with(name)).then_some(("idempotency-key", key)));
        let text = if body.is_null() { String::new() } else { body.to_string() };
        headers.extend((!body.is_null()).then_some(("content-type", "application/json")));
        self.stack.edge(method, path, &headers, &text)
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.send(token, method, path, &self.stack.fresh_key(), body)
    }

    fn refuse(&self, token: &str, method: &str, path: &str, body: &Value, expected: (u16, &str)) {
        let before = self.stack.state();
        let answer = self.ask(token, method, path, body);
        assert_eq!(answer.refusal(), answer_of(expected.0, &json!(expected.1)), "{method} {path}");
        assert_eq!(self.stack.state(), before, "{method} {path}: something changed");
    }

    fn ok(&self, token: &str, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(token, method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        answer.body
    }
}

#[test]
fn only_admins_run_the_house() {
    let house = House::new();
    let (card, merchant, member) =
        (&house.card_id, &house.merchant_id, format!("/api/admin/members/{}", house.member_id));
    let card = format!("/api/admin/cards/{card}");
    let routes = [
        ("GET", "/api/admin/members".to_owned(), json!(null)),
        ("POST", "/api/admin/members/search".to_owned(), json!({"keyword": "a"})),
        ("POST", "/api/admin/members".to_owned(), json!({"name": "A"})),
        ("POST", format!("{member}/suspend"), json!(null)),
        ("POST", format!("{member}/activate"), json!(null)),
        ("GET", "/api/admin/cards".to_owned(), json!(null)),
        ("POST", "/api/admin/cards/prepaid".to_owned(), json!({"owner_member_id": house.member_id})),
        ("POST", format!("{card}/adjust"), json!({"amount": "1.00", "reason": "mine"})),
        ("POST", format!("{card}/points"), json!({"delta_points": 1000, "reason": "mine"})),
        ("POST", format!("{card}/unfreeze"), json!(null)),
        ("POST", format!("{card}/close"), json!(null)),
        ("PUT", format!("{card}/expiry"), json!({"expires_at": null})),
        ("GET", "/api/admin/merchants".to_owned(), json!(null)),
        ("POST", "/api/admin/merchants".to_owned(), json!({"code": "MINE01", "name": "M"})),
        ("PATCH", format!("/api/admin/merchants/{merchant}"), json!({"fee_bps": 0})),
        ("POST", format!("/api/admin/merchants/{merchant}/suspend"), json!(null)),
        ("GET", "/api/admin/settings".to_owned(), json!(null)),
        ("PUT", "/api/admin/settings/any".to_owned(), json!({"value": "1"})),
        ("GET", "/api/admin/audit".to_owned(), json!(null)),
        ("GET", "/api/admin/statistics".to_owned(), json!(null)),
        ("GET", "/api/admin/health".to_owned(), json!(null)),
        ("GET", "/api/admin/ledger/check".to_owned(), json!(null)),
        ("GET", "/api/admin/seals/check".to_owned(), json!(null)),
        ("GET", "/api/admin/seals/latest".to_owned(), json!(null)),
    ];
    for (method, path, body) in &routes {
        for token in [&house.stranger, &house.member, &house.cashier, &house.manager, &house.owner] {
            house.refuse(token, method, path, body, (403, "PERMISSION_DENIED"));
        }
    }
}

#[test]
fn a_merchant_is_seen_by_its_own_users_and_by_admins_alone() {
    let house = House::new();
    let merchant = format!("/api/merchant/{}", house.merchant_id);
    for path in ["", "/transactions", "/transactions/page", "/summary"] {
        let path = format!("{merchant}{path}");
        for token in [&house.cashier, &house.manager, &house.owner, &house.admin] {
            house.ok(token, "GET", &path, &json!(null));
        }
        for token in [&house.stranger, &house.member, &house.other_owner] {
            house.refuse(token, "GET", &path, &json!(null), (404, "MERCHANT_NOT_FOUND"));
        }
    }
    let settlements = format!("{merchant}/settlements");
    for token in [&house.manager, &house.owner, &house.admin] {
        assert_eq!(house.ok(token, "GET", &settlements, &json!(null)), json!([]));
    }
    house.refuse(&house.cashier, "GET", &settlements, &json!(null), (403, "PERMISSION_DENIED"));
    house.refuse(&house.other_owner, "GET", &settlements, &json!(null), (404, "MERCHANT_NOT_FOUND"));
    let mine = house.ok(&house.cashier, "GET", "/api/merchant/me", &json!(null));
    assert_eq!((&mine[0]["merchant_id"], &mine[0]["role"]), (&json!(house.merchant_id), &json!("cashier")));
    assert_eq!(house.ok(&house.stranger, "GET", "/api/merchant/me", &json!(null)), json!([]));
}

#[test]
fn an_owner_keeps_terminals_and_users_and_a_cashier_does_not() {
    let house = House::new();
    let merchant = format!("/api/merchant/{}", house.merchant_id);
    let terminals = format!("{merchant}/terminals");
    let user_id = house.stack.value(&format!("select fx.make_user('{}@fixture.example')", fresh("new-")));
    let user = format!("{merchant}/users/{user_id}");
    let (label, role) = (json!({"label": "till"}), json!({"role": "cashier"}));
    house.refuse(&house.cashier, "POST", &terminals, &label, (403, "PERMISSION_DENIED"));
    house.refuse(&house.other_owner, "POST", &terminals, &label, (404, "MERCHANT_NOT_FOUND"));
    house.refuse(&house.cashier, "PUT", &user, &json!({"role": "owner"}), (403, "PERMISSION_DENIED"));
    house.refuse(&house.other_owner, "PUT", &user, &role, (404, "MERCHANT_NOT_FOUND"));
    let terminal = house.ok(&house.owner, "POST", &terminals, &label);
    let code = terminal["terminal_code"].as_str().expect("a code");
    let path = format!("/api/merchant/terminals/{code}");
    assert_eq!(house.ok(&house.owner, "DELETE", &path, &json!(null)), json!({"changed": true}));
    assert_eq!(house.ok(&house.owner, "DELETE", &path, &json!(null)), json!({"changed": false}));
    assert_eq!(house.ok(&house.owner, "PUT", &user, &role), json!({"changed": true}));
    assert_eq!(house.ok(&house.owner, "PUT", &user, &role), json!({"changed": false}));
    assert_eq!(house.ok(&house.owner, "DELETE", &user, &json!(null)), json!({"changed": true}));
}

#[test]
fn an_admin_issues_adjusts_and_closes_once_for_each_key() {
    let house = House::new();
    let adjust = format!("/api/admin/cards/{}/adjust", house.card_id);
    let (key, body) = (house.stack.fresh_key(), json!({"amount": -12.5, "reason": "a correction"}));
    let first = house.send(&house.admin, "POST", &adjust, &key, &body);
    assert_eq!((first.status, &first.body["amount"]), (200, &json!("-12.50")), "{}", first.body);
    let settled = house.stack.state();
    let again = house.send(&house.admin, "POST", &adjust, &key, &body);
    assert_eq!((again.header("idempotency-replayed"), &again.body["tx_no"]), ("true", &first.body["tx_no"]));
    assert_eq!(house.stack.state(), settled, "a replay writes nothing");
    let cards = house.ok(&house.member, "GET", "/api/member/cards", &json!(null));
    assert_eq!(cards[0]["balance"], "487.50");
    let issue = json!({"owner_member_id": house.member_id, "initial_balance": "100", "name": "gift"});
    let card = house.ok(&house.admin, "POST", "/api/admin/cards/prepaid", &issue);
    let card = format!("/api/admin/cards/{}", card["card_id"].as_str().expect("an id"));
    let expiry = json!({"expires_at": "2099-01-01T00:00:00Z"});
    assert_eq!(house.ok(&house.admin, "PUT", &format!("{card}/expiry"), &expiry), json!({"changed": true}));
    let before = house.stack.state();
    assert_eq!(house.ask(&house.admin, "PUT", &format!("{card}/expiry"), &json!({})).status, 400);
    assert_eq!(house.stack.state(), before, "an expiry that was left out stays");
}

#[test]
fn an_admin_reads_all_there_is_to_read() {
    let house = House::new();
    for path in [
        "/api/admin/members",
        "/api/admin/cards?limit=200",
        "/api/admin/cards/search?keyword=STD",
        "/api/admin/merchants?keyword=E2E",
        "/api/admin/settings",
        "/api/admin/audit?limit=5",
        "/api/admin/statistics",
        "/api/admin/health",
        "/api/admin/seals/latest",
        "/api/merchant/trends?start_date=2026-01-01T00:00:00Z&end_date=2026-02-01T00:00:00Z&group_by=week",
    ] {
        assert!(house.ok(&house.admin, "GET", path, &json!(null)).is_array(), "{path}");
    }
    for path in ["/api/admin/ledger/check", "/api/admin/seals/check"] {
        assert_eq!(house.ok(&house.admin, "GET", path, &json!(null)), json!([]), "{path}");
    }
    for path in ["/api/admin/members?limit=201", "/api/admin/cards?limit=0", "/api/admin/audit?limit=-1"] {
        house.refuse(&house.admin, "GET", path, &json!(null), (400, "MALFORMED_ARGUMENT"));
    }
}
