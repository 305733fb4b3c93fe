//! Merchants: where I work, its terminals, users, transactions, totals, settlements.

use mps_client::rpc::{
    AddMerchantUser, GetMerchantDetail, GetMerchantTransactions, GetMerchantTransactionsPage, GetMyMerchants,
    GetSettlementDetail, GetTodayTransactionStats, GetTransactionTrends, ListSettlements, RegisterTerminal,
    RemoveMerchantUser, RetireTerminal,
};

use crate::api::{Routes, Way};

pub(super) fn routes() -> Routes {
    Routes::new()
        .rpc::<GetMyMerchants>(Way::Get, "/api/merchant/me", "listMyMerchants")
        .rpc::<GetMerchantDetail>(Way::Get, "/api/merchant/{merchant_id}", "getMerchant")
        .rpc::<GetMerchantTransactions>(
            Way::Get,
            "/api/merchant/{merchant_id}/transactions",
            "listMerchantTransactions",
        )
        .rpc::<GetMerchantTransactionsPage>(
            Way::Get,
            "/api/merchant/{merchant_id}/transactions/page",
            "pageMerchantTransactions",
        )
        .rpc::<GetTodayTransactionStats>(
            Way::Get,
            "/api/merchant/{merchant_id}/summary",
            "getMerchantSummary",
        )
        .rpc::<GetTransactionTrends>(Way::Get, "/api/merchant/trends", "getTrends")
        .rpc::<RegisterTerminal>(Way::Post, "/api/merchant/{merchant_id}/terminals", "registerTerminal")
        .rpc::<RetireTerminal>(Way::Delete, "/api/merchant/terminals/{terminal_code}", "retireTerminal")
        .rpc::<AddMerchantUser>(Way::Put, "/api/merchant/{merchant_id}/users/{user_id}", "setMerchantUser")
        .rpc::<RemoveMerchantUser>(
            Way::Delete,
            "/api/merchant/{merchant_id}/users/{user_id}",
            "removeMerchantUser",
        )
        .rpc::<ListSettlements>(Way::Get, "/api/merchant/{merchant_id}/settlements", "listSettlements")
        .rpc::<GetSettlementDetail>(Way::Get, "/api/merchant/settlements/{settlement_id}", "getSettlement")
}
