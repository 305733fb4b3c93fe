//! What a client of the storm does next: drawn from the seed alone.

use super::world::World;
use super::{Call, Caller};

/// One intent: a call with a key of its own.
pub(super) struct Intent {
    pub(super) name: &'static str,
    pub(super) key: String,
    pub(super) call: Call,
    /// The column of the answer that names what was made.
    pub(super) result: &'static str,
    /// The column of the answer that says how much moved; empty when none does.
    pub(super) amount: &'static str,
    pub(super) then: Then,
}

/// What comes first: a call without a key, whose answer the intent needs.
pub(super) enum Step {
    /// A fresh code, then a charge with it.
    Charge { rotate: Call, shop: usize, amount: String },
    /// A call with a key.
    Keyed(Intent),
    /// A call without one: it changes who may pay, or settles.
    Disturb(&'static str, Call),
}

/// What an answer makes possible later.
#[derive(Clone, Copy)]
pub(super) enum Then {
    Nothing,
    /// The payment can be refunded at this shop.
    Refund(usize),
    /// The provider reports that the order was paid.
    Pay,
}

fn amount(rng: &mut fastrand::Rng, most: u32) -> String {
    let hundredths = rng.u32(1..=most * 100);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The next step; `key` is fresh.
pub(super) fn next(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    match rng.u32(0..100) {
        0..50 => charge(world, rng),
        50..53 => offline_charge(world, rng, key),
        53..70 => refund(world, rng, key),
        70..74 => adjustment(world, rng, key),
        74..77 => voucher(world, rng, key),
        77..82 => cash(world, rng, key),
        82..86 => order(world, rng, key),
        86..92 => provider_notice(world, rng),
        92..97 => disturbance(world, rng),
        97..98 => settlement(world, rng),
        _ => payout(world, rng),
    }
}

fn charge(world: &World, rng: &mut fastrand::Rng) -> Step {
    let payer = &world.payers[rng.usize(..world.payers.len())];
    let shop = rng.usize(..world.shops.len());
    Step::Charge { rotate: Call::rotate(&payer.user, &payer.card), shop, amount: amount(rng, 300) }
}

/// The charge of a fresh code.
pub(super) fn charge_of(world: &World, shop: usize, code: &str, amount: &str, key: String) -> Intent {
    let at = &world.shops[shop];
    let call = crate::Charge::new(&at.manager, &at.code, code, amount).key(&key).into();
    Intent { name: "charge", key, call, result: "tx_id", amount: "final_amount", then: Then::Refund(shop) }
}

fn refund(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    let Some(paid) = world.any_paid(rng) else {
        return charge(world, rng);
    };
    let at = &world.shops[paid.shop];
    let statement = "select to_jsonb(r)::text from public.merchant_refund_tx(
        p_merchant_code => $1, p_original_tx_no => $2, p_refund_amount => $3::text::numeric, p_idempotency_key => $4) r";
    let amount = amount(rng, 150);
    let call = Call::new(
        Caller::User(at.manager.clone()),
        statement,
        &[Some(&at.code), Some(&paid.tx_no), Some(&amount), Some(&key)],
    );
    let (result, amount) = ("refund_tx_id", "refunded_amount");
    Step::Keyed(Intent { name: "refund", key, call, result, amount, then: Then::Nothing })
}

fn adjustment(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    let payer = &world.payers[rng.usize(..world.payers.len())];
    let sign = if rng.u8(0..4) == 0 { "-" } else { "" };
    let amount = format!("{sign}{}", amount(rng, 500));
    let statement = "select to_jsonb(r)::text from public.adjust_card_balance(
        p_card_id => $1::text::uuid, p_amount => $2::text::numeric, p_reason => 'storm', p_idempotency_key => $3) r";
    let call = Call::new(
        Caller::User(world.admin.clone()),
        statement,
        &[Some(&payer.card), Some(&amount), Some(&key)],
    );
    Step::Keyed(Intent { name: "adjustment", key, call, result: "tx_id", amount: "", then: Then::Nothing })
}

fn voucher(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    let owner = &world.voucher_owners[rng.usize(..world.voucher_owners.len())];
    let statement = "select to_jsonb(r)::text from public.create_voucher_card(
        p_owner_member_id => $1::text::uuid, p_initial_balance => $2::text::numeric, p_idempotency_key => $3) r";
    let amount = amount(rng, 100);
    let call =
        Call::new(Caller::User(world.admin.clone()), statement, &[Some(owner), Some(&amount), Some(&key)]);
    Step::Keyed(Intent { name: "voucher", key, call, result: "card_id", amount: "", then: Then::Nothing })
}

fn offline_charge(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    let phone = &world.phones[rng.usize(..world.phones.len())];
    let shop = rng.usize(..world.shops.len());
    let mut intent = charge_of(world, shop, &phone.code(), &amount(rng, 100), key);
    intent.name = "offline charge";
    Step::Keyed(intent)
}

fn cash(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    let payer = &world.payers[rng.usize(..world.payers.len())];
    let shop = &world.shops[rng.usize(..world.shops.len())];
    let statement = "select to_jsonb(r)::text from public.user_recharge_card(
        p_card_id => $1::text::uuid, p_amount => $2::text::numeric, p_idempotency_key => $3, p_merchant_code => $4) r";
    let amount = rng.u32(1..=500).to_string();
    let arguments = [Some(&*payer.card), Some(&*amount), Some(&*key), Some(&*shop.code)];
    let call = Call::new(Caller::User(shop.manager.clone()), statement, &arguments);
    Step::Keyed(Intent { name: "cash", key, call, result: "tx_id", amount: "amount", then: Then::Nothing })
}

fn order(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    let payer = &world.payers[rng.usize(..world.payers.len())];
    // An order's status moves on; the rest of its answer stays.
    let statement = "select (to_jsonb(r) - 'status')::text from public.create_recharge_order(
        p_card_id => $1::text::uuid, p_amount => $2::text::numeric, p_provider => 'wechat', p_idempotency_key => $3) r";
    let amount = rng.u32(1..=500).to_string();
    let arguments = [Some(&*payer.card), Some(&*amount), Some(&*key)];
    let call = Call::new(Caller::User(payer.user.clone()), statement, &arguments);
    Step::Keyed(Intent { name: "order", key, call, result: "order_no", amount: "", then: Then::Pay })
}

/// The provider says that an order was paid; it says so again and again.
fn provider_notice(world: &World, rng: &mut fastrand::Rng) -> Step {
    let Some(ordered) = world.any_ordered(rng) else {
        return charge(world, rng);
    };
    let statement = "select to_jsonb(r)::text from public.complete_recharge_order(
        p_order_no => $1, p_provider => 'wechat', p_provider_tx_id => $2, p_amount => $3::text::numeric,
        p_currency => 'CNY', p_paid_at => now()) r";
    let key = format!("wechat-{}", ordered.order_no);
    let call =
        Call::new(Caller::Service, statement, &[Some(&ordered.order_no), Some(&key), Some(&ordered.amount)]);
    Step::Keyed(Intent { name: "notice", key, call, result: "tx_no", amount: "amount", then: Then::Nothing })
}

fn settlement(world: &World, rng: &mut fastrand::Rng) -> Step {
    let shop = rng.usize(..world.shops.len());
    let (from, until) = world.next_period(shop);
    let statement = "select jsonb_build_object('settlement_id', public.generate_settlement(
        $1::text::uuid, 'realtime', to_timestamp($2::text::numeric), to_timestamp($3::text::numeric)))::text";
    let arguments = [Some(&*world.shops[shop].merchant), Some(&*from), Some(&*until)];
    Step::Disturb("settlement", Call::new(Caller::Service, statement, &arguments))
}

/// Moves a settlement on, which pays it in the end.
fn payout(world: &World, rng: &mut fastrand::Rng) -> Step {
    let Some(settlement) = world.any_settlement(rng) else {
        return charge(world, rng);
    };
    let status = if rng.bool() { "settled" } else { "paid" };
    let statement =
        "select jsonb_build_object('changed', public.update_settlement_status($1::text::uuid, $2))::text";
    Step::Disturb(
        status,
        Call::new(Caller::User(world.admin.clone()), statement, &[Some(&settlement), Some(status)]),
    )
}

/// Freezes a card, or thaws one; five thaws for each freeze, so that most can pay.
fn disturbance(world: &World, rng: &mut fastrand::Rng) -> Step {
    let payer = &world.payers[rng.usize(..world.payers.len())];
    let (name, rpc) =
        if rng.u8(0..6) == 0 { ("freeze", "freeze_card") } else { ("unfreeze", "unfreeze_card") };
    let statement = format!("select jsonb_build_object('ok', public.{rpc}($1::text::uuid))::text");
    Step::Disturb(name, Call::new(Caller::User(world.admin.clone()), statement, &[Some(&payer.card)]))
}
