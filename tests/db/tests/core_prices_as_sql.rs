//! The whole price of a card: type, points, fixed multiplier and the payer's corporate cards, in the core and in SQL.

use anyhow::{Context, Result};
use mps_core::price::{CorporateDiscount, DiscountSource};
use mps_core::{CardType, Discount, Levels, Money, PriceRequest, quote};
use mps_db_tests::differential::{Column, assert_agreed, cases, column};
use mps_db_tests::{TestDatabase, on_a_fresh_database};
use proptest::prelude::*;
use rust_decimal::Decimal;

const PAYERS: usize = 60;

/// A corporate card of one payer.
#[derive(Clone, Debug)]
struct Corporate {
    thousandths: Option<u32>,
    role: &'static str,
    status: &'static str,
    expires: &'static str,
}

impl Corporate {
    /// Whether the written rule lets it count: active, unexpired, with a multiplier, and the payer more than a viewer.
    fn counts(&self) -> Option<Discount> {
        let counts = self.role != "viewer" && self.status == "active" && self.expires != "past";
        self.thousandths.filter(|_| counts).and_then(Discount::from_thousandths)
    }
}

fn corporate() -> impl Strategy<Value = Corporate> {
    // Few multipliers, so that ties with each other and with a level (950, 900, 850) come up.
    let thousandths = prop_oneof![
        1 => Just(None),
        10 => prop::sample::select(vec![1000, 950, 900, 850]).prop_map(Some),
        1 => (0..=1000_u32).prop_map(Some)
    ];
    let role = prop::sample::select(vec!["owner", "admin", "member", "member", "viewer"]);
    let status =
        prop_oneof![8 => Just("active"), 1 => Just("frozen"), 1 => Just("lost"), 1 => Just("expired")];
    let expires = prop_oneof![4 => Just("never"), 2 => Just("future"), 1 => Just("past")];
    (thousandths, role, status, expires).prop_map(|(thousandths, role, status, expires)| Corporate {
        thousandths,
        role,
        status,
        expires,
    })
}

/// A case: whose card, of which type, with how many points and which multiplier, and what it pays for.
type Case = (usize, CardType, u64, Option<u32>, i64);

fn case() -> impl Strategy<Value = Case> {
    let points = prop_oneof![
        prop::sample::select(vec![0, 999, 1000, 4999, 5000, 9999, 10_000]),
        0..=12_000_u64,
        any::<u32>().prop_map(u64::from)
    ];
    let fixed = prop::option::of(0..=1000_u32);
    (0..PAYERS, prop::sample::select(CardType::ALL.to_vec()), points, fixed, 1..=6_000_000_i64)
}

/// Makes a payer's cards; their numbers in the order of `cards`.
async fn issue(db: &TestDatabase, user: &str, cards: &[Corporate]) -> Result<Vec<String>> {
    let mut numbers = Vec::new();
    for card in cards {
        let discount = card.thousandths.map(|thousandths| Decimal::new(thousandths.into(), 3).to_string());
        let make = "with made as (
              insert into app.cards (card_no, card_type, fixed_discount, status, expires_at)
              values (app.next_card_no('corporate'), 'corporate', nullif($1, '')::numeric, $2,
                case $3 when 'past' then now() - interval '1 day' when 'future' then now() + interval '1 day' end)
              returning id, card_no),
            bound as (
              insert into app.card_bindings (card_id, member_id, role)
              select made.id, fx.member_id($4::text::uuid), $5 from made)
            select card_no from made";
        let discount = discount.unwrap_or_default();
        numbers.push(db.text(make, &[&discount, card.status, card.expires, user, card.role]).await?);
    }
    Ok(numbers)
}

struct Payer {
    user: String,
    corporate: Vec<(String, Discount)>,
}

async fn payers(db: &TestDatabase) -> Result<Vec<Payer>> {
    let wallets = cases(&prop::collection::vec(corporate(), 0..10))?;
    let mut payers = Vec::new();
    for (number, wallet) in wallets.iter().take(PAYERS).enumerate() {
        let user = db.member(&format!("payer{number}"), "0").await?.user;
        let numbers = issue(db, &user, wallet).await?;
        let counting = numbers.into_iter().zip(wallet);
        let corporate = counting.filter_map(|(number, card)| Some((number, card.counts()?))).collect();
        payers.push(Payer { user, corporate });
    }
    Ok(payers)
}

fn core_price((payer, card_type, points, fixed, raw): &Case, payers: &[Payer]) -> Result<String> {
    let wallet = &payers.get(*payer).context("no payer")?.corporate;
    let corporate_discounts: Vec<CorporateDiscount<'_>> =
        wallet.iter().map(|(card_no, discount)| CorporateDiscount { card_no, discount: *discount }).collect();
    let levels = Levels::house();
    let priced = quote(&PriceRequest {
        rules: card_type.default_rules(),
        raw_amount: Money::try_from_decimal(Decimal::new(*raw, 2))?,
        points: *points,
        fixed_discount: fixed.and_then(Discount::from_thousandths),
        corporate_discounts: &corporate_discounts,
        levels: &levels,
    })?;
    let source = match priced.discount_source {
        DiscountSource::Corporate { card_no } => card_no,
        other => other.as_str(),
    };
    Ok(format!("{} {source} {} {}", priced.discount, priced.final_amount, priced.points_earned))
}

const SQL_PRICE: &str = "
    select concat_ws(' ', t.discount,
      case t.discount_source when 'corporate' then (select k.card_no from app.cards k where k.id = t.discount_card_id)
        else t.discount_source end, t.final_amount, t.points_earned)
    from app.payment_terms_for(
      jsonb_populate_record(null::app.cards, jsonb_build_object(
        'id', gen_random_uuid(), 'card_type', b, 'points', c, 'fixed_discount', d)),
      fx.member_id(a::uuid), e::numeric, now()) t";

/// Whether two corporate cards of one payer share the lowest multiplier, so that their numbers decide.
fn is_tied(payer: &Payer) -> bool {
    let lowest = payer.corporate.iter().map(|(_, discount)| *discount).min();
    payer.corporate.iter().filter(|(_, discount)| Some(*discount) == lowest).count() > 1
}

#[test]
fn a_card_pays_the_same_price_in_the_core_and_in_sql() -> Result<()> {
    on_a_fresh_database(async |db| {
        let payers = payers(db).await?;
        let tied = payers.iter().filter(|payer| is_tied(payer)).count();
        assert!(tied > 0, "no payer has a tie");
        let cases = cases(&case())?;
        let core: Column =
            cases.iter().map(|case| core_price(case, &payers).map(Some)).collect::<Result<_>>()?;
        for source in [" level ", " card ", " none ", " COR"] {
            let times = core.iter().flatten().filter(|price| price.contains(source)).count();
            assert!(times > core.len() / 40, "only {times} prices are from{source}");
        }
        let columns = [
            column(&cases, |case| payers[case.0].user.clone()),
            column(&cases, |case| case.1.to_string()),
            column(&cases, |case| case.2.to_string()),
            cases
                .iter()
                .map(|case| case.3.map(|thousandths| Decimal::new(thousandths.into(), 3).to_string()))
                .collect(),
            column(&cases, |case| Decimal::new(case.4, 2).to_string()),
        ];
        assert_agreed(&cases, &core, &db.batch(SQL_PRICE, &columns).await?)
    })
}
