//! The routes of merchants and of the house: which RPC each calls with which arguments, and what none of them takes.

use serde_json::{Value, json};

use super::bench::{Bench, CARD, request, signed_in};

const OTHER: &str = "0193b5a0-0000-7000-8000-00000000000b";
const FROM: &str = "2026-11-01T00:00:00Z";
const UNTIL: &str = "2026-12-01T00:00:00Z";

/// Method and address, `{a}` and `{b}` standing for two ids; the body; the RPC; its arguments.
type Case = (&'static str, &'static str, Value, &'static str, Value);

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_merchants() -> Vec<Case> {
    vec![
        ("GET", "/api/merchant/me", json!(null), "get_my_merchants", json!({})),
        ("GET", "/api/merchant/{a}", json!(null), "get_merchant_detail", json!({"p_merchant_id": CARD})),
        (
            "GET",
            "/api/merchant/{a}/transactions?limit=20&offset=40&start_date=2026-11-01T08:00:00%2B08:00&end_date=2026-12-01T00:00:00Z",
            json!(null),
            "get_merchant_transactions",
            json!({"p_merchant_id": CARD, "p_limit": 20, "p_offset": 40, "p_start_date": FROM, "p_end_date": UNTIL}),
        ),
        (
            "GET",
            "/api/merchant/{a}/transactions/page?before_tx_id={b}&limit=20",
            json!(null),
            "get_merchant_transactions_page",
            json!({"p_merchant_id": CARD, "p_before_tx_id": OTHER, "p_limit": 20}),
        ),
        (
            "GET",
            "/api/merchant/{a}/summary",
            json!(null),
            "get_today_transaction_stats",
            json!({"p_merchant_id": CARD}),
        ),
        (
            "GET",
            "/api/merchant/trends?start_date=2026-11-01T00:00:00Z&end_date=2026-12-01T00:00:00Z&group_by=week&merchant_id={a}",
            json!(null),
            "get_transaction_trends",
            json!({"p_start_date": FROM, "p_end_date": UNTIL, "p_group_by": "week", "p_merchant_id": CARD}),
        ),
        (
            "POST",
            "/api/merchant/{a}/terminals",
            json!({"label": "櫃台"}),
            "register_terminal",
            json!({"p_merchant_id": CARD, "p_label": "櫃台"}),
        ),
        (
            "DELETE",
            "/api/merchant/terminals/K7Q2ZD",
            json!(null),
            "retire_terminal",
            json!({"p_terminal_code": "K7Q2ZD"}),
        ),
        (
            "PUT",
            "/api/merchant/{a}/users/{b}",
            json!({"role": "cashier"}),
            "add_merchant_user",
            json!({"p_merchant_id": CARD, "p_user_id": OTHER, "p_role": "cashier"}),
        ),
        (
            "DELETE",
            "/api/merchant/{a}/users/{b}",
            json!(null),
            "remove_merchant_user",
            json!({"p_merchant_id": CARD, "p_user_id": OTHER}),
        ),
        (
            "GET",
            "/api/merchant/{a}/settlements?limit=5&offset=0",
            json!(null),
            "list_settlements",
            json!({"p_merchant_id": CARD, "p_limit": 5, "p_offset": 0}),
        ),
        (
            "GET",
            "/api/merchant/settlements/{a}?limit=200",
            json!(null),
            "get_settlement_detail",
            json!({"p_settlement_id": CARD, "p_limit": 200}),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_members_and_cards() -> Vec<Case> {
    let issued = |rpc| (json!({"owner_member_id": OTHER, "initial_balance": 500}), rpc);
    let arguments =
        json!({"p_owner_member_id": OTHER, "p_initial_balance": "500.00", "p_idempotency_key": "k-1"});
    let issue = |path, (body, rpc)| ("POST", path, body, rpc, arguments.clone());
    vec![
        (
            "POST",
            "/api/admin/members",
            json!({"name": "A", "phone": "+886912345678", "email": "a@b.example"}),
            "create_member_profile",
            json!({"p_name": "A", "p_phone": "+886912345678", "p_email": "a@b.example"}),
        ),
        (
            "GET",
            "/api/admin/members?status=active&limit=10&offset=10",
            json!(null),
            "get_all_members",
            json!({"p_status": "active", "p_limit": 10, "p_offset": 10}),
        ),
        (
            "POST",
            "/api/admin/members/search",
            json!({"keyword": "明", "limit": 3}),
            "search_members",
            json!({"p_keyword": "明", "p_limit": 3}),
        ),
        (
            "POST",
            "/api/admin/members/{a}/suspend",
            json!(null),
            "admin_suspend_member",
            json!({"p_member_id": CARD}),
        ),
        (
            "POST",
            "/api/admin/members/{a}/activate",
            json!(null),
            "admin_activate_member",
            json!({"p_member_id": CARD}),
        ),
        (
            "PUT",
            "/api/admin/members/{a}/user",
            json!({"auth_user_id": OTHER}),
            "link_member_auth_user",
            json!({"p_member_id": CARD, "p_auth_user_id": OTHER}),
        ),
        (
            "GET",
            "/api/admin/cards?card_type=prepaid&status=frozen",
            json!(null),
            "get_all_cards",
            json!({"p_card_type": "prepaid", "p_status": "frozen"}),
        ),
        (
            "GET",
            "/api/admin/cards/search?keyword=STD",
            json!(null),
            "search_cards",
            json!({"p_keyword": "STD"}),
        ),
        issue("/api/admin/cards/prepaid", issued("create_prepaid_card")),
        issue("/api/admin/cards/corporate", issued("create_corporate_card")),
        issue("/api/admin/cards/voucher", issued("create_voucher_card")),
        (
            "POST",
            "/api/admin/cards/{a}/adjust",
            json!({"amount": "-12.5", "reason": "r"}),
            "adjust_card_balance",
            json!({"p_card_id": CARD, "p_amount": "-12.50", "p_reason": "r", "p_idempotency_key": "k-1"}),
        ),
        (
            "POST",
            "/api/admin/cards/{a}/points",
            json!({"delta_points": -5, "reason": "r"}),
            "update_points_and_level",
            json!({"p_card_id": CARD, "p_delta_points": -5, "p_reason": "r", "p_idempotency_key": "k-1"}),
        ),
        ("POST", "/api/admin/cards/{a}/unfreeze", json!({}), "unfreeze_card", json!({"p_card_id": CARD})),
        ("POST", "/api/admin/cards/{a}/close", json!({}), "close_card", json!({"p_card_id": CARD})),
        (
            "PUT",
            "/api/admin/cards/{a}/expiry",
            json!({"expires_at": UNTIL}),
            "set_card_expiry",
            json!({"p_card_id": CARD, "p_expires_at": UNTIL}),
        ),
        (
            "PUT",
            "/api/admin/cards/{a}/expiry",
            json!({"expires_at": null}),
            "set_card_expiry",
            json!({"p_card_id": CARD, "p_expires_at": null}),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_the_house() -> Vec<Case> {
    vec![
        (
            "POST",
            "/api/admin/merchants",
            json!({"code": "SHOP009", "name": "N"}),
            "create_merchant",
            json!({"p_code": "SHOP009", "p_name": "N"}),
        ),
        (
            "GET",
            "/api/admin/merchants?keyword=SHOP&status=active",
            json!(null),
            "search_merchants",
            json!({"p_keyword": "SHOP", "p_status": "active"}),
        ),
        (
            "PATCH",
            "/api/admin/merchants/{a}",
            json!({"fee_bps": 150, "day_max": 1000.5, "clear_day_max": false}),
            "update_merchant",
            json!({"p_merchant_id": CARD, "p_fee_bps": 150, "p_day_max": "1000.50", "p_clear_day_max": false}),
        ),
        (
            "POST",
            "/api/admin/merchants/{a}/suspend",
            json!(null),
            "admin_suspend_merchant",
            json!({"p_merchant_id": CARD}),
        ),
        (
            "POST",
            "/api/admin/merchants/{a}/activate",
            json!(null),
            "admin_activate_merchant",
            json!({"p_merchant_id": CARD}),
        ),
        (
            "PUT",
            "/api/admin/levels",
            json!({"levels": [{"level": 0, "discount": "1.000"}]}),
            "set_membership_levels",
            json!({"p_levels": [{"level": 0, "discount": "1.000"}]}),
        ),
        (
            "POST",
            "/api/admin/settlements",
            json!({"merchant_id": CARD, "mode": "monthly", "period_start": FROM, "period_end": UNTIL}),
            "generate_settlement",
            json!({"p_merchant_id": CARD, "p_mode": "monthly", "p_period_start": FROM, "p_period_end": UNTIL}),
        ),
        (
            "POST",
            "/api/admin/settlements/late",
            json!({"merchant_id": CARD, "tx_nos": ["PAY0000000001"], "reason": "r"}),
            "settle_late_transactions",
            json!({"p_merchant_id": CARD, "p_tx_nos": ["PAY0000000001"], "p_reason": "r"}),
        ),
        (
            "POST",
            "/api/admin/seals/acknowledge",
            json!({"seal_no": 3, "table_name": "app.transactions", "row_id": CARD, "what": "added", "reason": "r"}),
            "acknowledge_seal_finding",
            json!({"p_seal_no": 3, "p_table_name": "app.transactions", "p_row_id": CARD, "p_what": "added", "p_reason": "r"}),
        ),
        (
            "POST",
            "/api/admin/clock/acknowledge",
            json!({"reason": "r"}),
            "acknowledge_clock",
            json!({"p_reason": "r"}),
        ),
        (
            "PUT",
            "/api/admin/settlements/{a}/status",
            json!({"status": "settled"}),
            "update_settlement_status",
            json!({"p_settlement_id": CARD, "p_status": "settled"}),
        ),
        (
            "POST",
            "/api/admin/recharge/orders/RCO0000000001/resolve",
            json!({"provider_tx_id": "4200", "resolution": "credited", "note": "n"}),
            "resolve_recharge_order",
            json!({"p_order_no": "RCO0000000001", "p_provider_tx_id": "4200", "p_resolution": "credited", "p_note": "n"}),
        ),
        (
            "GET",
            "/api/admin/recharge/events?with_resolved=true&limit=9&before_id={a}",
            json!(null),
            "list_recharge_events",
            json!({"p_with_resolved": true, "p_limit": 9, "p_before_id": CARD}),
        ),
        (
            "POST",
            "/api/admin/recharge/events/{a}/resolve",
            json!({"note": "taken off the card"}),
            "resolve_recharge_event",
            json!({"p_recharge_event_id": CARD, "p_note": "taken off the card"}),
        ),
        ("GET", "/api/admin/settings", json!(null), "get_settings", json!({})),
        (
            "PUT",
            "/api/admin/settings/tx_amount_max",
            json!({"value": "50000"}),
            "set_setting",
            json!({"p_key": "tx_amount_max", "p_value": "50000"}),
        ),
        ("PUT", "/api/admin/admins/{a}", json!(null), "add_admin_user", json!({"p_user_id": CARD})),
        ("DELETE", "/api/admin/admins/{a}", json!(null), "remove_admin_user", json!({"p_user_id": CARD})),
        (
            "GET",
            "/api/admin/audit?object_type=card&object_id={a}&actor_user_id={b}&action=charge&before_id={b}&limit=1",
            json!(null),
            "query_audit_log",
            json!({"p_object_type": "card", "p_object_id": CARD, "p_actor_user_id": OTHER, "p_action": "charge",
                "p_before_id": OTHER, "p_limit": 1}),
        ),
        ("GET", "/api/admin/statistics", json!(null), "get_system_statistics", json!({})),
        ("GET", "/api/admin/health", json!(null), "system_health_check", json!({})),
        ("GET", "/api/admin/ledger/check", json!(null), "verify_ledger", json!({})),
        (
            "GET",
            "/api/admin/seals/check?seal_first=2&seals_max=10&anchor_seal_no=1&anchor_root=ab",
            json!(null),
            "verify_seals",
            json!({"p_seal_first": 2, "p_seals_max": 10, "p_anchor_seal_no": 1, "p_anchor_root": "ab"}),
        ),
        ("GET", "/api/admin/seals/latest", json!(null), "get_latest_seal", json!({})),
    ]
}

fn all() -> Vec<Case> {
    [of_merchants(), of_members_and_cards(), of_the_house()].concat()
}

/// Sends it as a signed-in user, with a key in case it wants one.
async fn send(bench: &Bench, method: &str, path: &str, body: &Value) -> super::bench::Reply {
    let authorization = signed_in();
    let mut headers = vec![("authorization", authorization.as_str()), ("idempotency-key", "k-1")];
    if !body.is_null() {
        headers.push(("content-type", "application/json"));
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    bench.send(request(method, path, &headers, text)).await
}

fn address(path: &str) -> String {
    path.replace("{a}", CARD).replace("{b}", OTHER)
}

fn refusal() -> (&'static str, String) {
    let body = json!({"code": "PT403", "message": "PERMISSION_DENIED", "details": "{}", "hint": null});
    ("403 Forbidden", body.to_string())
}

#[tokio::test]
async fn each_calls_its_rpc_with_exactly_what_was_given_and_passes_the_refusal_on() {
    for (method, path, body, rpc, arguments) in all() {
        let bench = Bench::new(vec![refusal()]).await;
        let reply = send(&bench, method, &address(path), &body).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["code"]),
            (403, &json!("PERMISSION_DENIED")),
            "{method} {path}: {}",
            reply.body
        );
        let received = bench.received();
        let (head, sent) = received[0].split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(&format!("POST /rest/v1/rpc/{rpc} ")), "{method} {path}: {head}");
        let sent: Value = serde_json::from_str(sent).expect("JSON");
        assert_eq!(sent, arguments, "{method} {path}");
    }
}

#[tokio::test]
async fn every_route_of_merchants_and_of_the_house_is_in_the_table() {
    let tested: Vec<_> = all().into_iter().map(|case| case.3).collect();
    for operation in crate::routes::declared().operations {
        if operation.path.starts_with("/api/merchant/") || operation.path.starts_with("/api/admin/") {
            assert!(tested.contains(&operation.rpc), "{}", operation.rpc);
        }
    }
}

#[tokio::test]
async fn nobody_gets_past_them_without_a_token() {
    let bench = Bench::new(vec![]).await;
    for (method, path, _, _, _) in all() {
        let reply = bench.send(request(method, &address(path), &[], "{")).await;
        assert_eq!(reply.body["code"], "NOT_AUTHENTICATED", "{method} {path}");
    }
}

#[tokio::test]
async fn a_field_that_the_route_does_not_have_is_refused_by_name() {
    let bench = Bench::new(vec![]).await;
    for (method, path, body, _, _) in all() {
        let (path, body, code) = match method {
            "GET" | "DELETE" => {
                let separator = if path.contains('?') { '&' } else { '?' };
                (format!("{path}{separator}surprise=1"), body, "MALFORMED_ARGUMENT")
            }
            _ => {
                let mut body = if body.is_null() { json!({}) } else { body };
                body["surprise"] = json!(1);
                (path.to_owned(), body, "MALFORMED_BODY")
            }
        };
        let reply = send(&bench, method, &address(&path), &body).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!(code)), "{method} {path}");
        assert_eq!(reply.body["params"], json!({"field": "surprise"}), "{method} {path}");
    }
}

#[tokio::test]
async fn what_the_address_names_cannot_be_named_otherwise_in_query_or_body() {
    let bench = Bench::new(vec![]).await;
    let (merchant, card) = (format!("/api/merchant/{CARD}"), format!("/api/admin/cards/{CARD}"));
    for (method, path, body, field) in [
        ("GET", format!("{merchant}/transactions?merchant_id={OTHER}"), json!(null), "merchant_id"),
        ("DELETE", format!("{merchant}/users/{OTHER}?user_id={CARD}"), json!(null), "user_id"),
        (
            "PUT",
            format!("{merchant}/users/{OTHER}"),
            json!({"role": "owner", "merchant_id": OTHER}),
            "merchant_id",
        ),
        (
            "POST",
            format!("{card}/adjust"),
            json!({"card_id": OTHER, "amount": "1", "reason": "r"}),
            "card_id",
        ),
        (
            "POST",
            format!("{card}/adjust"),
            json!({"idempotency_key": "k-2", "amount": "1", "reason": "r"}),
            "idempotency_key",
        ),
        ("POST", format!("{card}/close?card_id={OTHER}"), json!({}), "card_id"),
    ] {
        let reply = send(&bench, method, &path, &body).await;
        assert_eq!(reply.status, 400, "{method} {path}: {}", reply.body);
        assert_eq!(reply.body["params"], json!({"field": field}), "{method} {path}");
    }
}

#[tokio::test]
async fn a_malformed_value_is_refused_by_name() {
    let bench = Bench::new(vec![]).await;
    let merchant = format!("/api/merchant/{CARD}");
    for (path, field) in [
        ("/api/merchant/nobody".to_owned(), "merchant_id"),
        (format!("/api/merchant/{}", &CARD[1..]), "merchant_id"),
        (format!("{merchant}/transactions?limit=many"), "limit"),
        (format!("{merchant}/transactions?limit="), "limit"),
        (format!("{merchant}/transactions?limit=99999999999"), "limit"),
        (format!("{merchant}/transactions?limit=1&limit=2"), "limit"),
        (format!("{merchant}/transactions?offset=1.5"), "offset"),
        (format!("{merchant}/transactions?start_date=2026-11-01"), "start_date"),
        (format!("{merchant}/transactions/page?before_tx_id=1"), "before_tx_id"),
        ("/api/merchant/trends?start_date=2026-11-01T00:00:00Z".to_owned(), "end_date"),
        ("/api/admin/audit?actor_user_id=me".to_owned(), "actor_user_id"),
        ("/api/admin/seals/check?seal_first=one".to_owned(), "seal_first"),
    ] {
        let reply = send(&bench, "GET", &path, &json!(null)).await;
        let end = (reply.status.as_u16(), &reply.body["code"]);
        assert_eq!(end, (400, &json!("MALFORMED_ARGUMENT")), "{path}");
        assert_eq!(reply.body["params"], json!({"field": field}), "{path}");
    }
}

/// Left out is not null: a request that forgets the field must not take the expiry away.
#[tokio::test]
async fn an_expiry_goes_only_when_it_is_said() {
    let bench = Bench::new(vec![]).await;
    let path = format!("/api/admin/cards/{CARD}/expiry");
    for body in [json!({}), json!(null)] {
        let reply = send(&bench, "PUT", &path, &body).await;
        let end = (reply.status.as_u16(), &reply.body["params"]);
        assert_eq!(end, (400, &json!({"field": "expires_at"})), "{body}");
    }
}

#[tokio::test]
async fn money_does_not_move_without_a_key_or_for_no_amount() {
    let bench = Bench::new(vec![]).await;
    let card = format!("/api/admin/cards/{CARD}");
    let issue = json!({"owner_member_id": OTHER});
    let adjust = |amount: Value| json!({"amount": amount, "reason": "r"});
    for (path, body) in [
        ("/api/admin/cards/prepaid".to_owned(), issue.clone()),
        ("/api/admin/cards/corporate".to_owned(), issue.clone()),
        ("/api/admin/cards/voucher".to_owned(), issue),
        (format!("{card}/adjust"), adjust(json!("1"))),
        (format!("{card}/points"), json!({"delta_points": 1, "reason": "r"})),
    ] {
        let reply = bench.send(super::bench::post(&path, &[], body.to_string())).await;
        let end = (reply.status.as_u16(), &reply.body["code"]);
        assert_eq!(end, (400, &json!("IDEMPOTENCY_KEY_REQUIRED")), "{path}");
    }
    for amount in [json!(0), json!("-0"), json!("--1"), json!("1.001"), json!("1e3"), json!("NaN"), json!("")]
    {
        let reply = send(&bench, "POST", &format!("{card}/adjust"), &adjust(amount.clone())).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (422, &json!("INVALID_PRICE")), "{amount}");
    }
}

#[tokio::test]
async fn an_answer_of_before_says_so() {
    for is_replay in [true, false] {
        let row = json!([{"tx_id": CARD, "tx_no": "ADJ0000000001", "amount": 5, "replayed": is_replay}]);
        let bench = Bench::new(vec![("200 OK", row.to_string())]).await;
        let body = json!({"amount": 5, "reason": "r"});
        let reply = send(&bench, "POST", &format!("/api/admin/cards/{CARD}/adjust"), &body).await;
        assert_eq!((reply.status.as_u16(), &reply.body["amount"]), (200, &json!("5.00")));
        assert_eq!(reply.headers.contains_key("idempotency-replayed"), is_replay);
    }
}
