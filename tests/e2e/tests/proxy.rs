//! The standard installation: nginx in front of two edges. What it guards, what it passes, and that it repeats no payment.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mps_core::ErrorCode;
use mps_e2e::{Answer, Edge, HOST, Proxy, Rates, Shop, Stack, variable, variables};
use serde_json::json;

fn edge(name: &str) -> Edge {
    let mut all = variables(&variable("MPS_E2E_SUPABASE_URL"));
    all.push(("TRUSTED_ADDRESS_HEADER".to_owned(), "X-Real-IP".to_owned()));
    Edge::start(name, all)
}

fn charge(proxy: &Proxy, shop: &Shop, key: &str, body: &str) -> Option<Answer> {
    let authorization = format!("Bearer {}", shop.cashier);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    proxy.try_send("POST", "/api/payment/charge", &headers, body)
}

/// Of this proxy and not of an edge: the text is the catalogue's all the same.
fn is_problem(answer: &Answer, code: ErrorCode) {
    assert_eq!(answer.status, code.status(), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let told = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(told("type"), format!("urn:mps:error:{code}"));
    assert_eq!((told("code"), told("title")), (code.as_str().to_owned(), code.title().to_owned()));
    assert_eq!(answer.body["status"], json!(code.status()));
    assert_eq!(answer.header("x-request-id"), told("instance"));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[test]
fn through_the_proxy_a_shop_pays_replays_and_refunds() {
    let (stack, one, two) = (Stack::new(), edge("proxied-one"), edge("proxied-two"));
    let proxy = Proxy::start("paying", &[&one.url, &two.url], &Rates::HIGH, &[]);
    let shop = stack.open_shop("200");
    let (key, body) = (stack.fresh_key(), shop.request(&stack.code(&shop), "50").to_string());
    let paid = charge(&proxy, &shop, &key, &body).expect("an answer");
    assert_eq!((paid.status, paid.header("idempotency-replayed")), (200, ""), "{}", paid.text);
    assert_eq!(paid.header("x-request-id").len(), 36, "the edge's own");
    let again = charge(&proxy, &shop, &key, &body).expect("an answer");
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"));
    let refund = json!({"merchant_code": shop.merchant_code, "original_tx_no": paid.body["tx_no"], "refund_amount": "50.00"});
    let authorization = format!("Bearer {}", shop.cashier);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", &stack.fresh_key()),
    ];
    let refunded = proxy.send("POST", "/api/payment/refund", &headers, &refund.to_string());
    assert_eq!(refunded.status, 200, "{}", refunded.text);
    // The edge's own problem, as it is.
    let refused = proxy.send("GET", "/api/member/me", &[("authorization", "Bearer x.y.z")], "");
    assert_eq!((refused.status, refused.body["code"].as_str()), (401, Some("NOT_AUTHENTICATED")));
    assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="mps", error="invalid_token""#);
    protocols(&proxy);
    what_is_not_for_the_outside(&proxy);
    the_pages(&proxy);
    what_nginx_refuses_itself(&proxy);
}

fn protocols(proxy: &Proxy) {
    let url = proxy.url("/health");
    for (arguments, status) in [
        (vec!["--tlsv1.2", "--tls-max", "1.2"], Some(200)),
        (vec!["--tlsv1.3"], Some(200)),
        (vec!["--http1.1"], Some(200)),
        (vec!["--tls-max", "1.1"], None),
    ] {
        let answer = proxy.curl(&[arguments.as_slice(), &[&url]].concat());
        assert_eq!(answer.map(|answer| answer.status), status, "{arguments:?}");
    }
    let spoken = proxy.curl(&["--http2", "--write-out", "%{http_version}", &url]).expect("an answer");
    assert!(spoken.text.ends_with('2'), "{}", spoken.text);
    let plain = format!("http://{HOST}:{}/member?a=b", proxy.plain.port());
    let sent_on = proxy.curl(&[&plain]).expect("an answer");
    assert_eq!((sent_on.status, sent_on.header("location")), (308, &*format!("https://{HOST}/member?a=b")));
    let proof = format!("http://{HOST}:{}/.well-known/acme-challenge/token", proxy.plain.port());
    assert_eq!(proxy.curl(&[&proof]).expect("an answer").text, "proof");
    // A name that is nobody's here.
    let address = format!("https://{}/health", proxy.tls);
    assert!(proxy.curl(&["--insecure", &address]).is_none());
}

fn what_is_not_for_the_outside(proxy: &Proxy) {
    let token = format!("Bearer {}", variable("MPS_E2E_OPS_TOKEN"));
    for path in ["/metrics", "/ops/cron", "/ops/cron/seal", "/api/../metrics", "//metrics", "/%6detrics"] {
        let answer = proxy.send("GET", path, &[("authorization", &token)], "");
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        assert!(!answer.text.contains("mps_") && !answer.text.contains("seal"), "{path}: {}", answer.text);
    }
    // nginx says how it is to its own machine, by one address of it.
    let status = proxy.url("/nginx_status");
    let told = proxy.curl(&[&status]).expect("an answer");
    assert!(told.status == 200 && told.text.contains("Active connections: "), "{}", told.text);
    let stranger = proxy.curl(&["--interface", "127.0.0.2", &status]).expect("an answer");
    assert!(stranger.status != 200 && !stranger.text.contains("Active connections"), "{}", stranger.text);
}

fn the_pages(proxy: &Proxy) {
    for (path, cache) in [
        ("/", "no-cache"),
        ("/member", "no-cache"),
        ("/assets/a-1.js", "public, max-age=31536000, immutable"),
        ("/config.json", "no-store"),
    ] {
        let page = proxy.send("GET", path, &[], "");
        assert_eq!((page.status, page.header("cache-control")), (200, cache), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("strict-transport-security", "max-age=63072000"),
            ("referrer-policy", "no-referrer"),
            ("server", "nginx"),
        ] {
            assert_eq!(page.header(name), value, "{path}");
        }
    }
    assert_eq!(proxy.send("GET", "/nowhere", &[], "").status, 404);
}

fn what_nginx_refuses_itself(proxy: &Proxy) {
    let json = ("content-type", "application/json");
    let large = proxy.send("POST", "/api/payment/quote", &[json], &"x".repeat(65 * 1024));
    is_problem(&large, ErrorCode::BodyTooLarge);
    assert_eq!(large.body["params"]["bytes_max"], json!(65536));
    // More than a line may have, and few enough to be read whole: what is left unread resets the connection, and the answer with it.
    let long = "x".repeat(9 * 1024);
    // HTTP/2 has no answer for it: the connection ends.
    let long = proxy.curl(&["--http1.1", &proxy.url(&format!("/api/{long}"))]).expect("an answer");
    is_problem(&long, ErrorCode::MalformedArgument);
    let url = proxy.url("/api/member/me");
    // What a client calls a request is no part of what we say.
    let named = r#"X-Request-Id: 701234567890123456789017","code":"PAID"#;
    let answer = proxy.curl(&["--header", named, "--request", "TRACE", &url]).expect("an answer");
    is_problem(&answer, ErrorCode::MethodNotAllowed);
    // With the one without a right token.
    let lines = proxy.log("/api/member/me", 2);
    assert!(lines.iter().all(|line| !line.to_string().contains("7012345678")), "{lines:?}");
    assert_eq!(lines[1]["request_id"].as_str(), Some(answer.header("x-request-id")));
    is_problem(&proxy.curl(&["--request", "TRACE", &url]).expect("an answer"), ErrorCode::MethodNotAllowed);
    let spaced = proxy.curl(&["--http1.1", "--header", &format!("Host: {HOST} x"), &url]).expect("an answer");
    is_problem(&spaced, ErrorCode::MalformedArgument);
}

#[test]
fn the_proxy_keeps_a_caller_with_one_edge_until_it_is_gone() {
    let (stack, mut one, two) = (Stack::new(), edge("staying-one"), edge("staying-two"));
    let proxy = Proxy::start("staying", &[&one.url, &two.url], &Rates::HIGH, &[]);
    let shops: Vec<Shop> = (0..8).map(|_| stack.open_shop("100")).collect();
    let edges_of = |path: &str, count| -> BTreeSet<String> {
        proxy.log(path, count).iter().map(|line| line["edge"].to_string()).collect()
    };
    for shop in &shops {
        // A path of its own, by which its lines are found.
        let (path, authorization) =
            (format!("/api/member/cards/{}", shop.card_id), format!("Bearer {}", shop.member));
        for _ in 0..5 {
            assert_eq!(proxy.send("GET", &path, &[("authorization", &authorization)], "").status, 200);
        }
        assert_eq!(edges_of(&path, 5).len(), 1);
    }
    // Of many callers each edge has some, by whatever tokens.
    for n in 0..40 {
        let authorization = format!("Bearer a.b.{n:040}");
        proxy.send("GET", "/api/member/me", &[("authorization", &authorization)], "");
    }
    assert_eq!(edges_of("/api/member/me", 40).len(), 2);

    one.kill();
    let started = Instant::now();
    for shop in &shops {
        let body = shop.request(&stack.code(shop), "10").to_string();
        let paid = charge(&proxy, shop, &stack.fresh_key(), &body).expect("an answer");
        assert_eq!(paid.status, 200, "{}", paid.text);
    }
    assert!(started.elapsed() < Duration::from_secs(30));
    for shop in &shops {
        let query = format!("select balance::text from app.cards where id = '{}'", shop.card_id);
        assert_eq!(stack.value(&query), "90.00");
    }
}

/// The edge counts strangers by the header that the proxy writes, whatever they write in it.
#[test]
fn the_proxy_says_whose_request_it_is() {
    let mut all = variables(&variable("MPS_E2E_SUPABASE_URL"));
    all.retain(|(name, _)| name != "RATE_LIMIT_ADDRESS");
    for (name, value) in [("RATE_LIMIT_ADDRESS", "5/60"), ("TRUSTED_ADDRESS_HEADER", "X-Real-IP")] {
        all.push((name.to_owned(), value.to_owned()));
    }
    let (_stack, one) = (Stack::new(), Edge::start("named-one", all));
    let proxy = Proxy::start("naming", &[&one.url], &Rates::HIGH, &[]);
    let statuses: Vec<u16> = (1..=12)
        .map(|n| proxy.send("GET", "/api/member/me", &[("x-real-ip", &format!("192.0.2.{n}"))], "").status)
        .collect();
    assert!(statuses.contains(&401) && statuses.ends_with(&[429, 429, 429]), "{statuses:?}");
}

/// An edge that takes a request and goes away without an answer; how many POSTs and how many others it took.
fn dying_edge() -> (String, Arc<[AtomicU32; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let taken = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let counted = Arc::clone(&taken);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut method = [0; 4];
            stream.and_then(|mut stream| stream.read_exact(&mut method)).expect("a request");
            counted[usize::from(&method != b"POST")].fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, taken)
}

/// It may have done it: nobody but the client may send it again.
#[test]
fn the_proxy_sends_a_charge_to_one_edge_only() {
    let (stack, [one, two]) = (Stack::new(), [dying_edge(), dying_edge()]);
    // However often an edge fails, it is asked.
    let servers = [&one.0, &two.0].map(|url| url.replace("http://", "server "));
    let asked = servers.each_ref().map(|server| format!("{server} max_fails=0;"));
    let servers = servers.map(|server| format!("{server} max_fails=1 fail_timeout=1s;"));
    let texts = [(servers[0].as_str(), asked[0].as_str()), (&servers[1], &asked[1])];
    let proxy = Proxy::start("once", &[&one.0, &two.0], &Rates::HIGH, &texts);
    let shop = stack.open_shop("100");
    for n in 0..4 {
        let answer = charge(&proxy, &shop, &format!("k-{n}"), "{}").expect("an answer");
        is_problem(&answer, ErrorCode::Unavailable);
        assert_eq!(answer.body["retry"], json!("same_key"));
        assert_eq!(proxy.send("GET", "/api/member/me", &[], "").status, 503);
    }
    let taken = |kind: usize| one.1[kind].load(Ordering::SeqCst) + two.1[kind].load(Ordering::SeqCst);
    assert_eq!(taken(0), 4, "each POST once");
    assert!(taken(1) > 4, "a GET is asked for at the other one");
}

#[test]
fn the_proxy_tells_who_asks_too_much_and_that_somebody_is_at_work() {
    let (stack, one) = (Stack::new(), edge("limited-one"));
    let rates = Rates { payment: (1, 3), address: (5, 20), ..Rates::HIGH };
    let proxy = Proxy::start("limiting", &[&one.url], &rates, &[]);
    let (shop, other) = (stack.open_shop("100"), stack.open_shop("100"));
    let body = json!({"merchant_code": shop.merchant_code}).to_string();
    let answers: Vec<Answer> =
        (0..8).map(|n| charge(&proxy, &shop, &format!("k-{n}"), &body).expect("an answer")).collect();
    let limited: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(
        (2..=4).contains(&limited.len()),
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    for answer in limited {
        is_problem(answer, ErrorCode::RateLimited);
        assert_eq!(
            (answer.header("retry-after"), &answer.body["params"]["retry_after_seconds"]),
            ("1", &json!(1))
        );
    }
    assert_eq!(
        charge(&proxy, &other, "k", &body).expect("an answer").status,
        400,
        "another till is not behind it"
    );
    // Tokens that somebody makes up are all of one address.
    let made_up = (0..40).map(|n| {
        let authorization = format!("Bearer a.b.{n:040}");
        proxy.send("GET", "/api/member/me", &[("authorization", &authorization)], "").status
    });
    assert!(made_up.filter(|status| *status == 429).count() >= 5);

    proxy.maintain(true);
    thread::sleep(Duration::from_secs(1));
    let waiting = charge(&proxy, &other, "k", &body).expect("an answer");
    is_problem(&waiting, ErrorCode::Unavailable);
    assert_eq!((waiting.header("retry-after"), &waiting.body["retry"]), ("60", &json!("same_key")));
    let unkeyed = proxy.send("POST", "/api/devices", &[("content-type", "application/json")], "{}");
    assert_eq!((unkeyed.status, &unkeyed.body["retry"]), (503, &json!("check_first")));
    let notice = proxy.send("POST", "/api/webhooks/wechat", &[("content-type", "application/json")], "{}");
    assert_eq!(notice.status, 503, "a provider comes again");
    let page = proxy.send("GET", "/member", &[], "");
    assert_eq!((page.status, page.header("retry-after")), (503, "60"));
    assert!(page.text.contains("系統維護中"));
    assert_eq!(proxy.send("GET", "/health", &[], "").status, 200);
    proxy.maintain(false);
    assert_eq!(proxy.send("GET", "/member", &[], "").status, 200);
    drop(one);
    let gone = charge(&proxy, &other, "k", &body).expect("an answer");
    is_problem(&gone, ErrorCode::Unavailable);
    assert_eq!(gone.header("retry-after"), "1");
}

/// What an edge alone does not survive: it has no deadline on reads, and a descriptor for each who waits.
#[test]
fn the_proxy_keeps_those_who_send_slowly_or_nothing_from_the_edge() {
    let (stack, one) = (Stack::new(), edge("slow-one"));
    let texts = [
        ("client_header_timeout 10s;", "client_header_timeout 1s;"),
        ("client_body_timeout 10s;", "client_body_timeout 1s;"),
        ("limit_conn connections 256;", "limit_conn connections 2000;"),
    ];
    let proxy = Proxy::start("slow", &[&one.url], &Rates::HIGH, &texts);
    let mut idle: Vec<TcpStream> =
        (0..600).map(|_| TcpStream::connect(proxy.plain).expect("a connection")).collect();
    for stream in idle.iter_mut().step_by(2) {
        stream
            .write_all(b"POST /api/payment/charge HTTP/1.1\r\nHost: pay.example\r\nContent-Le")
            .expect("a part");
    }
    let shop = stack.open_shop("100");
    let body = shop.request(&stack.code(&shop), "10").to_string();
    let paid = charge(&proxy, &shop, &stack.fresh_key(), &body).expect("an answer");
    assert_eq!(paid.status, 200, "{}", paid.text);
    // Every one of them is let go.
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest);
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
    assert_ne!(slow_body(&proxy).status.code(), Some(CURL_TIMED_OUT), "nginx waits for ever");
    // And they are not many at once.
    let texts = [("limit_conn connections 256;", "limit_conn connections 2;")];
    let proxy = Proxy::start("few", &[&one.url], &Rates::HIGH, &texts);
    thread::scope(|scope| {
        let slow = [(); 2].map(|()| scope.spawn(|| slow_body(&proxy)));
        let refused = (0..60).find_map(|_| {
            thread::sleep(Duration::from_millis(50));
            Some(proxy.send("GET", "/health", &[], "")).filter(|answer| answer.status != 200)
        });
        is_problem(&refused.expect("a third one at once is refused"), ErrorCode::RateLimited);
        for request in slow {
            request.join().expect("no panic");
        }
    });
}

/// curl's exit code when it is the one that has waited long enough (curl(1)).
const CURL_TIMED_OUT: i32 = 28;

/// A request of which one byte comes, for five seconds at most.
fn slow_body(proxy: &Proxy) -> Output {
    let headers = ["--header", "Content-Type: application/json", "--header", "Content-Length: 60000"];
    let rest = ["--http1.1", "--max-time", "5", "--data-binary", "{", &proxy.url("/api/payment/charge")];
    proxy.run_curl(&[&headers[..], &rest[..]].concat())
}
