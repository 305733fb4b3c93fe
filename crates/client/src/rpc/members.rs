//! Members: register, profile, identities, administration.

use serde::{Deserialize, Serialize};

use super::{
    CardId, Changed, CreatedMember, MemberId, UserId, read_changed, read_member, read_row, read_rows,
};
use crate::wire::Instant;

rpc! {
    /// `register_member`: Makes the signed-in user a member with one standard card, or links him to the member
    /// that has his confirmed phone or e-mail. Again: the same member.
    RegisterMember = "register_member", never, read_row -> RegisteredMember {
        /// The name.
        name: String,
        /// With its country code.
        phone: Option<String>,
    }
}

rpc! {
    /// `get_user_profile`: Who the signed-in user is here: member, merchant user, admin. Member columns are
    /// NULL for one who is no member.
    GetUserProfile = "get_user_profile", always, read_row -> Profile {
    }
}

rpc! {
    /// `get_member_detail`: A member with the standard card, the number of cards he sees and the providers of
    /// his external identities. Own (NULL), or any for an admin.
    GetMemberDetail = "get_member_detail", always, read_row -> MemberDetail {
        /// The member.
        member_id: Option<MemberId>,
    }
}

/// The answer of [`GetMemberDetail`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberDetail {
    /// The member.
    pub member_id: MemberId,
    /// `M` and eight digits.
    pub member_no: String,
    /// The name.
    pub name: String,
    /// With its country code.
    pub phone: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Which status.
    pub status: String,
    /// Whether a user is linked.
    pub is_linked: bool,
    /// Where he has an external identity.
    pub providers: Vec<String>,
    /// The card.
    pub card_id: Option<CardId>,
    /// Its number.
    pub card_no: Option<String>,
    /// How many cards he sees.
    pub cards: i32,
    /// When it was made.
    pub created_at: Instant,
    /// When it was changed last.
    pub updated_at: Instant,
}

rpc! {
    /// `update_member_profile`: Own, admin: changes name, phone, e-mail; NULL keeps, an empty phone or e-mail
    /// is erased. What a member sets himself is unconfirmed and proves nothing: `register_member` links only
    /// members without a user. He cannot take what another user has confirmed.
    UpdateMemberProfile = "update_member_profile", always, read_row -> UpdatedMember {
        /// The member.
        member_id: MemberId,
        /// The name.
        name: Option<String>,
        /// With its country code.
        phone: Option<String>,
        /// The e-mail address.
        email: Option<String>,
    }
}

/// The answer of [`UpdateMemberProfile`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdatedMember {
    /// The member.
    pub member_id: MemberId,
    /// `M` and eight digits.
    pub member_no: String,
    /// The name.
    pub name: String,
    /// With its country code.
    pub phone: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Which status.
    pub status: String,
    /// When it was changed last.
    pub updated_at: Instant,
}

rpc! {
    /// `delete_member`: Own, admin: erases a member's personal data and his link to a user, for ever; number
    /// and books are kept, points lapse with the closed cards. false: he was deleted. No payment of his commits
    /// after this returned.
    DeleteMember = "delete_member", always, read_changed -> Changed {
        /// The member.
        member_id: MemberId,
    }
}

rpc! {
    /// `unbind_external_identity`: Own, service: forgets a member's identity of a provider (wechat, alipay,
    /// line).
    UnbindExternalIdentity = "unbind_external_identity", never, read_changed -> Changed {
        /// The member.
        member_id: MemberId,
        /// `wechat`, `alipay` or, of identities, `line`.
        provider: String,
    }
}

rpc! {
    /// `create_member_profile`: Admin, service: a member with one standard card, linked to no user; answers the
    /// id. `p_binding_user_org`, `p_binding_org_id`: provider (wechat, alipay, line) and id of an external identity
    /// to bind, service only. `p_default_card_type`: NULL or standard.
    CreateMemberProfile = "create_member_profile", never, read_member -> CreatedMember {
        /// The name.
        name: String,
        /// With its country code.
        phone: Option<String>,
        /// The e-mail address.
        email: Option<String>,
    }
}

rpc! {
    /// `link_member_auth_user`: Admin, service: links a member to a Supabase Auth user; false: he was linked to
    /// this one.
    LinkMemberAuthUser = "link_member_auth_user", always, read_changed -> Changed {
        /// The member.
        member_id: MemberId,
        /// The user to link.
        auth_user_id: UserId,
    }
}

/// A member as lists have him.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberRow {
    /// The member.
    pub member_id: MemberId,
    /// `M` and eight digits.
    pub member_no: String,
    /// The name.
    pub name: String,
    /// With its country code.
    pub phone: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Which status.
    pub status: String,
    /// Whether a user is linked.
    pub is_linked: bool,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `search_members`: Admin: members whose number, phone (from its country code, + or not), e-mail or name
    /// begins with the keyword, in any case, by number. At most 200, default 50; of more, those whose field
    /// comes first.
    SearchMembers = "search_members", always, read_rows -> Vec<MemberRow> {
        /// How it begins, in any case.
        keyword: String,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
    }
}

rpc! {
    /// `get_all_members`: Admin: members, newest first; of one status: active, suspended, deleted. Pages of 1
    /// to 200, default 50.
    GetAllMembers = "get_all_members", always, read_rows -> Vec<MemberRow> {
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
        /// Which status.
        status: Option<String>,
    }
}

rpc! {
    /// `admin_suspend_member`: Admin: a suspended member neither pays, orders a recharge, binds nor issues
    /// codes; no charge of his commits after this returned. false: he was suspended.
    AdminSuspendMember = "admin_suspend_member", always, read_changed -> Changed {
        /// The member.
        member_id: MemberId,
    }
}

rpc! {
    /// `admin_activate_member`: Admin: ends a suspension; false when there was none.
    AdminActivateMember = "admin_activate_member", always, read_changed -> Changed {
        /// The member.
        member_id: MemberId,
    }
}

/// The answer of [`RegisterMember`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisteredMember {
    /// The member's id.
    pub member_id: MemberId,
    /// The member's number, `M` and eight digits.
    pub member_no: String,
    /// As the database keeps it.
    pub name: String,
    /// Without spaces and dashes.
    pub phone: Option<String>,
    /// Only when Supabase Auth has confirmed it.
    pub email: Option<String>,
    /// `active`, `suspended` or `deleted`.
    pub status: String,
    /// The standard card.
    pub card_id: CardId,
    /// Its number.
    pub card_no: String,
    /// `false` when the member was there before.
    pub created: bool,
}

/// The answer of [`GetUserProfile`]; the member's fields are `None` for one who is no member.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profile {
    /// Of Supabase Auth.
    pub user_id: String,
    /// Whether he runs the house.
    pub is_admin: bool,
    /// The member's id.
    pub member_id: Option<MemberId>,
    /// The member's number.
    pub member_no: Option<String>,
    /// The member's name.
    pub name: Option<String>,
    /// The member's phone.
    pub phone: Option<String>,
    /// The member's e-mail address.
    pub email: Option<String>,
    /// The member's status.
    pub status: Option<String>,
    /// Where he works.
    pub merchants: Vec<MerchantOfUser>,
    /// What happened to the member's phone or e-mail in the last 30 days, oldest first.
    #[serde(default)]
    pub notices: Vec<MemberNotice>,
}

/// Something that a member is told.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberNotice {
    /// `phone_taken`, `email_taken`: it went to who had confirmed it. `phone_given`, `email_given`: it was freed by
    /// who had only claimed it.
    pub kind: String,
    /// When it was made.
    pub created_at: Instant,
}

/// A merchant that a user works for.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MerchantOfUser {
    /// The merchant's id.
    pub merchant_id: String,
    /// The merchant's code.
    pub code: String,
    /// The merchant's name.
    pub name: String,
    /// `active` or `suspended`.
    pub status: String,
    /// `owner`, `manager` or `cashier`.
    pub role: String,
    /// Its active terminals.
    pub terminals: Vec<Terminal>,
}

/// A merchant's terminal.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Terminal {
    /// Six characters.
    pub code: String,
    /// What the shop calls it.
    pub label: Option<String>,
}
