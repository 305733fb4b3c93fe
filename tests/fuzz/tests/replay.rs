//! Every target on its seeds and on inputs like them, without libFuzzer and always the same; `cargo xtask test --long` tries more of them.

use std::env;
use std::panic::catch_unwind;

use fastrand::Rng;
use mps_fuzz::mutate::mutate;
use mps_fuzz::{TARGETS, Target, find, seeds};

const RUNS: u32 = 2_000;
/// Of a target where an input takes milliseconds, one in so many.
const SLOW: &[(&str, u32)] = &[("frame", 20)];
const SEED: u64 = 20_261_123;

fn try_one(target: &Target, input: &[u8]) {
    let outcome = catch_unwind(|| (target.run)(input));
    assert!(
        outcome.is_ok(),
        "{}: add this line to its seeds and mend it:\n{}",
        target.name,
        seeds::line(input)
    );
}

fn replay(name: &str) {
    let Some(target) = find(name) else { panic!("{name} is no target") };
    let seeds = seeds::parse(target.seeds);
    assert!(!seeds.is_empty(), "seeds/{name}.txt has a line");
    for seed in &seeds {
        assert!(seed.len() <= target.bytes_max, "{name}: a seed of {} bytes", seed.len());
        try_one(target, seed);
    }
    let runs = env::var("MPS_FUZZ_RUNS")
        .map_or(RUNS, |text| text.parse().unwrap_or_else(|_| panic!("MPS_FUZZ_RUNS is no number: {text}")));
    let one_in = SLOW.iter().find(|(slow, _)| *slow == name).map_or(1, |(_, one_in)| *one_in);
    let mut random = Rng::with_seed(SEED);
    for _ in 0..runs / one_in {
        try_one(target, &mutate(&seeds, target.bytes_max, &mut random));
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replays! {
    access_token alipay_answer alipay_notice amount arguments body client_address code_making device_key discount
    fingerprint frame handle headers idempotency_key ids key_header key_set levels names payment_code plain_price
    postgrest_error price qr query refund reply settings terminal_code token_claims wechat_answer wechat_contents
    wechat_notice wire
}
