//! Who is nobody: tokens that the edge must refuse before anything else happens.

use mps_e2e::{Answer, Stack, Token, answer_of, fresh};
use serde_json::json;

fn me(stack: &Stack, token: &str) -> Answer {
    stack.get("/api/member/me", token)
}

#[test]
fn a_right_token_is_let_in() {
    let stack = Stack::new();
    let user_id = stack.value(&format!("select fx.make_user('{}@fixture.example')", fresh("u-")));
    let answer = me(&stack, &stack.token_of(&user_id));
    assert_eq!((answer.status, &answer.body["user_id"]), (200, &json!(user_id)));
}

#[test]
fn every_wrong_token_is_refused_with_a_challenge() {
    let stack = Stack::new();
    let user_id = stack.value(&format!("select fx.make_user('{}@fixture.example')", fresh("u-")));
    let right = Token::of(&user_id);
    let truncated = stack.sign(&right);
    let cases = [
        ("forged", right.sign("another-secret-that-is-long-enough-too")),
        ("expired", stack.sign(&right.clone().with_time("exp", -31))),
        ("not yet valid", stack.sign(&right.clone().with_time("nbf", 40))),
        ("for another audience", stack.sign(&right.clone().with("aud", json!("anon")))),
        ("for no audience", stack.sign(&right.clone().with("aud", json!(null)))),
        ("without an end", stack.sign(&right.clone().with("exp", json!(null)))),
        ("of nobody", stack.sign(&right.clone().with("sub", json!(null)))),
        ("unsigned", right.unsigned()),
        ("cut off", truncated[..truncated.len() - 2].to_owned()),
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
    ];
    for (name, token) in cases {
        let answer = me(&stack, &token);
        assert_eq!(answer.refusal(), answer_of(401, &json!("NOT_AUTHENTICATED")), "{name}");
        assert_eq!(
            answer.header("www-authenticate"),
            r#"Bearer realm="mps", error="invalid_token""#,
            "{name}"
        );
    }
    let nobody = stack.edge("GET", "/api/member/me", &[], "");
    assert_eq!(nobody.refusal(), answer_of(401, &json!("NOT_AUTHENTICATED")));
    assert_eq!(nobody.header("www-authenticate"), r#"Bearer realm="mps""#);
}

#[test]
fn a_clock_that_is_a_little_off_does_no_harm() {
    let stack = Stack::new();
    let user_id = stack.value(&format!("select fx.make_user('{}@fixture.example')", fresh("u-")));
    let token = stack.sign(&Token::of(&user_id).with_time("nbf", -1));
    assert_eq!(me(&stack, &token).status, 200);
}

#[test]
fn a_services_key_is_no_users_token() {
    let stack = Stack::new();
    let user_id = stack.value(&format!("select fx.make_user('{}@fixture.example')", fresh("u-")));
    let service =
        stack.sign(&Token::of(&user_id).with("role", json!("service_role")).with("aud", json!(null)));
    assert_eq!(me(&stack, &service).refusal(), answer_of(401, &json!("NOT_AUTHENTICATED")));
}
