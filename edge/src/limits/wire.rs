//! How the object that counts is asked for room: the question in the URL, the answer in a header. Every request waits for both, and two
//! bodies take the host longer than all the counting.

use super::{Demand, Standing};

/// The header of the answer.
pub(crate) const STANDINGS: &str = "mps-standings";

/// The URL that asks for this.
pub(crate) fn url(demands: &[Demand]) -> serde_json::Result<String> {
    let question = serde_json::to_string(demands)?;
    let escaped: String = form_urlencoded::byte_serialize(question.as_bytes()).collect();
    Ok(format!("https://object/take?{escaped}"))
}

/// What such a URL asks for.
pub(crate) fn demands_in(url: &str) -> serde_json::Result<Vec<Demand>> {
    let (_, escaped) = url.split_once('?').unwrap_or_default();
    let pair = form_urlencoded::parse(escaped.as_bytes()).next();
    serde_json::from_str(&pair.map_or_else(String::new, |(question, _)| question.into_owned()))
}

/// The header's text.
pub(crate) fn answer(standings: &[Standing]) -> serde_json::Result<String> {
    serde_json::to_string(standings)
}

/// What that text tells.
pub(crate) fn standings_in(answer: &str) -> serde_json::Result<Vec<Standing>> {
    serde_json::from_str(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Quota, Scope};

    #[test]
    fn the_limiter_is_asked_what_was_meant_whatever_the_identity_is() -> serde_json::Result<()> {
        for identity in ["0193b5a0-0000-7000-8000-00000000000a", "2001:db8::1", "小明 & 1=2+%25#?\"\\\n"] {
            let demand = |scope, quota| Demand { scope, identity: identity.to_owned(), quota };
            let demands = [demand(Scope::User, Quota::USER), demand(Scope::Payment, Quota::PAYMENT)];
            let read = demands_in(&url(&demands)?)?;
            assert_eq!(serde_json::to_string(&read)?, serde_json::to_string(&demands)?);
        }
        assert!(demands_in("https://object/take").is_err());
        Ok(())
    }

    #[test]
    fn it_answers_what_was_meant_in_a_header() -> serde_json::Result<()> {
        let standing = Standing {
            scope: Scope::Payment,
            quota: Quota::PAYMENT,
            remaining: 7,
            reset_seconds: 11,
            is_refused: false,
        };
        let text = answer(&[standing])?;
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
        assert_eq!(standings_in(&text)?, [standing]);
        Ok(())
    }
}
