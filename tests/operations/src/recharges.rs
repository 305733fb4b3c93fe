//! Recharges of an installation: WeChat Pay is played in this process.

use mps_e2e::gateway::WeChatNotice;
use mps_e2e::{fresh, send};
use serde_json::json;

use crate::Installation;

impl Installation {
    /// What WeChat Pay says of an order that the first member has just paid, not told yet.
    pub fn paid_order(&self) -> WeChatNotice {
        let pair = self.pairs().swap_remove(0);
        let order =
            json!({"card_id": pair.card_id, "amount": "1.00", "provider": "wechat", "method": "native"});
        let (authorization, key) = (format!("Bearer {}", pair.member), fresh("order-"));
        let headers = [
            ("authorization", authorization.as_str()),
            ("idempotency-key", &key),
            ("content-type", "application/json"),
        ];
        let url = format!("{}/api/recharge/orders", self.an_edge());
        let answer = send("POST", &url, &headers, &order.to_string());
        let number = answer.body["order_no"].as_str().unwrap_or_else(|| panic!("{}", answer.text));
        self.providers.wechat.pay(number)
    }

    /// What an edge answers to it.
    pub fn tell(&self, notice: &WeChatNotice) -> u16 {
        notice.seal().send(&format!("{}/api/webhooks/wechat", self.an_edge())).status
    }
}
