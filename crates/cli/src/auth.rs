//! Signing in at Supabase Auth, and making users there.

use std::env;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::web::Web;

/// A variable that must be set.
pub(crate) fn needed(name: &str) -> Result<String> {
    env::var(name).ok().filter(|value| !value.is_empty()).with_context(|| format!("{name} is not set"))
}

/// The access token of somebody with a password.
pub(crate) fn sign_in(web: &Web, url: &str, key: &str, email: &str, password: &str) -> Result<String> {
    let url = format!("{}/auth/v1/token?grant_type=password", url.trim_end_matches('/'));
    let headers = [("apikey", key), ("content-type", "application/json")];
    let reply = web.post(&url, &headers, &json!({"email": email, "password": password}).to_string())?;
    ensure!(reply.status == 200, "{email} cannot sign in: {}", reply.status);
    match reply.json()["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => bail!("{email} is signed in without a token"),
    }
}

/// A new user with a confirmed e-mail address; answers their id.
pub(crate) fn create_user(
    web: &Web,
    url: &str,
    secret_key: &str,
    email: &str,
    password: &str,
) -> Result<String> {
    let url = format!("{}/auth/v1/admin/users", url.trim_end_matches('/'));
    let authorization = format!("Bearer {secret_key}");
    let headers = [
        ("apikey", secret_key),
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let user = json!({"email": email, "password": password, "email_confirm": true});
    let reply = web.post(&url, &headers, &user.to_string())?;
    let answer = reply.json();
    let told = |field: &str| answer[field].as_str().unwrap_or_default();
    let why = ["msg", "message", "error_description"].map(told).concat();
    ensure!(
        (200..300).contains(&reply.status),
        "Supabase Auth makes no user {email}: {} {why}",
        reply.status
    );
    answer["id"].as_str().map(str::to_owned).context("Supabase Auth made a user without an id")
}

/// What went wrong, in the edge's own words.
pub(crate) fn refusal(problem: &Value) -> String {
    let told = |field: &str| problem[field].as_str().unwrap_or_default();
    format!("{} {} (request {})", told("code"), told("title"), told("instance"))
}
