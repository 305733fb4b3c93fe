//! The requests and the answers they must get.

use anyhow::{Context, Result, bail, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use mps_core::payment_code::online_code;
use serde_json::{Value, json};

use crate::plan::{Plan, Way, user_token};

/// Of the first of a thousand merchants of load.sql, its code and the user who works there.
const FIRST_SHOP: u64 = 1000;

/// Load.sql numbers its codes from here on, with so many digits, after zeros.
const FIRST_CODE: u64 = 10_000_000;
const CODE_DIGITS: usize = 21;

/// Makes the requests of one plan.
pub(crate) struct Asker<'a> {
    plan: &'a Plan,
    /// `Authorization` of each shop's cashier.
    authorizations: Vec<String>,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Result<Self> {
        let secret = match plan.way {
            Way::BadToken => "a-secret-that-is-somebody-else-s-altogether",
            _ => plan.jwt_secret.as_str(),
        };
        let of_shop = |shop: u64| {
            let user = format!("0be00000-0004-7000-8000-{:012}", FIRST_SHOP + shop);
            Ok(format!("Bearer {}", user_token(secret, &user)?))
        };
        Ok(Self { plan, authorizations: (0..plan.shops).map(of_shop).collect::<Result<_>>()? })
    }

    /// The request of that number.
    pub(crate) fn request(&self, number: u64) -> Result<Request<Full<Bytes>>> {
        let (way, shop) = (self.plan.way, number % self.plan.shops);
        let (path, body) = match way {
            Way::Direct => ("/rpc/merchant_charge_by_qr", self.arguments(number, shop)?),
            _ => ("/api/payment/charge", self.body(number, shop)?),
        };
        let authorization = usize::try_from(shop).ok().and_then(|shop| self.authorizations.get(shop));
        let mut request = Request::post(path)
            .header("host", self.plan.address.as_str())
            .header("content-type", "application/json")
            .header("authorization", authorization.context("no such shop")?);
        request = match way {
            Way::Direct => request.header("apikey", self.plan.publishable_key.as_str()),
            Way::MissingKey => request,
            _ => request.header("idempotency-key", key(number)),
        };
        Ok(request.body(Full::from(body.to_string()))?)
    }

    fn body(&self, number: u64, shop: u64) -> Result<Value> {
        let right = code(number)?;
        let code = match self.plan.way {
            Way::MalformedCode => right.replacen('0', "o", 1),
            Way::WrongCheckDigit => with_another_last_digit(&right),
            _ => right,
        };
        Ok(json!({"merchant_code": shop_code(shop), "qr_plain": code, "raw_amount": "1.00"}))
    }

    fn arguments(&self, number: u64, shop: u64) -> Result<Value> {
        debug_assert_eq!(self.plan.way, Way::Direct);
        Ok(json!({
            "p_merchant_code": shop_code(shop), "p_qr_plain": code(number)?, "p_raw_amount": "1.00",
            "p_idempotency_key": key(number),
        }))
    }

    /// Whether it is the answer that the request must get.
    pub(crate) fn check(&self, status: StatusCode, body: &[u8]) -> Result<()> {
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        let charge = if self.plan.way == Way::Direct { &told[0] } else { &told };
        let (wanted, is_right) = match self.plan.way {
            Way::Edge | Way::Direct => (200, charge["replayed"] == false && charge["tx_no"].is_string()),
            Way::BadToken => (401, told["code"] == "NOT_AUTHENTICATED"),
            Way::MalformedCode | Way::WrongCheckDigit => (400, told["code"] == "INVALID_QR"),
            Way::MissingKey => (400, told["code"] == "IDEMPOTENCY_KEY_REQUIRED"),
        };
        if status.as_u16() != wanted || !is_right {
            bail!("{:?} was answered {status}: {}", self.plan.way, String::from_utf8_lossy(body));
        }
        Ok(())
    }
}

fn shop_code(shop: u64) -> String {
    format!("SHOP{}", FIRST_SHOP + shop)
}

/// As charge.pgbench names them.
fn key(number: u64) -> String {
    format!("key-{number}")
}

/// The code of that number, as load.sql issued it.
fn code(number: u64) -> Result<String> {
    let digits = format!("{:0CODE_DIGITS$}", FIRST_CODE + number);
    ensure!(digits.len() == CODE_DIGITS, "there is no code {number}");
    let body: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
    Ok(online_code(&body)?.reveal().to_owned())
}

fn with_another_last_digit(code: &str) -> String {
    let (start, last) = code.split_at(code.len() - 1);
    format!("{start}{}", if last == "0" { "1" } else { "0" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mps_core::PaymentCode;

    #[test]
    fn a_code_is_the_one_that_load_sql_issues() -> Result<()> {
        // From the right every second digit counts twice: of 70, zeros and 10000000 the 1 counts once, the 7 as 14, that is 5.
        let first = code(0)?;
        assert_eq!(first, "700000000000000100000004");
        assert!(PaymentCode::parse(&first).is_ok());
        assert!(PaymentCode::parse(&with_another_last_digit(&first)).is_err());
        assert_ne!(code(1)?, first);
        Ok(())
    }
}
