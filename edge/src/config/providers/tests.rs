//! Groups of variables: whole, absent, or refused.

use super::*;
use crate::providers::tests::{OURS, THEIRS, variables};

/// With changes; an empty text takes a variable out.
fn read(changes: &[(&str, &str)]) -> Result<ProviderConfig, ConfigError> {
    let mut all = variables();
    for (name, value) in changes {
        for pair in all.iter_mut().filter(|pair| pair.0 == *name) {
            (*value).clone_into(&mut pair.1);
        }
    }
    let optional = |name: &'static str| {
        all.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.clone())
            .filter(|text| !text.is_empty())
    };
    ProviderConfig::read(&optional)
}

fn named(changes: &[(&str, &str)]) -> Option<&'static str> {
    read(changes).err().map(|error| error.name)
}

const REQUIRED: &[&str] = &[
    "WECHAT_MCHID",
    "WECHAT_APPID",
    "WECHAT_SERIAL_NO",
    "WECHAT_PRIVATE_KEY",
    "WECHAT_API_V3_KEY",
    "WECHAT_PUBLIC_KEYS",
    "ALIPAY_APP_ID",
    "ALIPAY_SELLER_ID",
    "ALIPAY_PRIVATE_KEY",
    "ALIPAY_PUBLIC_KEYS",
];

#[test]
fn half_a_provider_is_refused_by_the_name_of_what_is_missing() {
    assert_eq!(named(&[]), None);
    for name in REQUIRED {
        assert_eq!(named(&[(name, "")]), Some(*name));
    }
    assert_eq!(named(&[("PUBLIC_URL", "")]), Some("PUBLIC_URL"));
}

#[test]
fn a_provider_that_is_not_there_at_all_is_not_there() -> Result<(), ConfigError> {
    let none = |provider: &str| -> Vec<(&'static str, &'static str)> {
        variables().iter().filter(|pair| pair.0.starts_with(provider)).map(|pair| (pair.0, "")).collect()
    };
    let config = read(&none("WECHAT"))?;
    assert!(config.wechat.is_none() && config.alipay.is_some());
    let config = read(&none("ALIPAY"))?;
    assert!(config.wechat.is_some() && config.alipay.is_none());
    let config = read(&[none("ALIPAY"), none("WECHAT"), vec![("PUBLIC_URL", "")]].concat())?;
    assert!(config.wechat.is_none() && config.alipay.is_none());
    Ok(())
}

#[test]
fn a_malformed_variable_is_named() {
    for (name, value) in [
        ("PUBLIC_URL", "pay.example"),
        ("PUBLIC_URL", "https://pay.example?x=1"),
        ("PUBLIC_URL", "https://user@pay.example"),
        ("WECHAT_MCHID", "1900\"007291"),
        ("WECHAT_APPID", "wx d678"),
        ("WECHAT_SERIAL_NO", "40:8B"),
        ("WECHAT_PRIVATE_KEY", "-----BEGIN PRIVATE KEY-----"),
        ("WECHAT_API_V3_KEY", "an-api-v3-key-of-31-characters-"),
        ("WECHAT_API_V3_KEY", "an-api-v3-key-of-33-characters---"),
        ("WECHAT_PUBLIC_KEYS", "{}"),
        ("WECHAT_PUBLIC_KEYS", "[]"),
        ("WECHAT_PUBLIC_KEYS", r#"{"PUB_KEY_ID_1":"x"}"#),
        ("WECHAT_BASE_URL", "ftp://wechat.example"),
        ("ALIPAY_APP_ID", "2021&x=1"),
        ("ALIPAY_SELLER_ID", "2088 1"),
        ("ALIPAY_PRIVATE_KEY", "x"),
        ("ALIPAY_PUBLIC_KEYS", "[]"),
        ("ALIPAY_PUBLIC_KEYS", r#"["x"]"#),
        ("ALIPAY_PUBLIC_KEYS", "x"),
        ("ALIPAY_GATEWAY_URL", "https://alipay.example/gateway.do?charset=utf-8"),
    ] {
        assert_eq!(named(&[(name, value)]), Some(name), "{value}");
    }
}

#[test]
fn what_is_optional_has_its_default_and_addresses_lose_their_last_slash() -> Result<(), ConfigError> {
    let config = read(&[("WECHAT_BASE_URL", ""), ("ALIPAY_GATEWAY_URL", "")])?;
    let (wechat, alipay) =
        (config.wechat.ok_or(ConfigError { name: "" })?, config.alipay.ok_or(ConfigError { name: "" })?);
    assert_eq!(wechat.base_url, "https://api.mch.weixin.qq.com");
    assert_eq!(alipay.gateway_url, "https://openapi.alipay.com/gateway.do");
    assert_eq!(wechat.notify_url, "https://pay.example/api/webhooks/wechat");
    assert_eq!(alipay.notify_url, "https://pay.example/api/webhooks/alipay");
    assert_eq!(alipay.public_keys.len(), 1);
    let both = serde_json::json!([THEIRS.public_pem, OURS.public_pem]).to_string();
    let config = read(&[("ALIPAY_PUBLIC_KEYS", &both)])?;
    assert_eq!(config.alipay.map(|account| account.public_keys.len()), Some(2));
    Ok(())
}
