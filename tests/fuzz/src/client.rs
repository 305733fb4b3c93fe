//! What PostgREST answers, and arguments as a route reads them.

use mps_client::argument::JsonArray;
use mps_client::argument::{AdjustmentAmount, InitialBalance, Price, RechargeAmount, RefundAmount, Secret};
use mps_client::classify::classify;
use mps_client::rpc::{CardId, MemberId};
use mps_client::wire::{Amount, Instant, Multiplier};
use mps_client::{AccessToken, ApiKey, CallerKind, RequestId, RpcError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{take, text};

/// An answer that is no success: two bytes of status, one of who asked, and the body.
pub(crate) fn postgrest_error(data: &[u8]) {
    let mut body = data;
    let status = u16::from_be_bytes(take(&mut body));
    let [who] = take(&mut body);
    let caller = [CallerKind::Anonymous, CallerKind::User, CallerKind::Service][usize::from(who % 3)];
    let error = classify(status, body, caller);
    let code = error.code();
    assert!(code.status() >= 400);
    match &error {
        RpcError::Refused(refusal) => {
            assert!(refusal.params.keys().all(|name| code.params().contains(&name.as_str())));
        }
        RpcError::Contention(_) | RpcError::Unavailable(_) | RpcError::Drift(_) | RpcError::Bug(_) => {
            let upstream = error.upstream().map(|upstream| upstream.as_str().len());
            assert!(upstream.is_some_and(|length| length <= 10));
        }
    }
}

/// What is read is written so that it is read again as the same.
fn hold<T: DeserializeOwned + Serialize>(json: &str) {
    let Ok(read) = serde_json::from_str::<T>(json) else { return };
    let written = serde_json::to_string(&read).unwrap_or_default();
    let again =
        serde_json::from_str::<T>(&written).map(|again| serde_json::to_string(&again).unwrap_or_default());
    assert_eq!(again.ok(), Some(written));
}

pub(crate) fn arguments(data: &[u8]) {
    let json = text(data);
    hold::<Price>(&json);
    hold::<RefundAmount>(&json);
    hold::<RechargeAmount>(&json);
    hold::<InitialBalance>(&json);
    hold::<AdjustmentAmount>(&json);
    hold::<JsonArray>(&json);
    if let Ok(secret) = serde_json::from_str::<Secret>(&json) {
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}

pub(crate) fn wire(data: &[u8]) {
    let text = text(data);
    hold::<Amount>(&text);
    hold::<Multiplier>(&text);
    if let Some(moment) = Instant::parse(&text) {
        assert_eq!(Instant::parse(&moment.to_string()), Some(moment), "{text:?}");
    }
}

pub(crate) fn ids(data: &[u8]) {
    let text = text(data);
    let card = CardId::parse(&text);
    assert_eq!(MemberId::parse(&text).is_ok(), card.is_ok());
    if let Ok(id) = card {
        assert_eq!(id.as_str(), text.to_ascii_lowercase());
        assert_eq!(CardId::parse(id.as_str()), Ok(id));
    }
}

/// Keys, tokens and request ids become headers: nothing in them may end a line.
pub(crate) fn headers(data: &[u8]) {
    let text = text(data);
    let is_visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert_eq!(ApiKey::parse(&text).is_ok(), is_visible);
    let token = AccessToken::parse(&text);
    assert_eq!(token.is_ok(), is_visible);
    assert!(token.is_ok_and(|token| token.reveal() == text) || !is_visible);
    if let Ok(id) = RequestId::parse(&text) {
        assert!(id.as_str() == text && is_visible && text.len() <= 128);
    }
}
