//! The rules in SQL against spec/vectors. What a vector says that cannot apply in SQL is listed here, case by case.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use mps_core::{Discount, Money};
use mps_db_tests::call::label;
use mps_db_tests::vectors::{cases, files, groups, text};
use mps_db_tests::{Call, Caller, TestDatabase, on_a_fresh_database};
use serde_json::Value;

/// How SQL takes the text of an amount that the vectors refuse.
///
/// Money arguments are numeric, so PostgREST has cast them before our functions run. What is no number to PostgreSQL
/// fails in that cast; what is one, but no plain decimal, is a number like any other in SQL: only where we read text
/// ourselves (core, edge, package) is it refused.
enum InSql {
    /// The cast refuses it with a class 22 state, before any rule.
    NoNumber,
    /// A number that `rules.is_amount` refuses.
    NoAmount,
    /// The number that PostgreSQL reads, a payable amount: `1e3` is 1000.
    Number(&'static str),
    /// No number to PostgreSQL 15, this one since 16.
    NumberSince16(&'static str),
}
use InSql::{NoAmount, NoNumber, Number, NumberSince16};

const REFUSED_PRICES: &[(&str, InSql)] = &[
    ("raw_1.005", NoAmount),
    ("bad_0", NoAmount),
    ("bad_0.00", NoAmount),
    ("bad_-1", NoAmount),
    ("bad_-0.01", NoAmount),
    ("bad_NaN", NoAmount),
    ("bad_Infinity", NoAmount),
    ("bad_-Infinity", NoAmount),
    ("bad_1e3", Number("1000.00")),
    ("bad_1,000", NoNumber),
    ("bad_empty", NoNumber),
    ("bad_abc", NoNumber),
    ("bad_0x10", NumberSince16("16.00")),
    ("bad_٣", NoNumber),
];

const REFUSED_TEXTS: &[(&str, InSql)] = &[
    ("no_digits_before_the_point", Number("0.50")),
    ("no_digits_after_the_point", Number("5.00")),
    ("only_a_point", NoNumber),
    ("two_points", NoNumber),
    ("three_decimals_of_zero", Number("1.00")),
    ("plus", Number("1.00")),
    ("minus_zero", NoAmount),
    ("space_before", Number("1.00")),
    ("space_after", Number("1.00")),
    ("newline_after", Number("1.00")),
    ("underscore", NumberSince16("1000.00")),
    ("apostrophe", NoNumber),
    ("decimal_comma", NoNumber),
    ("currency", NoNumber),
    ("percent", NoNumber),
    ("fullwidth", NoNumber),
    ("arabic_fraction", NoNumber),
    ("superscript", NoNumber),
    ("thirteen_digits", NoAmount),
    ("thirteen_digits_with_zeros", Number("1.00")),
    ("fourteen_digits", NoAmount),
    ("zero_with_decimals", NoAmount),
    ("exponent_capital", Number("1000.00")),
    ("exponent_negative", Number("0.01")),
    ("infinity_short", NoAmount),
    ("nan_signalling", NoNumber),
    ("null_word", NoNumber),
];

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_file_and_group_of_vectors_is_known_here() -> Result<()> {
    let known: &[(&str, &[&str])] = &[
        ("amount-text.json", &["cases"]),
        ("fingerprint.json", &["cases"]),
        ("level.json", &["levels", "cases", "clawback"]),
        ("payment-code.json", &["online", "offline", "invalid"]),
        ("price.json", &["cases"]),
        ("terminal-code.json", &["valid", "invalid"]),
    ];
    assert_eq!(files()?, set(known.iter().map(|(file, _)| *file)));
    for (file, known) in known {
        assert_eq!(groups(file)?, set(known.iter().copied()), "{file}");
    }
    Ok(())
}

/// Holds the refused cases of a file against the list of what each one is in SQL.
async fn check_refused(db: &TestDatabase, refused: &[(&str, &str)], known: &[(&str, InSql)]) -> Result<()> {
    assert_eq!(set(refused.iter().map(|(id, _)| *id)), set(known.iter().map(|(id, _)| *id)));
    let version: u32 = db.text("show server_version_num", &[]).await?.parse()?;
    for (id, in_sql) in known {
        let (_, amount) = refused.iter().find(|(refused, _)| refused == id).context("listed above")?;
        let read = db.read_amount(amount).await?;
        let expected = match in_sql {
            NoNumber => None,
            NumberSince16(_) if version < 160_000 => None,
            NoAmount => Some("no amount"),
            Number(number) | NumberSince16(number) => Some(*number),
        };
        assert_eq!(read.as_deref(), expected, "{id}: {amount:?}");
    }
    Ok(())
}

trait ReadAmount {
    /// What a numeric parameter makes of this text: the amount, `no amount`, or `None` when the cast refuses it.
    async fn read_amount(&self, text: &str) -> Result<Option<String>>;
}

impl ReadAmount for TestDatabase {
    async fn read_amount(&self, text: &str) -> Result<Option<String>> {
        let statement = "select jsonb_build_object('read', case when rules.is_amount($1::text::numeric)
            then ($1::text::numeric(14, 2))::text else 'no amount' end)::text";
        match self.call(Call::new(Caller::Owner, statement, &[Some(text)])).await? {
            Ok(row) => Ok(Some(row.text("read").to_owned())),
            Err(refusal) => {
                assert!(refusal.state.starts_with("22"), "{text:?}: {refusal:?}");
                Ok(None)
            }
        }
    }
}

#[test]
fn a_price_is_rounded_away_from_zero_and_earns_its_whole_units() -> Result<()> {
    on_a_fresh_database(async |db| {
        let cases = cases("price.json", "cases")?;
        let statement = "select concat_ws(' ', rules.is_amount(raw), rules.final_price(raw, discount),
            rules.points_for(raw, rules.final_price(raw, discount), true),
            rules.points_for(raw, rules.final_price(raw, discount), false))
            from (select $1::text::numeric, $2::text::numeric(4, 3)) as vector (raw, discount)";
        let mut refused = Vec::new();
        for case in &cases {
            let (raw, discount) = (text(case, "raw_amount")?, text(case, "discount")?);
            if case.get("err").is_some() {
                assert_eq!(text(case, "err")?, "INVALID_PRICE");
                refused.push((text(case, "id")?, raw));
                continue;
            }
            let expected = format!("t {} {} 0", text(case, "final_amount")?, text(case, "points")?);
            assert_eq!(db.text(statement, &[raw, discount]).await?, expected, "{case}");
        }
        check_refused(db, &refused, REFUSED_PRICES).await
    })
}

#[test]
fn the_text_of_an_amount_is_postgresqls_number() -> Result<()> {
    on_a_fresh_database(async |db| {
        let cases = cases("amount-text.json", "cases")?;
        let mut refused = Vec::new();
        for case in &cases {
            let amount = text(case, "text")?;
            if case.get("err").is_some() {
                refused.push((text(case, "id")?, amount));
                continue;
            }
            assert_eq!(db.read_amount(amount).await?.as_deref(), Some(text(case, "shown")?), "{case}");
        }
        check_refused(db, &refused, REFUSED_TEXTS).await
    })
}

#[test]
fn the_levels_of_the_house_are_those_of_the_vectors() -> Result<()> {
    on_a_fresh_database(async |db| {
        let statement = "select concat_ws(' ', level, name, points_min,
            lead(points_min) over (order by points_min) - 1, discount) from app.membership_levels order by level";
        let rows: Vec<String> = db.texts(statement, &[]).await?.into_iter().flatten().collect();
        let mut expected = Vec::new();
        for level in cases("level.json", "levels")? {
            let columns = ["level", "name", "points_min", "points_max", "discount"];
            let texts: Vec<&str> = columns.iter().filter_map(|column| level[column].as_str()).collect();
            expected.push(texts.join(" "));
        }
        assert_eq!(rows, expected);
        Ok(())
    })
}

/// `points_to_next` is the difference that a screen takes; SQL answers where the next level begins.
#[test]
fn points_give_a_level_a_multiplier_and_the_next_levels_begin() -> Result<()> {
    on_a_fresh_database(async |db| {
        let pure = "select rules.level_for($1::text::bigint,
            (select array_agg(points_min order by points_min) from app.membership_levels))::text";
        let cards = "select to_jsonb(c)::text from public.get_member_cards() c";
        for case in cases("level.json", "cases")? {
            let points = text(&case, "points")?;
            assert_eq!(db.text(pure, &[points]).await?, text(&case, "level")?, "{case}");
            let make = "select fx.make_member($1, 0, $2::text::bigint)::text";
            let user = db.text(make, &[&format!("points{points}@fixture.example"), points]).await?;
            let row = db.call(Call::new(Caller::User(user), cards, &[])).await?;
            let row = row.ok().context("no card")?;
            assert_eq!(row.text("level"), text(&case, "level")?, "{case}");
            assert_eq!(row.text("discount"), text(&case, "discount")?, "{case}");
            let next = case["next_level_points"].as_str().unwrap_or("null");
            assert_eq!(row.text("next_level_points"), next, "{case}");
        }
        db.check_ledger().await
    })
}

/// A payment that earned so many points and cost so much: card type, multiplier and raw amount.
fn payment_of(points: &str, final_amount: &str) -> Result<(&'static str, String, String)> {
    let paid = Money::parse(final_amount)?;
    if points == "0" {
        // A corporate card earns nothing.
        return Ok(("corporate", "1.000".to_owned(), final_amount.to_owned()));
    }
    for cents in 0..100 {
        let raw = Money::parse(&format!("{points}.{cents:02}"))?;
        let fitting =
            (0..=1000).rev().filter_map(Discount::from_thousandths).find(|rate| rate.of(raw) == paid);
        if let Some(discount) = fitting {
            return Ok(("prepaid", discount.to_string(), raw.to_string()));
        }
    }
    bail!("no price gives {points} points and {final_amount}")
}

#[test]
fn refunds_take_points_back_in_proportion() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let manager = db.text("select fx.make_merchant_user('SHOP1', 'manager')::text", &[]).await?;
        let payer = db.member("payer", "0").await?;
        let refund =
            "select to_jsonb(r)::text from public.merchant_refund_tx('SHOP1', $1, $2::text::numeric) r";
        for case in cases("level.json", "clawback")? {
            let earned = text(&case, "points_earned")?;
            let (card_type, discount, raw) = payment_of(earned, text(&case, "final_amount")?)?;
            let make = "select fx.make_card($1, 50000, $2::text::numeric)::text";
            let card = db.text(make, &[card_type, &discount]).await?;
            let bind = "select fx.bind($1::text::uuid, $2::text::uuid, 'owner')::text";
            db.texts(bind, &[&card, &payer.user]).await?;
            let code = db.code(&payer.user, &card).await?;
            let payment = db.call(shop.charge(&code, &raw)).await?.ok().context("no payment")?;
            assert_eq!(payment.text("points_earned"), earned, "{case}");
            assert_eq!(payment.text("final_amount"), text(&case, "final_amount")?, "{case}");
            for step in case["steps"].as_array().context("no steps")? {
                let arguments = [Some(payment.text("tx_no")), Some(text(step, "refund")?)];
                let answer = db.call(Call::new(Caller::User(manager.clone()), refund, &arguments)).await?;
                let taken = answer.map(|row| row.text("points_taken").to_owned());
                assert_eq!(taken.as_deref(), Ok(text(step, "points_taken")?), "{case}: {step}");
            }
        }
        db.check_ledger().await
    })
}

#[test]
fn a_request_has_the_fingerprint_of_its_fields() -> Result<()> {
    on_a_fresh_database(async |db| {
        let statement = "select encode(rules.request_fingerprint($1, variadic array(
            select f.field from jsonb_array_elements_text($2::text::jsonb) with ordinality f (field, place)
            order by f.place)), 'hex')";
        for case in cases("fingerprint.json", "cases")? {
            let fields = case["fields"].to_string();
            let fingerprint = db.text(statement, &[text(&case, "rpc")?, &fields]).await?;
            assert_eq!(fingerprint, text(&case, "sha256")?, "{case}");
        }
        Ok(())
    })
}

#[test]
fn an_online_code_has_its_check_digit_and_its_hash() -> Result<()> {
    on_a_fresh_database(async |db| {
        let statement = "select concat_ws(' ', v.code, rules.code_kind(v.code),
            encode(rules.code_hash(decode($2, 'hex'), v.code), 'hex'))
            from (select '70' || $1 || rules.luhn_digit('70' || $1)) as v (code)";
        for case in cases("payment-code.json", "online")? {
            let made = db.text(statement, &[text(&case, "body")?, text(&case, "master_key")?]).await?;
            let expected = format!("{} online {}", text(&case, "code")?, text(&case, "code_hash")?);
            assert_eq!(made, expected, "{case}");
        }
        Ok(())
    })
}

#[test]
fn an_offline_code_is_made_of_handle_step_and_terminal() -> Result<()> {
    on_a_fresh_database(async |db| {
        // An unbound code names no terminal: in SQL that is NULL, and empty text is the same.
        let statement = "select concat_ws(' ', s.step, encode(k.device_key, 'hex'), p.otp, c.payload ||
              rules.luhn_digit(c.payload), rules.code_kind(c.payload || rules.luhn_digit(c.payload)),
              rules.offline_password(k.device_key, s.step, $4) = p.otp)
            from (select $3::text::bigint / rules.limit_int('code.otp_step_seconds')) as s (step),
              lateral (select rules.device_key(decode($1, 'hex'), $2)) as k (device_key),
              lateral (select rules.offline_password(k.device_key, s.step, nullif($4, ''))) as p (otp),
              lateral (select case when $4 = '' then '71' else '72' end || $2 || p.otp) as c (payload)";
        for case in cases("payment-code.json", "offline")? {
            let [key, handle, seconds, terminal] =
                ["master_key", "handle", "unix_seconds", "terminal"].map(|member| text(&case, member));
            let made = db.text(statement, &[key?, handle?, seconds?, terminal?]).await?;
            let [step, device_key, otp, code] =
                ["step", "device_key", "otp", "code"].map(|member| text(&case, member));
            let kind = if text(&case, "terminal")?.is_empty() { "offline" } else { "offline_terminal" };
            assert_eq!(made, format!("{} {} {} {} {kind} t", step?, device_key?, otp?, code?), "{case}");
        }
        Ok(())
    })
}

#[test]
fn text_that_is_no_code_is_refused_as_such() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        for case in cases("payment-code.json", "invalid")? {
            let code = text(&case, "text")?;
            let kind = db.texts("select rules.code_kind($1)", &[code]).await?;
            assert_eq!(kind, [None], "{case}");
            let outcome = db.call(shop.charge(code, "1.00")).await?;
            assert_eq!(label(&outcome), format!("PT400 {}", text(&case, "err")?), "{case}");
        }
        Ok(())
    })
}

#[test]
fn a_terminals_code_is_six_of_digits_and_capitals() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let validate = |terminal: &str| {
            let statement = "select jsonb_build_object('card', public.validate_qr_plain($1, $2))::text";
            Call::new(Caller::User(shop.cashier.clone()), statement, &[Some(&code), Some(terminal)])
        };
        let register = "select fx.refusal(format('select fx.make_terminal(%L, %L)', 'SHOP1', $1::text))";
        for valid in cases("terminal-code.json", "valid")? {
            let terminal = valid.as_str().context("no text")?;
            assert_eq!(db.text(register, &[terminal]).await?, "no refusal", "{terminal}");
            assert_eq!(label(&db.call(validate(terminal)).await?), "ok", "{terminal}");
        }
        for case in cases("terminal-code.json", "invalid")? {
            let terminal = text(&case, "text")?;
            let refusal = db.text(register, &[terminal]).await?;
            assert!(refusal.contains("terminals_code_well_formed"), "{case}: {refusal}");
            let outcome = db.call(validate(terminal)).await?;
            assert_eq!(label(&outcome), format!("PT404 {}", text(&case, "err")?), "{case}");
        }
        Ok(())
    })
}

/// The vectors refuse before any database is asked; the RPC refuses the same numbers itself.
#[test]
fn a_charge_refuses_what_is_no_amount() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payer = db.member("payer", "1000.00").await?;
        let code = db.code(&payer.user, &payer.card).await?;
        let no_amounts = REFUSED_PRICES.iter().filter(|(_, in_sql)| matches!(in_sql, NoAmount));
        let cases: Vec<Value> = cases("price.json", "cases")?;
        for (id, _) in no_amounts {
            let case = cases.iter().find(|case| case["id"] == *id).context("a listed case")?;
            let outcome = db.call(shop.charge(&code, text(case, "raw_amount")?)).await?;
            assert_eq!(label(&outcome), "PT422 INVALID_PRICE", "{case}");
        }
        assert_eq!(db.state_of_code(&code).await?, "open");
        assert_eq!(db.balance(&payer.card).await?, "1000.00");
        db.check_ledger().await
    })
}
