//! Members: who am I, register, my profile, my transactions.

use mps_client::rpc::{
    DeleteMember, GetMemberDetail, GetMemberTransactions, GetMemberTransactionsPage, GetUserProfile,
    ListMembershipLevels, RegisterMember, UnbindExternalIdentity, UpdateMemberProfile,
};

use crate::api::{Routes, Way};

pub(super) fn routes() -> Routes {
    Routes::new()
        .rpc::<GetUserProfile>(Way::Get, "/api/member/me", "getMe")
        .rpc::<RegisterMember>(Way::Post, "/api/member/register", "register")
        .rpc::<GetMemberDetail>(Way::Get, "/api/member/profile", "getProfile")
        .rpc::<UpdateMemberProfile>(Way::Patch, "/api/member/profile", "updateProfile")
        .rpc::<DeleteMember>(Way::Delete, "/api/member/profile", "deleteMember")
        .rpc::<UnbindExternalIdentity>(Way::Delete, "/api/member/identities/{provider}", "unbindIdentity")
        .rpc::<GetMemberTransactions>(Way::Get, "/api/member/transactions", "listMemberTransactions")
        .rpc::<GetMemberTransactionsPage>(Way::Get, "/api/member/transactions/page", "pageMemberTransactions")
        .rpc::<ListMembershipLevels>(Way::Get, "/api/member/levels", "listLevels")
}
