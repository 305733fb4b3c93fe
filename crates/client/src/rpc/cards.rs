//! Cards: see, share, block, issue, adjust.

use mps_core::{BindingRole, CardType, Discount, Money};
use serde::{Deserialize, Serialize};

use super::{
    CardId, Changed, CreatedCard, DiscountSource, MemberId, TransactionId, read_changed, read_row, read_rows,
    read_scalar,
};
use crate::argument::{AdjustmentAmount, InitialBalance, Secret};
use crate::wire::{self, Amount, Instant, Multiplier};

rpc! {
    /// `get_member_cards`: The cards a member may see, his own and shared ones, with balance, points, level and
    /// the discount of this moment. Own, or any for an admin.
    GetMemberCards = "get_member_cards", always, read_rows -> Vec<MemberCard> {
        /// The member.
        member_id: Option<MemberId>,
    }
}

rpc! {
    /// `get_card_detail`: One card, for whoever is bound to it and admins: role, discount and pays are the
    /// caller's, role NULL for an admin who is not bound.
    GetCardDetail = "get_card_detail", always, read_row -> CardDetail {
        /// The card.
        card_id: CardId,
    }
}

/// The answer of [`GetCardDetail`].
#[expect(clippy::struct_excessive_bools, reason = "the columns of the answer")]
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CardDetail {
    /// The card.
    pub card_id: CardId,
    /// Its number.
    pub card_no: String,
    /// `standard`, `prepaid`, `corporate` or `voucher`.
    pub card_type: String,
    /// The name.
    pub name: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// Which status.
    pub status: String,
    /// What is on it.
    pub balance: Amount,
    /// Its points.
    pub points: i64,
    /// The number of the level.
    pub level: i32,
    /// The name of the level.
    pub level_name: String,
    /// The multiplier.
    pub discount: Multiplier,
    /// Where the multiplier comes from.
    pub discount_source: DiscountSource,
    /// Its own multiplier.
    pub fixed_discount: Option<Multiplier>,
    /// The points where the next level begins.
    pub next_level_points: Option<i64>,
    /// When it ends; never when null.
    pub expires_at: Option<Instant>,
    /// Whether the caller may pay with it.
    pub pays: bool,
    /// Whether money can be put onto it.
    pub is_rechargeable: bool,
    /// Whether it can be shared.
    pub is_shareable: bool,
    /// Whether members can bind themselves.
    pub has_binding_password: bool,
    /// How many are bound.
    pub members: i32,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `get_card_bindings`: Who is bound to a card, for those who see it and admins.
    GetCardBindings = "get_card_bindings", always, read_rows -> Vec<Binding> {
        /// The card.
        card_id: CardId,
    }
}

/// Who is bound to a card.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Binding {
    /// The member.
    pub member_id: MemberId,
    /// `M` and eight digits.
    pub member_no: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `bind_member_to_card`: Binds oneself by the card's password (member or viewer), or others and changes
    /// roles as owner, admin of the card or admin of the system. Making another member owner invites them. false:
    /// the password is wrong, and that is counted.
    BindMemberToCard = "bind_member_to_card", never, read_scalar -> bool {
        /// The card.
        card_id: CardId,
        /// The member.
        member_id: MemberId,
        /// The role.
        role: Option<String>,
        /// The password of the card, to bind oneself.
        binding_password: Option<Secret>,
    }
}

rpc! {
    /// `list_card_invitations`: The cards that the caller was asked to own and may still accept or decline.
    ListCardInvitations = "list_card_invitations", always, read_rows -> Vec<CardInvitation> {
    }
}

/// A card that the caller was asked to own.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CardInvitation {
    /// The card.
    pub card_id: CardId,
    /// Its number.
    pub card_no: String,
    /// `prepaid` or `corporate`.
    pub card_type: String,
    /// The name.
    pub name: Option<String>,
    /// The number of the owner who asked; an admin of the system when null.
    pub invited_by_no: Option<String>,
    /// The name of the owner who asked.
    pub invited_by_name: Option<String>,
    /// When it was made.
    pub invited_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
}

rpc! {
    /// `accept_card_invitation`: The caller becomes an owner of the card that they were asked to own.
    AcceptCardInvitation = "accept_card_invitation", never, read_changed -> Changed {
        /// The card.
        card_id: CardId,
    }
}

rpc! {
    /// `decline_card_invitation`: The caller does not become an owner of the card; a role that they have stays.
    DeclineCardInvitation = "decline_card_invitation", never, read_changed -> Changed {
        /// The card.
        card_id: CardId,
    }
}

rpc! {
    /// `unbind_member_from_card`: Ends a binding with its open code and devices: one's own, or others' as
    /// `bind_member_to_card` allows. false: there was none.
    UnbindMemberFromCard = "unbind_member_from_card", never, read_changed -> Changed {
        /// The card.
        card_id: CardId,
        /// The member.
        member_id: MemberId,
    }
}

rpc! {
    /// `set_card_binding_password`: Owner, or admin of the house: the password by which others bind themselves,
    /// 6 to 72 bytes; NULL ends self-binding.
    SetCardBindingPassword = "set_card_binding_password", nulls, read_changed -> Changed {
        /// The card.
        card_id: CardId,
        /// 6 to 72 bytes; null ends self-binding.
        #[serde(deserialize_with = "Option::deserialize")]
        #[cfg_attr(feature = "schema", schemars(schema_with = "crate::argument::nullable::<Secret>"))]
        password: Option<Secret>,
    }
}

rpc! {
    /// `freeze_card`: Admin, or the card's owner or admin. No charge commits after it returned.
    FreezeCard = "freeze_card", never, read_changed -> Changed {
        /// The card.
        card_id: CardId,
    }
}

rpc! {
    /// `unfreeze_card`: Admin: a frozen or lost card is active again; an expired one needs `set_card_expiry`.
    UnfreezeCard = "unfreeze_card", never, read_changed -> Changed {
        /// The card.
        card_id: CardId,
    }
}

rpc! {
    /// `report_card_lost`: Admin, or the card's owner or admin. Ends everybody's open codes and devices of the
    /// card, for good. Only an admin undoes the loss.
    ReportCardLost = "report_card_lost", never, read_changed -> Changed {
        /// The card.
        card_id: CardId,
    }
}

rpc! {
    /// `close_card`: Admin: ends an empty card for ever.
    CloseCard = "close_card", never, read_changed -> Changed {
        /// The card.
        card_id: CardId,
    }
}

rpc! {
    /// `set_card_expiry`: Admin: a new expiry in the future, or NULL for none; an expired card is active again.
    SetCardExpiry = "set_card_expiry", nulls, read_changed -> Changed {
        /// The card.
        card_id: CardId,
        /// When it ends; never when null.
        #[serde(deserialize_with = "Option::deserialize")]
        #[cfg_attr(feature = "schema", schemars(schema_with = "crate::argument::nullable::<Instant>"))]
        expires_at: Option<Instant>,
    }
}

/// A card as lists have it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CardRow {
    /// The card.
    pub card_id: CardId,
    /// Its number.
    pub card_no: String,
    /// `standard`, `prepaid`, `corporate` or `voucher`.
    pub card_type: String,
    /// The name.
    pub name: Option<String>,
    /// Which status.
    pub status: String,
    /// What is on it.
    pub balance: Amount,
    /// Its points.
    pub points: i64,
    /// The number of the level.
    pub level: i32,
    /// Its own multiplier.
    pub fixed_discount: Option<Multiplier>,
    /// When it ends; never when null.
    pub expires_at: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `search_cards`: Admin: cards whose number or name begins with the keyword, in any case, by number. At
    /// most 200, default 50.
    SearchCards = "search_cards", always, read_rows -> Vec<CardRow> {
        /// How it begins, in any case.
        keyword: String,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
    }
}

rpc! {
    /// `get_all_cards`: Admin: cards, newest first; of one status, of one type. Pages of 1 to 200, default 50.
    GetAllCards = "get_all_cards", always, read_rows -> Vec<CardRow> {
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
        /// Which status.
        status: Option<String>,
        /// `standard`, `prepaid`, `corporate` or `voucher`.
        card_type: Option<String>,
    }
}

rpc! {
    /// `create_prepaid_card`: Admin: a prepaid card of an owner; discount is a multiplier from 0 to 1 with
    /// three decimals. The same key and request: the same card.
    CreatePrepaidCard = "create_prepaid_card", keyed, read_row -> CreatedCard {
        /// Whose card it becomes.
        owner_member_id: MemberId,
        /// The name.
        name: Option<String>,
        /// What is on it from the start; 0 when left out.
        initial_balance: Option<InitialBalance>,
        /// Its own multiplier.
        fixed_discount: Option<Multiplier>,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

rpc! {
    /// `create_corporate_card`: Admin: a corporate card of an owner; discount is a multiplier from 0 to 1 with
    /// three decimals. The same key and request: the same card.
    CreateCorporateCard = "create_corporate_card", keyed, read_row -> CreatedCard {
        /// Whose card it becomes.
        owner_member_id: MemberId,
        /// The name.
        name: Option<String>,
        /// What is on it from the start; 0 when left out.
        initial_balance: Option<InitialBalance>,
        /// Its own multiplier.
        fixed_discount: Option<Multiplier>,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

rpc! {
    /// `create_voucher_card`: Admin: a voucher, which pays once. The same key and request: the same card.
    CreateVoucherCard = "create_voucher_card", keyed, read_row -> CreatedCard {
        /// Whose card it becomes.
        owner_member_id: MemberId,
        /// The name.
        name: Option<String>,
        /// What is on it from the start; 0 when left out.
        initial_balance: Option<InitialBalance>,
        /// When it ends; never when null.
        expires_at: Option<Instant>,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

rpc! {
    /// `adjust_card_balance`: Admin: credits (positive) or debits (negative) a card against the adjustments
    /// account.
    AdjustCardBalance = "adjust_card_balance", keyed, read_row -> Adjustment {
        /// The card.
        card_id: CardId,
        /// In the house currency.
        amount: AdjustmentAmount,
        /// Why, for the audit log.
        reason: String,
        /// Names this request for ever.
        idempotency_key: Option<String>,
    }
}

/// The answer of [`AdjustCardBalance`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Adjustment {
    /// The id of the transaction.
    pub tx_id: TransactionId,
    /// The number of the transaction.
    pub tx_no: String,
    /// In the house currency.
    pub amount: Amount,
    /// Whether this answers an earlier request with the same key.
    pub replayed: bool,
}

/// A row of [`GetMemberCards`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberCard {
    /// The card's id.
    pub card_id: CardId,
    /// The card's number.
    pub card_no: String,
    /// What it may do.
    #[serde(with = "wire::text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub card_type: CardType,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What the member may do with it.
    #[serde(with = "wire::text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub role: BindingRole,
    /// `active`, `frozen`, `lost`, `expired` or `closed`.
    pub status: String,
    /// What is on it.
    #[serde(deserialize_with = "wire::money")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Amount"))]
    pub balance: Money,
    /// Its points.
    pub points: i64,
    /// The level of its points.
    pub level: i32,
    /// The level's name.
    pub level_name: String,
    /// The multiplier of this moment.
    #[serde(deserialize_with = "wire::discount")]
    #[cfg_attr(feature = "schema", schemars(with = "wire::Multiplier"))]
    pub discount: Discount,
    /// Where it comes from.
    pub discount_source: DiscountSource,
    /// The points where the next level begins.
    pub next_level_points: Option<i64>,
    /// `None`: never.
    pub expires_at: Option<Instant>,
    /// Whether this member may pay with it.
    pub pays: bool,
}
