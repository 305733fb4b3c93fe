//! Where a request comes from, as far as that can be believed.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

/// The client's address, where it is known, as the proxy in front of us wrote it into `trusted` (the last of a list is the nearest proxy's own
/// word). An IPv6 network of 64 bits is one client: it can choose among that many addresses.
pub(crate) fn client(headers: &HeaderMap, trusted: Option<&HeaderName>) -> Option<String> {
    let value = trusted.and_then(|name| headers.get_all(name).iter().next_back());
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let last = text.rsplit(',').next().unwrap_or_default().trim();
    match last.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => Some(address.to_string()),
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client_of(values: &[&'static str], trusted: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        let client = client(&headers, trusted.map(HeaderName::from_static).as_ref());
        client.unwrap_or_else(|| "unknown".to_owned())
    }

    #[test]
    fn only_the_trusted_header_is_believed() {
        assert_eq!(client_of(&["192.0.2.1"], None), "unknown");
        assert_eq!(client_of(&["192.0.2.1"], Some("x-real-ip")), "unknown");
        assert_eq!(client_of(&["192.0.2.1"], Some("x-forwarded-for")), "192.0.2.1");
    }

    #[test]
    fn what_the_client_wrote_before_the_proxy_is_not_believed() {
        assert_eq!(client_of(&["203.0.113.9, 192.0.2.1"], Some("x-forwarded-for")), "192.0.2.1");
        assert_eq!(client_of(&["203.0.113.9", "192.0.2.1"], Some("x-forwarded-for")), "192.0.2.1");
        assert_eq!(client_of(&["anything"], Some("x-forwarded-for")), "unknown");
    }

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        let one = client_of(&["2001:db8:1:2::1"], Some("x-forwarded-for"));
        assert_eq!(one, "2001:db8:1:2::/64");
        assert_eq!(client_of(&["2001:db8:1:2:ffff::9"], Some("x-forwarded-for")), one);
        assert_ne!(client_of(&["2001:db8:1:3::1"], Some("x-forwarded-for")), one);
        assert_eq!(client_of(&["::ffff:192.0.2.1"], Some("x-forwarded-for")), "192.0.2.1");
    }
}
