//! `mps-load PLAN`: asks as the plan says, as many at a time, and tells in JSON how long it took. One answer that is not the expected
//! one ends it with an error. `mps-load service-token` signs a token of our own back end with the secret in `MPS_JWT_SECRET`.
//!
//! Everything that can be made before is made before: connections, tokens. Codes and keys are numbered, so that no two requests are alike.

mod asking;
mod line;
mod plan;
mod timing;

use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::plan::Plan;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match env::args().nth(1).as_deref() {
        Some("service-token") => {
            let secret = env::var("MPS_JWT_SECRET").context("MPS_JWT_SECRET is not set")?;
            println!("{}", plan::service_token(&secret)?);
        }
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("no plan at {path}"))?;
            let plan: Plan = serde_json::from_str(&text).context("this is no plan")?;
            println!("{}", serde_json::to_string(&line::run(&plan).await?)?);
        }
        None => bail!("mps-load PLAN, a file in JSON; or mps-load service-token"),
    }
    Ok(())
}
