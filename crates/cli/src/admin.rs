//! `mps admin`: the first admin, and what an admin does, from a shell. Everything but the first goes through the edge, which knows who asks.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use postgres::Client;
use serde_json::{Value, json};

use crate::auth::{create_user, needed, refusal, sign_in};
use crate::database::{Database, told};
use crate::output::Output;
use crate::secrets::Secret;
use crate::web::Web;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the first admin: a new user, whose random password is shown once
    #[command(
        after_help = "Examples:\n  mps admin first --email admin@example.com --auth-url https://project.supabase.co   # SUPABASE_SECRET_KEY, DATABASE_URL\n  \
                            mps admin first --user 7d3c…   # a user who is signed up already\n\n\
                            Where there is an admin already nothing is made: they make others (PUT /api/admin/admins/{user_id})."
    )]
    First(First),
    /// Show members, cards, merchants, settings, the books' check and more
    #[command(
        after_help = "Example: mps admin show members --url https://pay.example.com --query limit=20   # MPS_ADMIN_TOKEN, or --email and MPS_ADMIN_PASSWORD"
    )]
    Show {
        /// What
        what: What,
        /// A field of the query, as openapi.json has them
        #[arg(long, value_name = "NAME=VALUE")]
        query: Vec<String>,
        #[command(flatten)]
        admin: Admin,
    },
    /// Send any request of the API as an admin
    #[command(
        after_help = "Example: mps admin send POST /api/admin/merchants --body '{\"code\": \"SHOP001\", \"name\": \"Coffee\"}' --url https://pay.example.com"
    )]
    Send {
        /// GET, POST, PUT, PATCH or DELETE
        method: Method,
        /// The path, with its query
        path: String,
        /// JSON
        #[arg(long, value_name = "JSON")]
        body: Option<String>,
        /// Idempotency-Key, where the route moves money: the same one when it is sent again
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        admin: Admin,
    },
}

#[derive(Args)]
struct First {
    /// Their e-mail address
    #[arg(long, value_name = "EMAIL", required_unless_present = "user", conflicts_with = "user")]
    email: Option<String>,
    /// Where Supabase Auth is
    #[arg(long, value_name = "URL", required_unless_present = "user")]
    auth_url: Option<String>,
    /// The id of a user who is there already
    #[arg(long, value_name = "UUID")]
    user: Option<String>,
    #[command(flatten)]
    database: Database,
}

#[derive(Args)]
struct Admin {
    /// Where the API is
    #[arg(long, default_value = "http://127.0.0.1:8787", value_name = "URL")]
    url: String,
    /// The authority that vouches for it, in PEM, when it is one of your own
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Sign in as (`MPS_ADMIN_PASSWORD`, `SUPABASE_PUBLISHABLE_KEY`); else the variable `MPS_ADMIN_TOKEN` is their access token
    #[arg(long, value_name = "EMAIL", requires = "auth_url")]
    email: Option<String>,
    /// Where Supabase Auth is
    #[arg(long, value_name = "URL")]
    auth_url: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Health,
    Members,
    Cards,
    Merchants,
    Settings,
    Statistics,
    Audit,
    LedgerCheck,
    SealsCheck,
    RechargeEvents,
}

impl What {
    fn path(self) -> &'static str {
        match self {
            Self::Health => "/api/admin/health",
            Self::Members => "/api/admin/members",
            Self::Cards => "/api/admin/cards",
            Self::Merchants => "/api/admin/merchants",
            Self::Settings => "/api/admin/settings",
            Self::Statistics => "/api/admin/statistics",
            Self::Audit => "/api/admin/audit",
            Self::LedgerCheck => "/api/admin/ledger/check",
            Self::SealsCheck => "/api/admin/seals/check",
            Self::RechargeEvents => "/api/admin/recharge/events",
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<ExitCode> {
    match &options.command {
        Command::First(first) => make_first(first, output)?,
        Command::Show { what, query, admin } => {
            let query: Vec<&str> = query.iter().map(String::as_str).collect();
            let path = if query.is_empty() {
                what.path().to_owned()
            } else {
                format!("{}?{}", what.path(), query.join("&"))
            };
            show(&ask(admin, Method::Get, &path, None, None)?, output);
        }
        Command::Send { method, path, body, key, admin } => {
            ensure!(path.starts_with('/'), "a path begins with /");
            if let Some(body) = body {
                serde_json::from_str::<Value>(body).context("--body is no JSON")?;
            }
            show(&ask(admin, *method, path, body.as_deref(), key.as_deref())?, output);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(answer: &Value, output: &Output) {
    output.result(answer, || serde_json::to_string_pretty(answer).unwrap_or_default());
}

fn ask(admin: &Admin, method: Method, path: &str, body: Option<&str>, key: Option<&str>) -> Result<Value> {
    let web = Web::new(admin.cacert.as_deref())?;
    let token = match (&admin.email, &admin.auth_url) {
        (Some(email), Some(url)) => {
            sign_in(&web, url, &needed("SUPABASE_PUBLISHABLE_KEY")?, email, &needed("MPS_ADMIN_PASSWORD")?)?
        }
        _ => needed("MPS_ADMIN_TOKEN").context("who asks? --email and --auth-url, or their token")?,
    };
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    headers.extend(key.map(|key| ("idempotency-key", key)));
    let url = format!("{}{path}", admin.url.trim_end_matches('/'));
    let reply = web.send(method.name(), &url, &headers, body)?;
    if !(200..300).contains(&reply.status) {
        bail!("{} {}", reply.status, refusal(&reply.json()));
    }
    Ok(reply.json())
}

fn make_first(first: &First, output: &Output) -> Result<()> {
    let mut database = first.database.connect()?;
    let (user, password) = match (&first.user, &first.email, &first.auth_url) {
        (Some(user), ..) => (user.clone(), None),
        (None, Some(email), Some(url)) => {
            // Looked at before a user is made who would be nothing then, and again after.
            ensure!(!has_admin(&mut database)?, "there is an admin already: they make others");
            let password = Secret::generate()?;
            let key = first.database.secret("SUPABASE_SECRET_KEY")?;
            (create_user(&Web::new(None)?, url, key.expose(), email, password.expose())?, Some(password))
        }
        _ => bail!("--email and --auth-url, or --user"),
    };
    // In one statement that holds the table: two at once make one.
    let mut transaction = database.transaction()?;
    transaction
        .batch_execute("lock table app.admin_users in share row exclusive mode")
        .map_err(|error| told(&error))?;
    let made = transaction
        .execute(
            "insert into app.admin_users (user_id) select u.id from auth.users u
             where u.id::text = $1 and not exists (select from app.admin_users a join auth.users x on x.id = a.user_id)",
            &[&user],
        )
        .map_err(|error| told(&error))?;
    transaction.commit().map_err(|error| told(&error))?;
    ensure!(made == 1, "there is an admin already, or no user {user}");
    output.result(&json!({"user_id": user, "password": password.as_ref().map(Secret::expose)}), || {
        match &password {
            Some(password) => {
                format!("{user} is the admin. Password, shown this once: {}", password.expose())
            }
            None => format!("{user} is the admin"),
        }
    });
    Ok(())
}

fn has_admin(database: &mut Client) -> Result<bool> {
    let row = database
        .query_one("select exists (select from app.admin_users a join auth.users u on u.id = a.user_id)", &[])
        .map_err(|error| told(&error))?;
    Ok(row.try_get(0)?)
}
