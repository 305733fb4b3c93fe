//! Money onto cards: orders, cash.

use mps_client::CallContext;
use mps_client::rpc::{CashRecharge, GetRechargeOrder, ListRechargeOrders, UserRechargeCard};

use crate::api::{Outcome, Routes, Way, done};
use crate::app::App;
use crate::telemetry::Note;

pub(super) fn routes() -> Routes {
    Routes::new()
        .rpc::<ListRechargeOrders>(Way::Get, "/api/recharge/orders", "listRechargeOrders")
        .rpc::<GetRechargeOrder>(Way::Get, "/api/recharge/orders/{order_no}", "getRechargeOrder")
        .handle::<UserRechargeCard, _, _, _, _>(
            Way::PostKeyed,
            "/api/recharge/cash",
            "rechargeWithCash",
            cash,
        )
}

async fn cash(app: App, context: CallContext, call: UserRechargeCard) -> Outcome<CashRecharge> {
    let merchant_code = call.merchant_code.clone();
    let recharge = app.call(context, call).await?;
    let note = Note { tx_no: Some(recharge.tx_no.clone()), merchant_code, ..Note::default() };
    let is_replay = recharge.replayed;
    Ok(done(recharge).replayed(is_replay).noting(note))
}
