//! The core and SQL give one answer, for thousands of seeded random cases a rule.

use anyhow::{Context, Result, ensure};
use mps_core::card::{CardTypeRules, DiscountRule};
use mps_core::payment_code::{
    CodeKind, DeviceKey, Handle, MasterKey, RANDOM_BYTES_ENOUGH, Step, TerminalCode, offline_code,
    online_code,
};
use mps_core::refund::clawback_total;
use mps_core::{
    CardType, CodeParts, Discount, ErrorCode, Fingerprint, IdempotencyKey, Levels, Money, PaymentCode,
    PriceRequest, quote,
};
use mps_db_tests::differential::{Column, assert_agreed, cases, column};
use mps_db_tests::on_a_fresh_database;
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Amounts as shops have them, the smallest ones, and all that fit.
fn hundredths() -> impl Strategy<Value = i64> {
    prop_oneof![1..=200_i64, 1..=5_000_000_i64, 1..=99_999_999_999_999_i64]
}

fn money(hundredths: i64) -> Result<Money, ErrorCode> {
    Money::try_from_decimal(Decimal::new(hundredths, 2))
}

fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

#[test]
fn on_the_final_price_and_its_points() -> Result<()> {
    on_a_fresh_database(async |db| {
        let cases = cases(&(hundredths(), 0..=1000_u32, any::<bool>()))?;
        let levels = Levels::house();
        let mut core = Column::new();
        for (raw, thousandths, earns_points) in &cases {
            let priced = quote(&PriceRequest {
                rules: CardTypeRules {
                    earns_points: *earns_points,
                    discount: DiscountRule::FixedOrLevel,
                    ..CardType::Standard.default_rules()
                },
                raw_amount: money(*raw)?,
                points: 0,
                fixed_discount: Discount::from_thousandths(*thousandths),
                corporate_discounts: &[],
                levels: &levels,
            })?;
            core.push(Some(format!("{} {}", priced.final_amount, priced.points_earned)));
        }
        let columns = [
            column(&cases, |case| Decimal::new(case.0, 2).to_string()),
            column(&cases, |case| Decimal::new(case.1.into(), 3).to_string()),
            column(&cases, |case| case.2.to_string()),
        ];
        let price = "rules.final_price(a::numeric, b::numeric)";
        let points = format!("rules.points_for(a::numeric, {price}, c::boolean)");
        let sql = db.batch(&format!("concat_ws(' ', {price}, {points})"), &columns).await?;
        assert_agreed(&cases, &core, &sql)
    })
}

#[test]
fn on_what_is_a_payable_amount() -> Result<()> {
    on_a_fresh_database(async |db| {
        let near_a_bound = prop_oneof![
            Just(0_i64),
            -10..=10_i64,
            any::<i32>().prop_map(i64::from),
            99_999_999_999_990_i64..=100_000_000_000_010,
            any::<i64>(),
        ];
        let cases = cases(&(near_a_bound, 0..=4_u32))?;
        let core = column(&cases, |(digits, scale)| {
            let amount = Money::try_from_decimal(Decimal::new(*digits, *scale));
            amount.is_ok_and(|amount| !amount.is_zero()).to_string()
        });
        let texts = column(&cases, |(digits, scale)| Decimal::new(*digits, *scale).to_string());
        let sql = db.batch("rules.is_amount(a::numeric)", &[texts]).await?;
        assert_agreed(&cases, &core, &sql)
    })
}

#[test]
fn on_the_points_a_refund_takes_back() -> Result<()> {
    on_a_fresh_database(async |db| {
        let cases = cases(&(0..=50_000_u64, 1..=5_000_000_i64, 0.0..=1.0_f64, any::<bool>()).prop_map(
            |(points, paid, share, whole)| {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_precision_loss,
                    reason = "any share will do"
                )]
                let part = (paid as f64 * share) as i64;
                (points, paid, if whole { paid } else { part.min(paid) })
            },
        ))?;
        let mut core = Column::new();
        for (points, paid, refunded) in &cases {
            core.push(Some(clawback_total(*points, money(*refunded)?, money(*paid)?).to_string()));
        }
        let columns = [
            column(&cases, |case| case.0.to_string()),
            column(&cases, |case| Decimal::new(case.2, 2).to_string()),
            column(&cases, |case| Decimal::new(case.1, 2).to_string()),
        ];
        let sql = db.batch("rules.points_taken_back(a::bigint, b::numeric, c::numeric)", &columns).await?;
        assert_agreed(&cases, &core, &sql)
    })
}

#[test]
fn on_the_level_of_points() -> Result<()> {
    on_a_fresh_database(async |db| {
        // Steps between levels, and points on, just below and far from where one begins.
        let steps = prop::collection::vec(1..=5000_u64, 0..6);
        let cases = cases(&(steps, 0..6_usize, -2..=2_i64, 0..=40_000_u64, any::<bool>()))?;
        let mut inputs = Vec::new();
        let mut core = Column::new();
        for (steps, at, off, anywhere, is_near) in &cases {
            let mut begins = vec![0];
            for step in steps {
                begins.push(begins.last().unwrap_or(&0) + step);
            }
            let near = begins[at % begins.len()].saturating_add_signed(*off);
            let points = if *is_near { near } else { *anywhere };
            core.push(Some(levels(&begins)?.level_for(points).level.to_string()));
            inputs.push((points, begins));
        }
        let columns = [
            column(&inputs, |(points, _)| points.to_string()),
            column(&inputs, |(_, begins)| {
                format!("{{{}}}", begins.iter().map(u64::to_string).collect::<Vec<_>>().join(","))
            }),
        ];
        let sql = db.batch("rules.level_for(a::bigint, b::bigint[])", &columns).await?;
        assert_agreed(&inputs, &core, &sql)
    })
}

fn levels(begins: &[u64]) -> Result<Levels> {
    let mut levels = Vec::new();
    for (number, begin) in begins.iter().enumerate() {
        levels.push(mps_core::level::Level {
            level: number.try_into()?,
            name: "level".into(),
            points_min: *begin,
            points_max: begins.get(number + 1).map(|next| next - 1),
            discount: Discount::FULL_PRICE,
        });
    }
    Ok(Levels::try_new(levels)?)
}

/// The one digit with which the core takes these 23 for a code.
fn check_digit(payload: &str) -> Result<char> {
    let mut fitting = ('0'..='9').filter(|digit| PaymentCode::parse(&format!("{payload}{digit}")).is_ok());
    let digit = fitting.next().context("no digit fits")?;
    ensure!(fitting.next().is_none(), "two digits fit {payload}");
    Ok(digit)
}

#[test]
fn on_the_check_digit() -> Result<()> {
    on_a_fresh_database(async |db| {
        let payloads = cases(&"7[012][0-9]{21}")?;
        let core: Column = payloads
            .iter()
            .map(|payload| check_digit(payload).map(|digit| Some(digit.into())))
            .collect::<Result<_>>()?;
        let sql = db.batch("rules.luhn_digit(a)", &[column(&payloads, Clone::clone)]).await?;
        assert_agreed(&payloads, &core, &sql)
    })
}

#[test]
fn on_what_is_a_code_and_of_which_kind() -> Result<()> {
    on_a_fresh_database(async |db| {
        // A code, then what happens to it: nothing, another character, one more, one less, two swapped.
        let other = "[0-9a7７٣⁷ \n+-]";
        let cases = cases(&(
            prop_oneof![4 => "7[012][0-9]{21}", 1 => "(73|69|07)[0-9]{21}"],
            0..=6_u8,
            0..24_usize,
            other,
        ))?;
        let texts: Vec<String> = cases
            .iter()
            .map(|(payload, damage, at, other)| {
                let digit = check_digit(payload).unwrap_or('0');
                damaged(format!("{payload}{digit}"), *damage, *at, other)
            })
            .collect();
        let core: Column = texts.iter().map(|text| kind(text)).collect();
        assert!(core.iter().flatten().count() > texts.len() / 5, "too few of the cases are codes");
        let sql = db.batch("rules.code_kind(a)", &[column(&texts, Clone::clone)]).await?;
        assert_agreed(&texts, &core, &sql)
    })
}

fn damaged(code: String, damage: u8, at: usize, other: &str) -> String {
    let mut text = code.clone();
    match damage {
        0 => text.replace_range(at..=at, other),
        1 => text.insert_str(at, other),
        2 => drop(text.remove(at)),
        3 => {
            let swapped = text.remove(at);
            text.insert((at + 1).min(23), swapped);
        }
        _ => return code,
    }
    text
}

fn kind(text: &str) -> Option<String> {
    let kind = match PaymentCode::parse(text).ok()?.kind() {
        CodeKind::Online => "online",
        CodeKind::Offline => "offline",
        CodeKind::OfflineTerminal => "offline_terminal",
    };
    Some(kind.to_owned())
}

#[test]
fn on_the_hash_of_a_code() -> Result<()> {
    on_a_fresh_database(async |db| {
        let cases = cases(&(any::<[u8; 32]>(), prop::collection::vec(0..250_u8, RANDOM_BYTES_ENOUGH)))?;
        let mut inputs = Vec::new();
        let mut core = Column::new();
        for (key, random) in &cases {
            let drawn = online_code(random)?;
            core.push(Some(hex(&MasterKey::new(*key).code_hash(&drawn))));
            inputs.push((hex(key), drawn.reveal().to_owned()));
        }
        let columns = [column(&inputs, |case| case.0.clone()), column(&inputs, |case| case.1.clone())];
        let sql = db.batch("encode(rules.code_hash(decode(a, 'hex'), b), 'hex')", &columns).await?;
        assert_agreed(&inputs, &core, &sql)
    })
}

#[test]
fn on_device_keys_and_one_time_passwords() -> Result<()> {
    on_a_fresh_database(async |db| {
        let seconds = prop_oneof![0..=300_u64, 1_700_000_000..=2_200_000_000_u64, any::<u64>()];
        let terminal = prop::option::of("[0-9A-Z]{6}");
        let cases = cases(&(any::<[u8; 32]>(), "[0-9]{10}", seconds, terminal))?;
        let mut core = Column::new();
        for (master_key, handle, seconds, terminal) in &cases {
            let handle = Handle::parse(handle)?;
            let key: DeviceKey = MasterKey::new(*master_key).device_key(&handle);
            let terminal = terminal.as_deref().map(TerminalCode::parse).transpose()?;
            let shown = offline_code(&handle, &key, Step::at(*seconds), terminal.as_ref());
            let otp = match shown.parts() {
                CodeParts::Offline { otp, .. } | CodeParts::OfflineTerminal { otp, .. } => otp,
                CodeParts::Online => anyhow::bail!("an offline code is online"),
            };
            core.push(Some(format!("{} {}", hex(key.reveal()), otp.reveal())));
        }
        let columns = [
            column(&cases, |case| hex(&case.0)),
            column(&cases, |case| case.1.clone()),
            column(&cases, |case| Step::at(case.2).number().to_string()),
            cases.iter().map(|case| case.3.clone()).collect(),
        ];
        let key = "rules.device_key(decode(a, 'hex'), b)";
        let otp = format!("rules.offline_password({key}, c::bigint, d)");
        let sql = db.batch(&format!("concat_ws(' ', encode({key}, 'hex'), {otp})"), &columns).await?;
        assert_agreed(&cases, &core, &sql)
    })
}

#[test]
fn on_the_fingerprint_of_a_request() -> Result<()> {
    on_a_fresh_database(async |db| {
        // No U+0000: PostgreSQL's text cannot hold it, and the core refuses it.
        let field = prop::option::of("[^\u{0}]{0,12}");
        let cases = cases(&("[a-z_]{1,20}", prop::collection::vec(field, 0..7)))?;
        let mut core = Column::new();
        for (rpc, fields) in &cases {
            let fields: Vec<Option<&str>> = fields.iter().map(Option::as_deref).collect();
            core.push(Some(hex(Fingerprint::of(rpc, &fields)?.as_bytes())));
        }
        let columns = [
            column(&cases, |case| case.0.clone()),
            column(&cases, |case| serde_json::Value::from(case.1.clone()).to_string()),
        ];
        let sql = db.batch(
            "encode(rules.request_fingerprint(a, variadic array(select f.field
             from jsonb_array_elements_text(b::jsonb) with ordinality f (field, place) order by f.place)), 'hex')",
            &columns,
        );
        assert_agreed(&cases, &core, &sql.await?)
    })
}

/// The core also reads the header's quoted form; SQL is given what the quotes hold.
#[test]
fn on_what_is_an_idempotency_key() -> Result<()> {
    on_a_fresh_database(async |db| {
        let quoted = prop_oneof!["\"[ -~]{0,20}\"", "\"[ -~]{0,20}"];
        let near_the_bound = prop_oneof!["[ -~]{253,257}", "[ -~]{0,2}"];
        let with_others = "[ -~]{0,8}[\t\n\u{7f}é鍵\u{a0}ÿ]?[ -~]{0,8}";
        let texts = cases(&prop_oneof![quoted, near_the_bound, with_others, "[!#-~][ -~]{0,60}"])?;
        let core: Column = texts
            .iter()
            .map(|text| IdempotencyKey::parse(text).ok().map(|key| format!("true {}", key.as_str())))
            .collect();
        let unquoted = column(&texts, |text| match IdempotencyKey::parse(text) {
            Ok(key) => key.as_str().to_owned(),
            // No string of RFC 9651, so no key of the header; what SQL would say to its characters does not matter.
            Err(_) if text.starts_with('"') => String::new(),
            Err(_) => text.clone(),
        });
        assert!(core.iter().flatten().count() > core.len() / 5, "too few of the cases are keys");
        assert!(core.iter().filter(|key| key.is_none()).count() > 200, "too many of the cases are keys");
        let sql =
            db.batch("case when rules.is_idempotency_key(a) then 'true ' || a end", &[unquoted]).await?;
        assert_agreed(&texts, &core, &sql)
    })
}
