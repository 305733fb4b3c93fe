//! Who pays and who charges, and how they are known.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::auth::{needed, sign_in};
use crate::secrets;
use crate::web::Web;

/// Long enough for one visit.
const TOKEN_SECONDS: u64 = 120;

#[derive(Args)]
pub(super) struct Who {
    /// The configuration whose secrets have `SUPABASE_JWT_SECRET`, where the environment has none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The member's e-mail address
    #[arg(long, value_name = "EMAIL", requires_all = ["cashier", "auth_url"])]
    member: Option<String>,
    /// The cashier's e-mail address
    #[arg(long, value_name = "EMAIL")]
    cashier: Option<String>,
    /// Where Supabase Auth is: <https://project.supabase.co>
    #[arg(long, value_name = "URL")]
    auth_url: Option<String>,
    /// The id of the member's user
    #[arg(long, value_name = "UUID", requires = "cashier_user", conflicts_with = "member")]
    member_user: Option<String>,
    /// The id of the cashier's user
    #[arg(long, value_name = "UUID")]
    cashier_user: Option<String>,
}

/// Their access tokens. There is no `Debug`.
pub(super) struct People {
    pub(super) member: String,
    pub(super) cashier: String,
}

pub(super) fn find(who: &Who, web: &Web) -> Result<People> {
    if let (Some(member), Some(cashier), Some(url)) = (&who.member, &who.cashier, &who.auth_url) {
        let key = needed("SUPABASE_PUBLISHABLE_KEY")?;
        let sign_in = |email: &str, password: &str| sign_in(web, url, &key, email, &needed(password)?);
        return Ok(People {
            member: sign_in(member, "MPS_SMOKE_MEMBER_PASSWORD")?,
            cashier: sign_in(cashier, "MPS_SMOKE_CASHIER_PASSWORD")?,
        });
    }
    if let (Some(member), Some(cashier)) = (&who.member_user, &who.cashier_user) {
        let secret = secrets::find(who.config.as_deref(), "SUPABASE_JWT_SECRET")?;
        let sign = |user| signed(user, secret.expose());
        return Ok(People { member: sign(member)?, cashier: sign(cashier)? });
    }
    let token = |name: &str| {
        needed(name).with_context(|| {
            "who pays and who charges? --member-user and --cashier-user, --member and --cashier, or their tokens"
        })
    };
    Ok(People { member: token("MPS_SMOKE_MEMBER_TOKEN")?, cashier: token("MPS_SMOKE_CASHIER_TOKEN")? })
}

/// For two minutes.
fn signed(user_id: &str, secret: &str) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "sub": user_id, "aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + TOKEN_SECONDS,
    });
    secrets::sign(&claims, secret)
}
