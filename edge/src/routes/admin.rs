//! The house: members, cards, merchants, levels, settlements, settings, audit, statistics, checks.

use mps_client::CallContext;
use mps_client::rpc::{
    AcknowledgeClock, AcknowledgeSealFinding, AddAdminUser, AdjustCardBalance, Adjustment,
    AdminActivateMember, AdminActivateMerchant, AdminSuspendMember, AdminSuspendMerchant, CloseCard,
    CreateCorporateCard, CreateMemberProfile, CreateMerchant, CreatePrepaidCard, CreateVoucherCard,
    GenerateSettlement, GetAllCards, GetAllMembers, GetLatestSeal, GetSettings, GetSystemStatistics,
    LinkMemberAuthUser, ListRechargeEvents, QueryAuditLog, RemoveAdminUser, ResolveRechargeEvent,
    ResolveRechargeOrder, SearchCards, SearchMembers, SearchMerchants, SetCardExpiry, SetMembershipLevels,
    SetSetting, SettleLateTransactions, SystemHealthCheck, UnfreezeCard, UpdateMerchant,
    UpdatePointsAndLevel, UpdateSettlementStatus, VerifyLedger, VerifySeals,
};

use crate::api::{Outcome, Routes, Way, done};
use crate::app::App;
use crate::telemetry::Note;

pub(super) fn routes() -> Routes {
    // A search for members is a POST: what is looked for may be a phone or an address, and URLs are logged everywhere.
    Routes::new()
        .rpc::<CreateMemberProfile>(Way::Post, "/api/admin/members", "createMember")
        .rpc::<GetAllMembers>(Way::Get, "/api/admin/members", "listMembers")
        .rpc::<SearchMembers>(Way::Post, "/api/admin/members/search", "searchMembers")
        .rpc::<AdminSuspendMember>(Way::Post, "/api/admin/members/{member_id}/suspend", "suspendMember")
        .rpc::<AdminActivateMember>(Way::Post, "/api/admin/members/{member_id}/activate", "activateMember")
        .rpc::<LinkMemberAuthUser>(Way::Put, "/api/admin/members/{member_id}/user", "linkMember")
        .rpc::<GetAllCards>(Way::Get, "/api/admin/cards", "listAllCards")
        .rpc::<SearchCards>(Way::Get, "/api/admin/cards/search", "searchCards")
        .keyed_rpc::<CreatePrepaidCard>("/api/admin/cards/prepaid", "issuePrepaidCard")
        .keyed_rpc::<CreateCorporateCard>("/api/admin/cards/corporate", "issueCorporateCard")
        .keyed_rpc::<CreateVoucherCard>("/api/admin/cards/voucher", "issueVoucher")
        .keyed::<AdjustCardBalance, _, _, _, _>("/api/admin/cards/{card_id}/adjust", "adjustCard", adjust)
        .rpc::<UnfreezeCard>(Way::Post, "/api/admin/cards/{card_id}/unfreeze", "unfreezeCard")
        .rpc::<CloseCard>(Way::Post, "/api/admin/cards/{card_id}/close", "closeCard")
        .rpc::<SetCardExpiry>(Way::Put, "/api/admin/cards/{card_id}/expiry", "setCardExpiry")
        .keyed_rpc::<UpdatePointsAndLevel>("/api/admin/cards/{card_id}/points", "changePoints")
        .rpc::<CreateMerchant>(Way::Post, "/api/admin/merchants", "createMerchant")
        .rpc::<SearchMerchants>(Way::Get, "/api/admin/merchants", "searchMerchants")
        .rpc::<UpdateMerchant>(Way::Patch, "/api/admin/merchants/{merchant_id}", "updateMerchant")
        .rpc::<AdminSuspendMerchant>(
            Way::Post,
            "/api/admin/merchants/{merchant_id}/suspend",
            "suspendMerchant",
        )
        .rpc::<AdminActivateMerchant>(
            Way::Post,
            "/api/admin/merchants/{merchant_id}/activate",
            "activateMerchant",
        )
        .rpc::<SetMembershipLevels>(Way::Put, "/api/admin/levels", "setLevels")
        .rpc::<GenerateSettlement>(Way::Post, "/api/admin/settlements", "generateSettlement")
        .rpc::<SettleLateTransactions>(Way::Post, "/api/admin/settlements/late", "settleLateTransactions")
        .rpc::<UpdateSettlementStatus>(
            Way::Put,
            "/api/admin/settlements/{settlement_id}/status",
            "setSettlementStatus",
        )
        .rpc::<ResolveRechargeOrder>(
            Way::Post,
            "/api/admin/recharge/orders/{order_no}/resolve",
            "resolveRechargeOrder",
        )
        .rpc::<ListRechargeEvents>(Way::Get, "/api/admin/recharge/events", "listRechargeEvents")
        .rpc::<ResolveRechargeEvent>(
            Way::Post,
            "/api/admin/recharge/events/{recharge_event_id}/resolve",
            "resolveRechargeEvent",
        )
        .merge(of_the_system())
}

/// Settings, admins, and what the system says of itself.
fn of_the_system() -> Routes {
    Routes::new()
        .rpc::<GetSettings>(Way::Get, "/api/admin/settings", "listSettings")
        .rpc::<SetSetting>(Way::Put, "/api/admin/settings/{key}", "setSetting")
        .rpc::<AddAdminUser>(Way::Put, "/api/admin/admins/{user_id}", "addAdmin")
        .rpc::<RemoveAdminUser>(Way::Delete, "/api/admin/admins/{user_id}", "removeAdmin")
        .rpc::<QueryAuditLog>(Way::Get, "/api/admin/audit", "queryAudit")
        .rpc::<GetSystemStatistics>(Way::Get, "/api/admin/statistics", "getStatistics")
        .rpc::<SystemHealthCheck>(Way::Get, "/api/admin/health", "checkHealth")
        .rpc::<VerifyLedger>(Way::Get, "/api/admin/ledger/check", "checkLedger")
        .rpc::<VerifySeals>(Way::Get, "/api/admin/seals/check", "checkSeals")
        .rpc::<GetLatestSeal>(Way::Get, "/api/admin/seals/latest", "getLatestSeal")
        .rpc::<AcknowledgeSealFinding>(Way::Post, "/api/admin/seals/acknowledge", "acknowledgeSealFinding")
        .rpc::<AcknowledgeClock>(Way::Post, "/api/admin/clock/acknowledge", "acknowledgeClock")
}

async fn adjust(app: App, context: CallContext, call: AdjustCardBalance) -> Outcome<Adjustment> {
    let adjustment = app.call(context, call).await?;
    let note = Note { tx_no: Some(adjustment.tx_no.clone()), merchant_code: None, ..Note::default() };
    Ok(done(adjustment).noting(note))
}
