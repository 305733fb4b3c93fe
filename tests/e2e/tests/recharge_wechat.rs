//! WeChat Pay's notices on the running edge: what is credited, once; what waits for an admin; what is not believed.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::thread;

use chrono::{Duration, Utc};
use mps_e2e::gateway::{Key, Tamper, WeChatNotice};
use mps_e2e::{Answer, Case, Order, Providers, fresh, send};
use serde_json::{Value, json};

const UNPAID: &str = "0.00 0 pending";
const PAID: &str = "100.00 1 completed credited";

fn acknowledged(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}

fn refused(answer: &Answer, status: u16) {
    assert_eq!((answer.status, &answer.body["code"]), (status, &json!("FAIL")), "{}", answer.text);
    assert!(answer.body["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", answer.text);
}

/// An order that somebody has paid, and its notice.
fn paid(bench: &Providers) -> (Order, WeChatNotice) {
    let order = bench.wechat_order();
    let notice = bench.gateway.wechat.pay(&order.order_no);
    (order, notice)
}

/// It is told so, and nothing is credited; the right notice still is, afterwards.
fn is_not_believed(bench: &Providers, status: u16, change: impl FnOnce(WeChatNotice) -> WeChatNotice) {
    let (order, notice) = paid(bench);
    refused(&change(notice.clone()).seal().send(&bench.wechat_url()), status);
    assert_eq!(bench.books(&order), UNPAID);
    acknowledged(&notice.seal().send(&bench.wechat_url()));
    assert_eq!(bench.books(&order), PAID);
}

/// It is told so, and the order ends like that.
fn ends(bench: &Providers, books: &str, change: impl FnOnce(WeChatNotice) -> WeChatNotice) {
    let (order, notice) = paid(bench);
    acknowledged(&change(notice).seal().send(&bench.wechat_url()));
    assert_eq!(bench.books(&order), books);
}

const CREDITED: &[Case] = &[
    ("a paid native order is credited", |bench| ends(bench, PAID, |notice| notice)),
    ("a paid order of JSAPI is credited", |bench| {
        let order = bench.order("jsapi", "100.00");
        let bridge = &order.answer.body["pay"]["bridge"];
        assert_eq!(bench.gateway.wechat.open_bridge(bridge), Ok(order.order_no.clone()));
        acknowledged(&bench.gateway.wechat.pay(&order.order_no).seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("the least and the most are credited to the fen", |bench| {
        for amount in ["1.00", "50000.00", "12.34"] {
            let order = bench.order("native", amount);
            acknowledged(&bench.gateway.wechat.pay(&order.order_no).seal().send(&bench.wechat_url()));
            assert_eq!(bench.books(&order), format!("{amount} 1 completed credited"));
        }
    }),
    ("the same notice again credits nothing", |bench| {
        let (order, notice) = paid(bench);
        let envelope = notice.seal();
        (0..3).for_each(|_| acknowledged(&envelope.send(&bench.wechat_url())));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("a repetition that is signed anew credits nothing", |bench| {
        let (order, notice) = paid(bench);
        (0..3).for_each(|_| acknowledged(&notice.seal().send(&bench.wechat_url())));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("ten notices at once credit once", |bench| {
        let (order, notice) = paid(bench);
        let (url, envelopes) = (bench.wechat_url(), (0..10).map(|_| notice.seal()));
        let sending: Vec<_> = envelopes
            .map(|envelope| {
                let url = url.clone();
                thread::spawn(move || envelope.send(&url))
            })
            .collect();
        for one in sending {
            acknowledged(&one.join().expect("no panic"));
        }
        assert_eq!(bench.books(&order), PAID);
    }),
    ("of two orders the second may be told first", |bench| {
        let ((first, one), (second, two)) = (paid(bench), paid(bench));
        acknowledged(&two.seal().send(&bench.wechat_url()));
        assert_eq!([bench.books(&first), bench.books(&second)], [UNPAID, PAID]);
        acknowledged(&one.seal().send(&bench.wechat_url()));
        assert_eq!([bench.books(&first), bench.books(&second)], [PAID, PAID]);
    }),
    ("an order that was paid after it expired is credited and flagged", |bench| {
        let order = bench.wechat_order();
        bench.age(&order, 20);
        assert_eq!(bench.run_job("expire_recharge_orders").status, 200);
        assert_eq!(bench.books(&order), "0.00 0 expired");
        acknowledged(&bench.gateway.wechat.pay(&order.order_no).seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), "100.00 1 completed credited:late");
    }),
    ("an order that was paid in time and told late is not late", |bench| {
        let (order, notice) = paid(bench);
        bench.age(&order, 20);
        let in_time = (Utc::now() - Duration::minutes(10)).to_rfc3339();
        acknowledged(&notice.claiming("/success_time", in_time).seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("a frozen card of a suspended member is credited what was paid", |bench| {
        let (order, notice) = paid(bench);
        let card = &order.shop.card_id;
        bench.stack.execute(&format!(
            "update app.cards set status = 'frozen' where id = '{card}';
             update app.member_profiles set status = 'suspended'
             where id = (select personal_member_id from app.cards where id = '{card}')"
        ));
        acknowledged(&notice.seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("both keys of the platform are believed while they rotate", |bench| {
        let (serial, key) = bench.gateway.wechat.certificate.clone();
        ends(bench, PAID, |notice| notice.signed_by(&serial, &key));
        let (serial, key) = bench.gateway.wechat.public_key.clone();
        ends(bench, PAID, |notice| notice.signed_by(&serial, &key));
    }),
    ("a notice that is 290 seconds old or early is believed", |bench| {
        ends(bench, PAID, |notice| notice.signed_at(-290));
        ends(bench, PAID, |notice| notice.signed_at(290));
    }),
];

const REVIEWED: &[Case] = &[
    ("one fen more waits for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_amount:100.01", |notice| {
            notice.claiming("/amount/total", 10_001)
        });
    }),
    ("one fen less waits for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_amount:99.99", |notice| {
            notice.claiming("/amount/total", 9_999)
        });
    }),
    ("yuan where fen belong wait for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_amount:1.00", |notice| {
            notice.claiming("/amount/total", 100)
        });
    }),
    ("another currency waits for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_currency:USD", |notice| {
            notice.claiming("/amount/currency", "USD")
        });
    }),
    ("a second payment of one order waits for an admin", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&notice.seal().send(&bench.wechat_url()));
        let second = notice.claiming("/transaction_id", &fresh("4200")[..28]);
        (0..2).for_each(|_| acknowledged(&second.seal().send(&bench.wechat_url())));
        assert_eq!(bench.books(&order), "100.00 1 completed credited needs_review:second_payment");
    }),
    ("a payment onto a closed card waits for an admin", |bench| {
        let (order, notice) = paid(bench);
        let close = format!("update app.cards set status = 'closed' where id = '{}'", order.shop.card_id);
        bench.stack.execute(&close);
        acknowledged(&notice.seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), "0.00 0 needs_review needs_review:card_closed");
    }),
    ("a payment for an order of Alipay's waits for an admin", |bench| {
        let alipay = bench.alipay_order();
        let (order, notice) = paid(bench);
        let other = notice.claiming("/out_trade_no", alipay.order_no.as_str());
        acknowledged(&other.seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&alipay), "0.00 0 needs_review needs_review:wrong_provider");
        assert_eq!(bench.books(&order), UNPAID);
    }),
    ("one payment pays one order", |bench| {
        let ((first, notice), (second, _)) = (paid(bench), paid(bench));
        acknowledged(&notice.seal().send(&bench.wechat_url()));
        let other = notice.claiming("/out_trade_no", second.order_no.as_str());
        refused(&other.seal().send(&bench.wechat_url()), 409);
        assert_eq!([bench.books(&first), bench.books(&second)], [PAID, UNPAID]);
    }),
];

const NO_PAYMENT: &[Case] = &[
    ("a refund notice after the payment changes nothing", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&notice.seal().send(&bench.wechat_url()));
        let refund = bench.gateway.wechat.refund(&order.order_no);
        (0..2).for_each(|_| acknowledged(&refund.seal().send(&bench.wechat_url())));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("a refund notice alone credits nothing", |bench| {
        let (order, _) = paid(bench);
        acknowledged(&bench.gateway.wechat.refund(&order.order_no).seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), UNPAID);
    }),
    ("a refund notice that overtakes its payment's does not stop it", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&bench.gateway.wechat.refund(&order.order_no).seal().send(&bench.wechat_url()));
        acknowledged(&notice.seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("a payment under the name of another event credits nothing", |bench| {
        for event in ["TRANSACTION.FAIL", "MCHTRANSFER.BILL.FINISHED"] {
            ends(bench, UNPAID, |notice| notice.named(event));
        }
        // A refund is recorded, so it must be one; the provider goes on telling of what was not taken.
        is_not_believed(bench, 400, |notice| notice.named("REFUND.SUCCESS"));
    }),
    ("a transaction in any other state credits nothing", |bench| {
        for state in ["NOTPAY", "USERPAYING", "PAYERROR", "CLOSED", "REVOKED", "REFUND", "ACCEPT", "success"]
        {
            ends(bench, UNPAID, |notice| notice.claiming("/trade_state", state));
        }
    }),
];

const NOT_BELIEVED: &[Case] = &[
    ("a probe is refused and counted as one", |bench| {
        let before = bench.count("wechat", "probe");
        is_not_believed(bench, 401, WeChatNotice::as_probe);
        assert_eq!(bench.count("wechat", "probe"), before + 1);
    }),
    ("a notice of 300 seconds ago is a replay", |bench| {
        is_not_believed(bench, 401, |notice| notice.signed_at(-300));
    }),
    ("a notice of an hour ago is a replay", |bench| {
        is_not_believed(bench, 401, |notice| notice.signed_at(-3600));
    }),
    ("a notice from the future is refused", |bench| {
        is_not_believed(bench, 401, |notice| notice.signed_at(302));
    }),
    ("a body that was changed is refused", |bench| {
        is_not_believed(bench, 401, |notice| notice.tampered(Tamper::Body));
    }),
    ("a bad tag is refused", |bench| is_not_believed(bench, 400, |notice| notice.tampered(Tamper::Tag))),
    ("a changed ciphertext is refused", |bench| {
        is_not_believed(bench, 400, |notice| notice.tampered(Tamper::Ciphertext));
    }),
    ("a changed nonce is refused", |bench| {
        is_not_believed(bench, 400, |notice| notice.tampered(Tamper::Nonce));
    }),
    ("changed associated data is refused", |bench| {
        is_not_believed(bench, 400, |notice| notice.tampered(Tamper::AssociatedData));
    }),
    ("another APIv3 key is refused", |bench| {
        is_not_believed(bench, 400, |notice| notice.encrypted_with("0123456789abcdef0123456789abcdef"));
    }),
    ("an unknown serial is refused", |bench| {
        is_not_believed(bench, 401, |notice| {
            notice.signed_by("7132FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", Key::stranger())
        });
    }),
    ("a stranger under our platform's serial is refused", |bench| {
        let serial = bench.gateway.wechat.public_key.0.clone();
        is_not_believed(bench, 401, |notice| notice.signed_by(&serial, Key::stranger()));
    }),
    ("the merchant's own key is not the platform's", |bench| {
        let (serial, key) =
            (bench.gateway.wechat.public_key.0.clone(), bench.gateway.wechat.merchant.clone());
        is_not_believed(bench, 401, |notice| notice.signed_by(&serial, &key));
    }),
    ("one key under the other's serial is refused", |bench| {
        let (serial, key) =
            (bench.gateway.wechat.certificate.0.clone(), bench.gateway.wechat.public_key.1.clone());
        is_not_believed(bench, 401, |notice| notice.signed_by(&serial, &key));
    }),
    ("an empty or missing header is refused", |bench| {
        let (order, notice) = paid(bench);
        for name in ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"] {
            refused(&notice.seal().with_header(name, "").send(&bench.wechat_url()), 401);
            refused(&notice.seal().without_header(name).send(&bench.wechat_url()), 401);
        }
        for (name, value) in [
            ("Wechatpay-Timestamp", "now"),
            ("Wechatpay-Timestamp", "99999999999999999999999"),
            ("Wechatpay-Nonce", "another"),
            ("Wechatpay-Signature", "no base64!"),
            ("Wechatpay-Signature", "AAAA"),
        ] {
            refused(&notice.seal().with_header(name, value).send(&bench.wechat_url()), 401);
        }
        assert_eq!(bench.books(&order), UNPAID);
    }),
    ("another merchant's notice is refused", |bench| {
        is_not_believed(bench, 403, |notice| notice.claiming("/mchid", "1900000001"));
    }),
    ("another application's notice is refused", |bench| {
        is_not_believed(bench, 403, |notice| notice.claiming("/appid", "wx8888888888888888"));
    }),
    ("an amount that is none is refused", |bench| {
        for amount in [
            json!("10000"),
            json!(100.5),
            json!(0),
            json!(-10_000),
            json!(u64::MAX),
            json!(100_000_000_000_001_u64),
            Value::Null,
        ] {
            is_not_believed(bench, 422, |notice| notice.claiming("/amount/total", amount));
        }
    }),
    ("an unknown order is refused", |bench| {
        is_not_believed(bench, 404, |notice| notice.claiming("/out_trade_no", "ORD9999999999"));
        is_not_believed(bench, 404, |notice| notice.claiming("/out_trade_no", fresh("ORD").as_str()));
    }),
    ("a transaction without its number is refused", |bench| {
        is_not_believed(bench, 400, |notice| notice.without("transaction_id"));
        is_not_believed(bench, 400, |notice| notice.without("out_trade_no"));
        is_not_believed(bench, 400, |notice| notice.claiming("/success_time", "yesterday"));
    }),
];

const NO_NOTICE: &[Case] = &[
    ("a body that is none is refused", |bench| {
        let (order, notice) = paid(bench);
        let right = notice.seal();
        for body in ["", "{}", "[]", "not json", r#"{"event_type":"TRANSACTION.SUCCESS","resource":{}}"#] {
            let mut envelope = right.clone();
            body.clone_into(&mut envelope.body);
            refused(&envelope.send(&bench.wechat_url()), 401);
            refused(&notice.seal_as(body).send(&bench.wechat_url()), 400);
        }
        assert_eq!(bench.books(&order), UNPAID);
    }),
    ("a body over 64 KiB is refused", |bench| {
        let (order, notice) = paid(bench);
        let body = format!(r#"{{"event_type":"{}"}}"#, "x".repeat(70_000));
        assert_eq!(notice.seal_as(&body).send(&bench.wechat_url()).status, 413);
        assert_eq!(bench.books(&order), UNPAID);
        acknowledged(&notice.seal().send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("what a notice calls itself does not matter", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&notice.seal().with_header("Content-Type", "text/plain").send(&bench.wechat_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("nobody reads from a webhook", |bench| {
        assert_eq!(send("GET", &bench.wechat_url(), &[], "").status, 405);
    }),
];

#[test]
fn what_wechat_tells_is_credited_once() {
    Providers::start("wechat-credited").run(&[CREDITED, REVIEWED].concat());
}

#[test]
fn what_is_no_payment_or_not_from_wechat_credits_nothing() {
    Providers::start("wechat-refused").run(&[NO_PAYMENT, NOT_BELIEVED, NO_NOTICE].concat());
}

#[test]
fn a_key_that_was_removed_is_believed_no_more() {
    let only_the_new = |variables: &mut Vec<(String, String)>| {
        let keys =
            variables.iter_mut().find(|(name, _)| name == "WECHAT_PUBLIC_KEYS").map(|(_, value)| value);
        let keys = keys.expect("the keys");
        let mut all: serde_json::Map<String, Value> = serde_json::from_str(keys).expect("JSON");
        all.retain(|id, _| id.starts_with("PUB_KEY_ID_"));
        *keys = Value::Object(all).to_string();
    };
    Providers::start_with("wechat-rotated", only_the_new).run(&[(
        "the old key is refused and the new one believed",
        |bench| {
            let (serial, key) = bench.gateway.wechat.certificate.clone();
            is_not_believed(bench, 401, |notice| notice.signed_by(&serial, &key));
        },
    )]);
}
