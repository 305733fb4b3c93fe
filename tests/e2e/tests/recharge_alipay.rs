//! Alipay's notices on the running edge: what is credited, once; what waits for an admin; what is not believed.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::thread;

use mps_e2e::gateway::{AlipayNotice, Key};
use mps_e2e::{Answer, Case, Order, Providers, fresh, send};

const UNPAID: &str = "0.00 0 pending";
const PAID: &str = "100.00 1 completed credited";

fn acknowledged(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (200, "success"));
    assert!(answer.header("content-type").starts_with("text/plain"), "{}", answer.header("content-type"));
}

fn refused(answer: &Answer, status: u16) {
    assert_eq!((answer.status, answer.text.as_str()), (status, "fail"));
}

/// An order that somebody has paid, and its notice.
fn paid(bench: &Providers) -> (Order, AlipayNotice) {
    let order = bench.alipay_order();
    let notice = bench.gateway.alipay.pay(&order.order_no);
    (order, notice)
}

/// It is told so, and nothing is credited; the right notice still is, afterwards.
fn is_not_believed(bench: &Providers, status: u16, change: impl FnOnce(AlipayNotice) -> AlipayNotice) {
    let (order, notice) = paid(bench);
    refused(&change(notice.clone()).seal().send(&bench.alipay_url()), status);
    assert_eq!(bench.books(&order), UNPAID);
    acknowledged(&notice.seal().send(&bench.alipay_url()));
    assert_eq!(bench.books(&order), PAID);
}

/// It is told so, and the order ends like that.
fn ends(bench: &Providers, books: &str, change: impl FnOnce(AlipayNotice) -> AlipayNotice) {
    let (order, notice) = paid(bench);
    acknowledged(&change(notice).seal().send(&bench.alipay_url()));
    assert_eq!(bench.books(&order), books);
}

const CREDITED: &[Case] = &[
    ("a paid order of the page is credited", |bench| ends(bench, PAID, |notice| notice)),
    ("a paid order of the app is credited", |bench| {
        let order = bench.order("app", "100.00");
        let text = order.answer.body["pay"]["order_string"].as_str().expect("text");
        assert_eq!(bench.gateway.alipay.open_app(text), Ok(order.order_no.clone()));
        acknowledged(&bench.gateway.alipay.pay(&order.order_no).seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("the same notice again credits nothing", |bench| {
        let (order, notice) = paid(bench);
        let envelope = notice.seal();
        (0..3).for_each(|_| acknowledged(&envelope.send(&bench.alipay_url())));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("ten notices at once credit once", |bench| {
        let (order, notice) = paid(bench);
        let (url, envelope) = (bench.alipay_url(), notice.seal());
        let send = || {
            let (url, envelope) = (url.clone(), envelope.clone());
            thread::spawn(move || envelope.send(&url))
        };
        let sending: Vec<_> = (0..10).map(|_| send()).collect();
        for one in sending {
            acknowledged(&one.join().expect("no panic"));
        }
        assert_eq!(bench.books(&order), PAID);
    }),
    ("a trade that is finished months later is credited once", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&notice.seal().send(&bench.alipay_url()));
        bench.age(&order, 90 * 24 * 60);
        let finished = bench.gateway.alipay.finish(&order.order_no);
        (0..2).for_each(|_| acknowledged(&finished.seal().send(&bench.alipay_url())));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("a trade that is told when it is finished, and never before, is credited", |bench| {
        let (order, _) = paid(bench);
        acknowledged(&bench.gateway.alipay.finish(&order.order_no).seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("what came before the payment may come after it", |bench| {
        let order = bench.alipay_order();
        let waiting = bench.gateway.alipay.notice(&order.order_no);
        acknowledged(&waiting.seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&order), UNPAID);
        acknowledged(&bench.gateway.alipay.pay(&order.order_no).seal().send(&bench.alipay_url()));
        acknowledged(&waiting.seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("an order that was paid after it expired is credited and flagged", |bench| {
        let (order, notice) = paid(bench);
        bench.age(&order, 20);
        assert_eq!(bench.run_job("expire_recharge_orders").status, 200);
        acknowledged(&notice.seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&order), "100.00 1 completed credited:late");
    }),
    ("both keys of the provider are believed while they rotate", |bench| {
        let next = bench.gateway.alipay.next_platform.clone();
        ends(bench, PAID, |notice| notice.signed_by(&next));
    }),
    ("fields without a value are no part of what is signed", |bench| {
        ends(bench, PAID, |notice| {
            notice.claiming("passback_params", "").claiming("voucher_detail_list", "")
        });
    }),
    ("any text comes through as it was signed", |bench| {
        ends(bench, PAID, |notice| notice.claiming("body", "a=b&c=d+e %2B/漢字 \" ' ~*"));
    }),
];

const REVIEWED: &[Case] = &[
    ("one fen more waits for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_amount:100.01", |notice| {
            notice.claiming("total_amount", "100.01")
        });
    }),
    ("one fen less waits for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_amount:99.99", |notice| {
            notice.claiming("total_amount", "99.99")
        });
    }),
    ("another currency waits for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_currency:USD", |notice| {
            notice.claiming("trans_currency", "USD")
        });
    }),
    ("a second trade of one order waits for an admin", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&notice.seal().send(&bench.alipay_url()));
        let second = notice.claiming("trade_no", &fresh("2026")[..28]);
        (0..2).for_each(|_| acknowledged(&second.seal().send(&bench.alipay_url())));
        assert_eq!(bench.books(&order), "100.00 1 completed credited needs_review:second_payment");
    }),
    ("a payment onto a closed card waits for an admin", |bench| {
        let (order, notice) = paid(bench);
        let close = format!("update app.cards set status = 'closed' where id = '{}'", order.shop.card_id);
        bench.stack.execute(&close);
        acknowledged(&notice.seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&order), "0.00 0 needs_review needs_review:card_closed");
    }),
    ("a payment for an order of WeChat's waits for an admin", |bench| {
        let wechat = bench.wechat_order();
        let (order, notice) = paid(bench);
        acknowledged(&notice.claiming("out_trade_no", &wechat.order_no).seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&wechat), "0.00 0 needs_review needs_review:wrong_provider");
        assert_eq!(bench.books(&order), UNPAID);
    }),
    ("a payment of which a part went back, told for the first time, waits for an admin", |bench| {
        ends(bench, "0.00 0 needs_review needs_review:wrong_amount:70.00", |notice| {
            notice.refunding("30.00")
        });
    }),
];

const NO_PAYMENT: &[Case] = &[
    ("a part that went back afterwards changes nothing", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&notice.seal().send(&bench.alipay_url()));
        (0..2)
            .for_each(|_| acknowledged(&notice.clone().refunding("30.00").seal().send(&bench.alipay_url())));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("all that went back afterwards changes nothing", |bench| {
        let (order, notice) = paid(bench);
        acknowledged(&notice.seal().send(&bench.alipay_url()));
        acknowledged(&notice.refunding("100.00").seal().send(&bench.alipay_url()));
        assert_eq!(bench.books(&order), PAID);
    }),
    ("what went back before it was told is not credited", |bench| {
        ends(bench, UNPAID, |notice| notice.refunding("100.00"));
        ends(bench, UNPAID, |notice| notice.refunding("100.00").claiming("trade_status", "TRADE_FINISHED"));
    }),
    ("a trade in any other state credits nothing", |bench| {
        for state in ["WAIT_BUYER_PAY", "TRADE_CLOSED", "TRADE_PENDING", "trade_success"] {
            ends(bench, UNPAID, |notice| notice.claiming("trade_status", state));
        }
    }),
];

const NOT_BELIEVED: &[Case] = &[
    ("a stranger's notice is refused", |bench| {
        is_not_believed(bench, 401, |notice| notice.signed_by(Key::stranger()));
    }),
    ("the merchant's own key is not the provider's", |bench| {
        let key = bench.gateway.alipay.merchant.clone();
        is_not_believed(bench, 401, |notice| notice.signed_by(&key));
    }),
    ("a notice without a signature is refused", |bench| is_not_believed(bench, 401, AlipayNotice::unsigned)),
    ("a signature with SHA-1 is refused", |bench| {
        is_not_believed(bench, 401, |notice| notice.claiming("sign_type", "RSA"));
    }),
    ("a field that was changed is refused", |bench| {
        for (name, value) in [
            ("total_amount", "1.00"),
            ("out_trade_no", "ORD9999999999"),
            ("trade_status", "TRADE_FINISHED"),
            ("buyer_id", "2088000000000000"),
            ("body", "added"),
            ("trans_currency", "USD"),
            ("sign", "AAAA"),
            ("sign", "no base64!"),
            ("sign", ""),
        ] {
            is_not_believed(bench, 401, |notice| notice.tampered(name, value));
        }
    }),
    ("a field that comes twice is refused", |bench| {
        let (order, notice) = paid(bench);
        for more in ["&total_amount=1.00", "&out_trade_no=ORD9999999999", "&trade_status=TRADE_FINISHED"] {
            let mut envelope = notice.seal();
            envelope.body.push_str(more);
            let answer = envelope.send(&bench.alipay_url());
            assert!(
                matches!(answer.status, 400 | 401) && answer.text == "fail",
                "{} {}",
                answer.status,
                answer.text
            );
            let mut envelope = notice.seal();
            envelope.body.insert_str(0, &format!("{}&", &more[1..]));
            let answer = envelope.send(&bench.alipay_url());
            assert!(
                matches!(answer.status, 400 | 401) && answer.text == "fail",
                "{} {}",
                answer.status,
                answer.text
            );
        }
        assert_eq!(bench.books(&order), UNPAID);
    }),
    ("another application's notice is refused", |bench| {
        is_not_believed(bench, 403, |notice| notice.claiming("app_id", "2021000000000001"));
        is_not_believed(bench, 403, |notice| notice.without("app_id"));
    }),
    ("another seller's notice is refused", |bench| {
        is_not_believed(bench, 403, |notice| notice.claiming("seller_id", "2088000000000001"));
        is_not_believed(bench, 403, |notice| notice.without("seller_id"));
    }),
    ("an amount that is none is refused", |bench| {
        for amount in [
            "",
            "0.00",
            "-100.00",
            "1e2",
            "NaN",
            "Infinity",
            "100.001",
            "１００.00",
            "0x64",
            "99999999999999999999.00",
        ] {
            is_not_believed(bench, 422, |notice| notice.claiming("total_amount", amount));
        }
    }),
    ("an unknown order is refused", |bench| {
        is_not_believed(bench, 404, |notice| notice.claiming("out_trade_no", "ORD9999999999"));
    }),
    ("a notice without its numbers is refused", |bench| {
        is_not_believed(bench, 400, |notice| notice.without("trade_no"));
        is_not_believed(bench, 400, |notice| notice.without("out_trade_no"));
    }),
    ("a body that is none is refused", |bench| {
        for body in ["", "{}", "sign=&sign_type=", "%FF%FE=%FF", "&&&==="] {
            let headers = [("content-type", "application/x-www-form-urlencoded")];
            let answer = send("POST", &bench.alipay_url(), &headers, body);
            assert!(matches!(answer.status, 400 | 401) && answer.text == "fail", "{body}: {}", answer.text);
        }
    }),
    ("a body over 64 KiB is refused", |bench| {
        let (order, notice) = paid(bench);
        let answer = notice.claiming("body", &"x".repeat(70_000)).seal().send(&bench.alipay_url());
        assert_eq!(answer.status, 413, "{}", answer.text);
        assert_eq!(bench.books(&order), UNPAID);
    }),
    ("nobody reads from a webhook", |bench| {
        assert_eq!(send("GET", &bench.alipay_url(), &[], "").status, 405);
    }),
];

#[test]
fn what_alipay_tells_is_credited_once() {
    Providers::start("alipay-credited").run(&[CREDITED, REVIEWED].concat());
}

#[test]
fn what_is_no_payment_or_not_from_alipay_credits_nothing() {
    Providers::start("alipay-refused").run(&[NO_PAYMENT, NOT_BELIEVED].concat());
}

#[test]
fn a_key_that_was_removed_is_believed_no_more() {
    let only_the_next = |variables: &mut Vec<(String, String)>| {
        let keys =
            variables.iter_mut().find(|(name, _)| name == "ALIPAY_PUBLIC_KEYS").map(|(_, value)| value);
        let keys = keys.expect("the keys");
        let mut all: Vec<String> = serde_json::from_str(keys).expect("JSON");
        *keys = all.pop().expect("the next key");
    };
    Providers::start_with("alipay-rotated", only_the_next).run(&[(
        "the old key is refused and the new one believed",
        |bench| {
            let (order, notice) = paid(bench);
            refused(&notice.seal().send(&bench.alipay_url()), 401);
            assert_eq!(bench.books(&order), UNPAID);
            let next = bench.gateway.alipay.next_platform.clone();
            acknowledged(&notice.signed_by(&next).seal().send(&bench.alipay_url()));
            assert_eq!(bench.books(&order), PAID);
        },
    )]);
}
