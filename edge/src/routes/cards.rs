//! Cards: see, share, block.

use mps_client::CallContext;
use mps_client::rpc::{
    AcceptCardInvitation, BindMemberToCard, Changed, DeclineCardInvitation, FreezeCard, GetCardBindings,
    GetCardDetail, GetMemberCards, GetPointLedger, ListCardInvitations, ReportCardLost,
    SetCardBindingPassword, UnbindMemberFromCard,
};

use crate::api::{Outcome, Routes, Way, done};
use crate::app::App;
use crate::problem::Failure;
use mps_core::ErrorCode;

pub(super) fn routes() -> Routes {
    Routes::new()
        .rpc::<GetMemberCards>(Way::Get, "/api/member/cards", "listCards")
        .rpc::<GetCardDetail>(Way::Get, "/api/member/cards/{card_id}", "getCard")
        .rpc::<GetPointLedger>(Way::Get, "/api/member/cards/{card_id}/points", "listPoints")
        .rpc::<GetCardBindings>(Way::Get, "/api/member/cards/{card_id}/bindings", "listBindings")
        .handle::<BindMemberToCard, _, _, _, _>(
            Way::Put,
            "/api/member/cards/{card_id}/bindings/{member_id}",
            "bindCard",
            bind,
        )
        .rpc::<UnbindMemberFromCard>(
            Way::Delete,
            "/api/member/cards/{card_id}/bindings/{member_id}",
            "unbindCard",
        )
        .rpc::<ListCardInvitations>(Way::Get, "/api/member/invitations", "listInvitations")
        .rpc::<AcceptCardInvitation>(
            Way::Post,
            "/api/member/invitations/{card_id}/accept",
            "acceptInvitation",
        )
        .rpc::<DeclineCardInvitation>(
            Way::Post,
            "/api/member/invitations/{card_id}/decline",
            "declineInvitation",
        )
        .rpc::<SetCardBindingPassword>(Way::Put, "/api/member/cards/{card_id}/password", "setCardPassword")
        .rpc::<FreezeCard>(Way::Post, "/api/member/cards/{card_id}/freeze", "freezeCard")
        .rpc::<ReportCardLost>(Way::Post, "/api/member/cards/{card_id}/lost", "reportCardLost")
}

/// A wrong password is counted, so the database does not raise on it: it answers false.
async fn bind(app: App, context: CallContext, call: BindMemberToCard) -> Outcome<Changed> {
    if app.call(context, call).await? {
        Ok(done(Changed { changed: true }))
    } else {
        Err(Failure::from(ErrorCode::InvalidBindingPassword))
    }
}
