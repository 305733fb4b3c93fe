//! How long published keys are used, when they are fetched again, and what holds while they cannot be had.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};

use super::keys::{EcKey, Project, RSA, ec_jwk, ec_key, es256, rs256, rsa_jwk};
use crate::auth::NotVerified;
use crate::routes::tests::bench::{Bench, request};

const MINUTE: u64 = 60;

/// Polls all works in turn until each has its answer, like one isolate with many requests.
async fn all<T: Send + 'static>(works: Vec<impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = works.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic"));
    }
    answers
}

#[tokio::test]
async fn keys_are_fetched_once_in_ten_minutes() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e")]);
    for _ in 0..20 {
        assert!(project.accepts(&es256(&key, "e")).await);
    }
    project.pass(10 * MINUTE - 1);
    assert!(project.accepts(&es256(&key, "e")).await);
    assert_eq!(project.fetches(), 1);
    project.pass(1);
    assert!(project.accepts(&es256(&key, "e")).await);
    assert_eq!(project.fetches(), 2);
}

#[tokio::test]
async fn a_new_key_is_known_at_once_and_a_withdrawn_one_for_ten_minutes_at_most() {
    let (old, new) = (ec_key(), ec_key());
    let project = Project::publishing(&[ec_jwk(&old, "old")]);
    assert!(project.accepts(&es256(&old, "old")).await);
    project.publish(&[ec_jwk(&old, "old"), ec_jwk(&new, "new")]);
    project.pass(MINUTE);
    assert!(project.accepts(&es256(&new, "new")).await, "its id is unknown: fetch");
    assert!(project.accepts(&es256(&old, "old")).await);
    project.publish(&[ec_jwk(&new, "new")]);
    project.pass(10 * MINUTE);
    assert!(project.refuses(&es256(&old, "old")).await);
    assert!(project.accepts(&es256(&new, "new")).await);
    assert_eq!(project.fetches(), 3);
}

#[tokio::test]
async fn unknown_ids_have_keys_fetched_once_a_minute() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e")]);
    assert!(project.refuses(&es256(&key, "a")).await, "the keys that were fetched for it do not have it");
    assert_eq!(project.waits(&es256(&key, "b")).await, Some(60));
    assert_eq!(project.waits(&es256(&key, "c")).await, Some(60));
    assert_eq!(project.fetches(), 1);
    project.pass(MINUTE - 1);
    assert_eq!(project.waits(&es256(&key, "d")).await, Some(1));
    assert_eq!(project.fetches(), 1);
    project.pass(1);
    for name in ["e", "f", "g"] {
        project.verify(&es256(&key, name)).await.err();
    }
    assert_eq!(project.fetches(), 2);
}

#[tokio::test]
async fn an_unknown_id_just_before_a_change_of_keys_costs_nobody_their_session() {
    let (old, new) = (ec_key(), ec_key());
    let project = Project::publishing(&[ec_jwk(&old, "old")]);
    assert!(project.accepts(&es256(&old, "old")).await);
    project.pass(MINUTE);
    assert!(project.refuses(&es256(&ec_key(), "of nobody")).await);
    project.publish(&[ec_jwk(&old, "old"), ec_jwk(&new, "new")]);
    project.pass(10);
    assert_eq!(project.waits(&es256(&new, "new")).await, Some(50), "not 401: nobody can say yet");
    assert!(project.accepts(&es256(&old, "old")).await);
    project.pass(50);
    assert!(project.accepts(&es256(&new, "new")).await);
}

#[tokio::test]
async fn fifty_requests_fetch_once() {
    let key = ec_key();
    let project = Arc::new(Project::publishing(&[ec_jwk(&key, "e")]));
    let ask = |token: String| {
        let project = project.clone();
        async move { project.verify(&token).await }
    };
    let right = all((0..50).map(|_| ask(es256(&key, "e"))).collect()).await;
    assert_eq!(right, vec![Ok("u-1".to_owned()); 50]);
    assert_eq!(project.fetches(), 1);
    project.pass(2 * MINUTE);
    let unknown = all((0..50).map(|number| ask(es256(&key, &format!("id-{number}")))).collect()).await;
    assert_eq!(unknown, vec![Err(NotVerified::Refused); 50]);
    assert_eq!(project.fetches(), 2);
}

#[tokio::test]
async fn old_keys_serve_for_an_hour_while_the_endpoint_fails() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e")]);
    assert!(project.accepts(&es256(&key, "e")).await);
    project.answer(None);
    for _ in 0..5 {
        project.pass(11 * MINUTE);
        assert!(project.accepts(&es256(&key, "e")).await);
    }
    assert!(project.waits(&es256(&key, "new")).await.is_some());
    project.pass(5 * MINUTE);
    assert!(project.waits(&es256(&key, "e")).await.is_some());
    project.publish(&[ec_jwk(&key, "e")]);
    project.pass(5);
    assert!(project.accepts(&es256(&key, "e")).await);
}

#[tokio::test]
async fn without_any_keys_nobody_is_refused_for_his_token() {
    let key = ec_key();
    let lost: [Option<(u16, String)>; 6] = [
        None,
        Some((404, json!({"keys": [ec_jwk(&key, "e")]}).to_string())),
        Some((302, String::new())),
        Some((200, "<html>".to_owned())),
        Some((200, r#"{"keys":{}}"#.to_owned())),
        Some((200, json!({"keys": vec![ec_jwk(&key, "e"); 65]}).to_string())),
    ];
    for page in lost {
        let project = Project::publishing(&[]);
        project.answer(page.clone());
        assert_eq!(project.waits(&es256(&key, "e")).await, Some(5), "{page:?}");
        assert_eq!(project.waits(&es256(&key, "e")).await, Some(5), "{page:?}");
        assert_eq!(project.fetches(), 1, "after a failure there is a pause");
        project.pass(5);
        project.publish(&[ec_jwk(&key, "e"), rsa_jwk(&RSA, "r")]);
        assert!(project.accepts(&es256(&key, "e")).await);
        assert!(project.accepts(&rs256(&RSA, "r")).await);
        assert_eq!(project.fetches(), 2);
    }
    // An empty set is an answer, and so is one that is too long.
    let project = Project::publishing(&[]);
    assert!(project.refuses(&es256(&key, "e")).await);
    project.pass(MINUTE);
    project.publish(&[json!({"filler": "x".repeat(65_536)}), ec_jwk(&key, "e")]);
    assert!(project.waits(&es256(&key, "e")).await.is_some());
}

#[tokio::test]
async fn who_fetched_and_was_ended_keeps_nobody_waiting() {
    let key = ec_key();
    let project = Project::publishing(&[ec_jwk(&key, "e")]);
    let token = es256(&key, "e");
    {
        let ended = pin!(project.verify(&token));
        assert!(matches!(ended.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    assert!(project.waits(&token).await.is_some(), "nobody answers it");
    project.pass(5);
    assert!(project.accepts(&token).await);
    assert_eq!(project.fetches(), 2);
}

async fn ask(bench: &Bench, key: &EcKey) -> (u16, Value) {
    let authorization = format!("Bearer {}", es256(key, "e"));
    let reply =
        bench.send(request("GET", "/api/member/cards", &[("authorization", &authorization)], "")).await;
    (reply.status.as_u16(), reply.body)
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_a_503_that_is_counted_and_logged() {
    let bench = Bench::with(vec![("200 OK", "[]".to_owned())], &[("SUPABASE_JWT_SECRET", "")]).await;
    let key = ec_key();
    let (status, body) = ask(&bench, &key).await;
    assert_eq!((status, &body["code"], &body["retry"]), (503, &json!("UNAVAILABLE"), &json!("same_key")));
    let page = json!({"keys": [ec_jwk(&key, "e")]}).to_string();
    *bench.host.page.lock().expect("no panic holds it") = Some((200, page));
    bench.host.pass(std::time::Duration::from_secs(5));
    assert_eq!(ask(&bench, &key).await.0, 200);
    bench.finish().await;
    assert_eq!(bench.host.objects.count(r#"jwks_fetches_total{outcome="failed"}"#), 1);
    assert_eq!(bench.host.objects.count(r#"jwks_fetches_total{outcome="ok"}"#), 1);
    let log = bench.host.log.lock().expect("no panic holds it").join("\n");
    assert_eq!(log.matches(r#""event":"jwks_lost""#).count(), 1);
    assert!(!log.contains("eyJ"));
}

#[tokio::test]
async fn who_asks_without_keys_counts_as_who_has_no_token() {
    let bench = Bench::with(vec![], &[("SUPABASE_JWT_SECRET", ""), ("RATE_LIMIT_ADDRESS", "2/60")]).await;
    let key = ec_key();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(ask(&bench, &key).await.0);
    }
    assert_eq!(answers, [503, 503, 429]);
}
