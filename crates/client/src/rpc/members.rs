//! Members: register, who am I, my cards.

use mps_core::{BindingRole, CardType, Discount, Money};
use serde::{Deserialize, Serialize};

use super::{CardId, MemberId, read_row, read_rows};
use crate::connection::Call;
use crate::wire::{self, Instant};

/// `register_member`: makes the signed-in user a member; again: the same member.
#[derive(Serialize)]
pub struct RegisterMember<'a> {
    /// 1 to 100 characters.
    #[serde(rename = "p_name")]
    pub name: &'a str,
    /// With or without its country code.
    #[serde(rename = "p_phone")]
    pub phone: Option<&'a str>,
}

/// The answer of [`RegisterMember`].
#[derive(Debug, Serialize, Deserialize)]
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

impl Call for RegisterMember<'_> {
    type Reply = RegisteredMember;
    const RPC: &'static str = "register_member";

    fn is_repeatable(&self) -> bool {
        false
    }

    fn read_reply(body: &[u8]) -> Option<RegisteredMember> {
        read_row(body)
    }
}

/// `get_user_profile`: who the caller is here.
#[derive(Debug, Serialize)]
pub struct GetUserProfile {}

/// The answer of [`GetUserProfile`]; the member's fields are `None` for one who is no member.
#[derive(Debug, Serialize, Deserialize)]
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
}

/// A merchant that a user works for.
#[derive(Debug, Serialize, Deserialize)]
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
pub struct Terminal {
    /// Six characters.
    pub code: String,
    /// What the shop calls it.
    pub label: Option<String>,
}

impl Call for GetUserProfile {
    type Reply = Profile;
    const RPC: &'static str = "get_user_profile";

    fn is_repeatable(&self) -> bool {
        true
    }

    fn read_reply(body: &[u8]) -> Option<Profile> {
        read_row(body)
    }
}

/// `get_member_cards`: the cards a member may see.
#[derive(Debug, Serialize)]
pub struct GetMemberCards<'a> {
    /// The caller's own when `None`; anyone's for an admin.
    #[serde(rename = "p_member_id", skip_serializing_if = "Option::is_none")]
    pub member_id: Option<&'a MemberId>,
}

/// A row of [`GetMemberCards`].
#[derive(Debug, Serialize, Deserialize)]
pub struct MemberCard {
    /// The card's id.
    pub card_id: CardId,
    /// The card's number.
    pub card_no: String,
    /// What it may do.
    #[serde(with = "wire::text")]
    pub card_type: CardType,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What the member may do with it.
    #[serde(with = "wire::text")]
    pub role: BindingRole,
    /// `active`, `frozen`, `lost`, `expired` or `closed`.
    pub status: String,
    /// What is on it.
    #[serde(deserialize_with = "wire::money")]
    pub balance: Money,
    /// Its points.
    pub points: i64,
    /// The level of its points.
    pub level: i32,
    /// The level's name.
    pub level_name: String,
    /// The multiplier of this moment.
    #[serde(deserialize_with = "wire::discount")]
    pub discount: Discount,
    /// Where it comes from.
    pub discount_source: super::DiscountSource,
    /// The points where the next level begins.
    pub next_level_points: Option<i64>,
    /// `None`: never.
    pub expires_at: Option<Instant>,
    /// Whether this member may pay with it.
    pub pays: bool,
}

impl Call for GetMemberCards<'_> {
    type Reply = Vec<MemberCard>;
    const RPC: &'static str = "get_member_cards";

    fn is_repeatable(&self) -> bool {
        true
    }

    fn read_reply(body: &[u8]) -> Option<Vec<MemberCard>> {
        read_rows(body)
    }
}
