//! The variables of the payment providers: each provider is a group, all of it or nothing.

use std::collections::BTreeMap;

use super::{ConfigError, is_web_address, read_exchanged};
use crate::providers::alipay::AlipayAccount;
use crate::providers::keys::{PublicKey, SigningKey};
use crate::providers::wechat::WechatAccount;

const PUBLIC_URL: &str = "PUBLIC_URL";
const ID_CHARS_MAX: usize = 64;
const WECHAT_BASE_URL_DEFAULT: &str = "https://api.mch.weixin.qq.com";
const ALIPAY_GATEWAY_URL_DEFAULT: &str = "https://openapi.alipay.com/gateway.do";

type Optional<'a> = &'a dyn Fn(&'static str) -> Option<String>;

/// Our accounts at the providers.
pub(crate) struct ProviderConfig {
    pub(crate) wechat: Option<WechatAccount>,
    pub(crate) alipay: Option<AlipayAccount>,
}

impl ProviderConfig {
    pub(crate) fn read(optional: Optional<'_>) -> Result<Self, ConfigError> {
        let public_url = address(optional, PUBLIC_URL)?;
        Ok(Self {
            wechat: read_wechat(optional, public_url.as_deref())?,
            alipay: read_alipay(optional, public_url.as_deref())?,
        })
    }
}

/// `None` when none of its variables is set.
fn read_wechat(
    optional: Optional<'_>,
    public_url: Option<&str>,
) -> Result<Option<WechatAccount>, ConfigError> {
    let required = [
        "WECHAT_MCHID",
        "WECHAT_APPID",
        "WECHAT_SERIAL_NO",
        "WECHAT_PRIVATE_KEY",
        "WECHAT_API_V3_KEY",
        "WECHAT_PUBLIC_KEYS",
    ];
    if !is_begun(optional, &required, "WECHAT_BASE_URL") {
        return Ok(None);
    }
    let base_url = address(optional, "WECHAT_BASE_URL")?;
    Ok(Some(WechatAccount {
        mchid: id(optional, "WECHAT_MCHID")?,
        appid: id(optional, "WECHAT_APPID")?,
        serial_no: id(optional, "WECHAT_SERIAL_NO")?,
        key: private_key(optional, "WECHAT_PRIVATE_KEY")?,
        api_v3_keys: api_v3_keys(optional)?,
        public_keys: parsed(optional, "WECHAT_PUBLIC_KEYS", named_keys)?,
        base_url: base_url.unwrap_or_else(|| WECHAT_BASE_URL_DEFAULT.to_owned()),
        notify_url: notify_url(public_url, "wechat")?,
    }))
}

/// `None` when none of its variables is set.
fn read_alipay(
    optional: Optional<'_>,
    public_url: Option<&str>,
) -> Result<Option<AlipayAccount>, ConfigError> {
    let required = ["ALIPAY_APP_ID", "ALIPAY_SELLER_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PUBLIC_KEYS"];
    if !is_begun(optional, &required, "ALIPAY_GATEWAY_URL") {
        return Ok(None);
    }
    let gateway_url = address(optional, "ALIPAY_GATEWAY_URL")?;
    Ok(Some(AlipayAccount {
        app_id: id(optional, "ALIPAY_APP_ID")?,
        seller_id: id(optional, "ALIPAY_SELLER_ID")?,
        key: private_key(optional, "ALIPAY_PRIVATE_KEY")?,
        public_keys: parsed(optional, "ALIPAY_PUBLIC_KEYS", keys)?,
        gateway_url: gateway_url.unwrap_or_else(|| ALIPAY_GATEWAY_URL_DEFAULT.to_owned()),
        notify_url: notify_url(public_url, "alipay")?,
    }))
}

fn is_begun(optional: Optional<'_>, required: &[&'static str], address: &'static str) -> bool {
    required.iter().any(|name| optional(name).is_some()) || optional(address).is_some()
}

fn parsed<T>(
    optional: Optional<'_>,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, ConfigError> {
    optional(name).and_then(|text| parse(&text)).ok_or(ConfigError { name })
}

/// Goes into headers and addresses as it is.
fn id(optional: Optional<'_>, name: &'static str) -> Result<String, ConfigError> {
    parsed(optional, name, |text| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (text.len() <= ID_CHARS_MAX && text.bytes().all(is_plain)).then(|| text.to_owned())
    })
}

fn private_key(optional: Optional<'_>, name: &'static str) -> Result<SigningKey, ConfigError> {
    parsed(optional, name, |text| SigningKey::parse(text).ok())
}

/// The one that holds now; while it is exchanged, notifications made with the one before are still on their way.
fn api_v3_keys(optional: Optional<'_>) -> Result<Vec<[u8; 32]>, ConfigError> {
    let name = "WECHAT_API_V3_KEY";
    let bytes = |text: &str| text.as_bytes().try_into().ok();
    let keys = read_exchanged(optional, [name, "WECHAT_API_V3_KEY_PREVIOUS"], |text| bytes(text).is_some())?;
    if keys.is_empty() {
        Err(ConfigError { name })
    } else {
        Ok(keys.iter().filter_map(|key| bytes(key)).collect())
    }
}

/// A JSON object: the key's name at WeChat, and the key.
fn named_keys(text: &str) -> Option<BTreeMap<String, PublicKey>> {
    let texts: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    let keys = texts.into_iter().map(|(id, text)| Some((id, PublicKey::parse(&text).ok()?)));
    keys.collect::<Option<BTreeMap<_, _>>>().filter(|keys| {
        !keys.is_empty() && keys.keys().all(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
    })
}

/// A key, or a JSON array of keys.
fn keys(text: &str) -> Option<Vec<PublicKey>> {
    let texts = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<String>>(text).ok()?
    } else {
        vec![text.to_owned()]
    };
    let keys = texts.iter().map(|text| PublicKey::parse(text).ok());
    keys.collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty())
}

/// Without the slash at its end, a query or a fragment: more is put behind it.
fn address(optional: Optional<'_>, name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(text) = optional(name) else { return Ok(None) };
    let plain = text.strip_suffix('/').unwrap_or(&text);
    if is_web_address(plain) && !plain.contains(['?', '#']) {
        Ok(Some(plain.to_owned()))
    } else {
        Err(ConfigError { name })
    }
}

fn notify_url(public_url: Option<&str>, provider: &str) -> Result<String, ConfigError> {
    let public_url = public_url.ok_or(ConfigError { name: PUBLIC_URL })?;
    Ok(format!("{public_url}/api/webhooks/{provider}"))
}

#[cfg(test)]
mod tests;
