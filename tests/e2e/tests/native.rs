//! The same payment by every way against the same stack: the edge, curl, two programs that speak PostgREST, and a Rust program over
//! each of them.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Stdio};

use mps_e2e::{Stack, send, variable};
use serde_json::{Value, json};

const FIELDS: [&str; 5] = ["raw_amount", "discount", "final_amount", "points_earned", "discount_source"];

/// The fields of a charge that do not name it.
fn shown(charge: &Value) -> Value {
    json!(FIELDS.map(|field| (field, charge[field].clone())))
}

/// A number or its text, without the zeros that say nothing.
fn number(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The program, as a person would use it; the request and the token are in its standard input, not on its command line.
fn curl(url: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    let config: String = headers
        .iter()
        .map(|(name, value)| format!("header = \"{name}: {value}\"\n"))
        .chain([format!("data = {}\n", Value::from(body.to_string()))])
        .collect();
    let mut child = Command::new("curl")
        .args(["--silent", "--show-error", "--config", "-", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed");
    child.stdin.take().expect("its input").write_all(config.as_bytes()).expect("input");
    let output = child.wait_with_output().expect("curl ends");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn the_edge_curl_and_postgrest_make_the_same_payment_with_the_same_answer() {
    let stack = Stack::new();
    let shop = stack.open_shop("100");
    let key = stack.fresh_key();
    let request = shop.request(&stack.code(&shop), "10.00");
    let edge = stack.charge(&shop.cashier, &key, &request);
    assert_eq!((edge.status, &edge.body["replayed"]), (200, &json!(false)), "{}", edge.text);

    // The same key, so the same payment: whoever asks hears of the first one.
    let bearer = format!("Bearer {}", shop.cashier);
    let url = format!("{}/api/payment/charge", variable("MPS_E2E_EDGE_URL"));
    let headers =
        [("content-type", "application/json"), ("authorization", bearer.as_str()), ("idempotency-key", &key)];
    let by_curl = curl(&url, &headers, &request);
    let arguments = json!({
        "p_merchant_code": shop.merchant_code, "p_qr_plain": request["qr_plain"], "p_raw_amount": "10.00",
        "p_idempotency_key": key,
    });
    let direct = stack.rpc("merchant_charge_by_qr", Some(&shop.cashier), &arguments.to_string());
    assert_eq!(direct.status, 200, "{}", direct.text);
    let postrust = format!("{}/rpc/merchant_charge_by_qr", variable("MPS_E2E_POSTRUST_URL"));
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let by_postrust = send("POST", &postrust, &headers, &arguments.to_string());
    assert_eq!(by_postrust.status, 200, "{}", by_postrust.text);
    let rows = [("Supabase Lite", &direct.body[0]), ("postrust", &by_postrust.body[0])];
    for (way, other) in rows.into_iter().chain([("curl", &by_curl)]) {
        assert_eq!(other["tx_no"], edge.body["tx_no"], "{way}: {other}");
        assert_eq!(other["replayed"], true, "{way}");
    }
    // PostgREST's numbers may carry extra zeros: their values are compared.
    for (way, row) in rows {
        for field in ["raw_amount", "final_amount", "discount", "points_earned"] {
            assert_eq!(number(&row[field]), number(&edge.body[field]), "{field} by {way}: {row}");
        }
        assert_eq!(row["discount_source"], edge.body["discount_source"], "{way}");
    }
    assert_eq!(shown(&by_curl), shown(&edge.body));

    // And one of its own, which differs in its number only.
    let key = stack.fresh_key();
    let headers =
        [("content-type", "application/json"), ("authorization", bearer.as_str()), ("idempotency-key", &key)];
    let own = curl(&url, &headers, &shop.request(&stack.code(&shop), "10.00"));
    assert_ne!(own["tx_no"], edge.body["tx_no"]);
    assert_eq!(shown(&own), shown(&edge.body));
}

#[test]
fn a_rust_program_pays_and_gives_the_money_back_over_supabase_lite() {
    pay_natively(&format!("{}/rest/v1", variable("MPS_E2E_SUPABASE_URL")));
}

#[test]
fn a_rust_program_pays_and_gives_the_money_back_over_postrust() {
    pay_natively(&variable("MPS_E2E_POSTRUST_URL"));
}

fn pay_natively(postgrest_url: &str) {
    let stack = Stack::new();
    let shop = stack.open_shop("100");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "-p", "mps-client", "--example", "pay", "--"])
        .arg(postgrest_url)
        .args([&shop.merchant_code, &shop.card_id])
        .env("MPS_PUBLISHABLE_KEY", variable("MPS_E2E_PUBLISHABLE_KEY"))
        .env("MPS_MEMBER_TOKEN", &shop.member)
        .env("MPS_CASHIER_TOKEN", &shop.cashier)
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words: Vec<&str> = said.split_whitespace().collect();
    let [quoted, tx_no, paid, refund_tx_no] = words[..] else { panic!("it says {said}") };
    assert_eq!((quoted, paid), ("12.50", "12.50"));
    assert!(tx_no.starts_with("PAY") && refund_tx_no.starts_with("REF"), "{said}");
    let booked = stack.value(&format!(
        "select string_agg(tx_no, ' ' order by tx_no) from app.transactions where tx_no in ('{tx_no}', '{refund_tx_no}')"
    ));
    assert_eq!(booked, format!("{tx_no} {refund_tx_no}"));
    let balance = stack.value(&format!("select balance from app.cards where id = '{}'", shop.card_id));
    assert_eq!(balance, "100.00");
}
