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
    /// The shop that can refund it.
    pub(super) refundable_at: Option<usize>,
}

/// What comes first: a call without a key, whose answer the intent needs.
pub(super) enum Step {
    /// A fresh code, then a charge with it.
    Charge { rotate: Call, shop: usize, amount: String },
    /// A call with a key.
    Keyed(Intent),
    /// A call without one, that changes who may pay.
    Disturb(&'static str, Call),
}

fn amount(rng: &mut fastrand::Rng, most: u32) -> String {
    let hundredths = rng.u32(1..=most * 100);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The next step; `key` is fresh.
pub(super) fn next(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    match rng.u32(0..100) {
        0..60 => charge(world, rng),
        60..78 => refund(world, rng, key),
        78..86 => adjustment(world, rng, key),
        86..90 => voucher(world, rng, key),
        _ => disturbance(world, rng),
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
    Intent { name: "charge", key, call, result: "tx_id", amount: "final_amount", refundable_at: Some(shop) }
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
    Step::Keyed(Intent { name: "refund", key, call, result, amount, refundable_at: None })
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
    Step::Keyed(Intent { name: "adjustment", key, call, result: "tx_id", amount: "", refundable_at: None })
}

fn voucher(world: &World, rng: &mut fastrand::Rng, key: String) -> Step {
    let member = &world.members[rng.usize(..world.members.len())];
    let statement = "select jsonb_build_object('card_id', public.create_voucher_card(
        p_owner_member_id => $1::text::uuid, p_initial_balance => $2::text::numeric, p_idempotency_key => $3))::text";
    let amount = amount(rng, 100);
    let call =
        Call::new(Caller::User(world.admin.clone()), statement, &[Some(member), Some(&amount), Some(&key)]);
    Step::Keyed(Intent { name: "voucher", key, call, result: "card_id", amount: "", refundable_at: None })
}

/// Freezes a card, or thaws one; three thaws for each freeze, so that most can pay.
fn disturbance(world: &World, rng: &mut fastrand::Rng) -> Step {
    let payer = &world.payers[rng.usize(..world.payers.len())];
    let (name, rpc) =
        if rng.u8(0..4) == 0 { ("freeze", "freeze_card") } else { ("unfreeze", "unfreeze_card") };
    let statement = format!("select jsonb_build_object('ok', public.{rpc}($1::text::uuid))::text");
    Step::Disturb(name, Call::new(Caller::User(world.admin.clone()), statement, &[Some(&payer.card)]))
}
