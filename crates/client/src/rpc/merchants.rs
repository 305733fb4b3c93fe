//! Merchants: the house keeps them, their owners keep users and terminals.

use serde::{Deserialize, Serialize};

use super::{Changed, MerchantId, Terminal, UserId, read_changed, read_row, read_rows};
use crate::argument::Price;
use crate::wire::{Amount, Instant, Json};

rpc! {
    /// `get_my_merchants`: The merchants the caller works for, with the role and the active terminals, by code.
    GetMyMerchants = "get_my_merchants", always, read_rows -> Vec<MyMerchant> {
    }
}

/// A merchant that the caller works for.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MyMerchant {
    /// The merchant.
    pub merchant_id: MerchantId,
    /// The code.
    pub code: String,
    /// The name.
    pub name: String,
    /// Which status.
    pub status: String,
    /// A zone of the IANA list.
    pub time_zone: String,
    /// The role.
    pub role: String,
    /// Its points of sale.
    pub terminals: Vec<Terminal>,
}

rpc! {
    /// `get_merchant_detail`: A merchant with its users and terminals, retired ones too, for admins and whoever
    /// works for it. `own_role`: the caller's, NULL for an admin who does not.
    GetMerchantDetail = "get_merchant_detail", always, read_row -> MerchantDetail {
        /// The merchant.
        merchant_id: MerchantId,
    }
}

/// The answer of [`GetMerchantDetail`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MerchantDetail {
    /// The merchant.
    pub merchant_id: MerchantId,
    /// The code.
    pub code: String,
    /// The name.
    pub name: String,
    /// Whom to call.
    pub contact: Option<String>,
    /// Which status.
    pub status: String,
    /// A zone of the IANA list.
    pub time_zone: String,
    /// The fee in hundredths of a per cent.
    pub fee_bps: i32,
    /// `realtime`, `t_plus_1` or `monthly`.
    pub settlement_mode: String,
    /// Most of raw amounts a day.
    pub day_max: Option<Amount>,
    /// When it was made.
    pub created_at: Instant,
    /// The caller's role; null for an admin without one.
    pub own_role: Option<String>,
    /// Who works for it: `user_id`, role.
    pub users: Json,
    /// Its points of sale.
    pub terminals: Json,
}

/// A merchant as its admins see it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Merchant {
    /// The merchant.
    pub merchant_id: MerchantId,
    /// The code.
    pub code: String,
    /// The name.
    pub name: String,
    /// Whom to call.
    pub contact: Option<String>,
    /// Which status.
    pub status: String,
    /// A zone of the IANA list.
    pub time_zone: String,
    /// The fee in hundredths of a per cent.
    pub fee_bps: i32,
    /// `realtime`, `t_plus_1` or `monthly`.
    pub settlement_mode: String,
    /// Most of raw amounts a day.
    pub day_max: Option<Amount>,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `create_merchant`: Admin: a new, active merchant in the time zone of the house. The code has 1 to 64
    /// printable ASCII characters without spaces and never changes; the name up to 100 characters, the contact
    /// up to 200 or none.
    CreateMerchant = "create_merchant", never, read_row -> Merchant {
        /// The code.
        code: String,
        /// The name.
        name: String,
        /// Whom to call.
        contact: Option<String>,
    }
}

rpc! {
    /// `update_merchant`: Admin: changes what is given and leaves what is NULL. An empty contact is none.
    /// `fee_bps`: 0 to 10000 hundredths of a per cent; `settlement_mode`: realtime, `t_plus_1`, monthly; `day_max`:
    /// most of raw amounts a day in the merchant's time zone, counted from when it is set, and `p_clear_day_max`
    /// takes the limit away.
    UpdateMerchant = "update_merchant", always, read_row -> Merchant {
        /// The merchant.
        merchant_id: MerchantId,
        /// The name.
        name: Option<String>,
        /// Whom to call.
        contact: Option<String>,
        /// The fee in hundredths of a per cent.
        fee_bps: Option<i32>,
        /// A zone of the IANA list.
        time_zone: Option<String>,
        /// `realtime`, `t_plus_1` or `monthly`.
        settlement_mode: Option<String>,
        /// Most of raw amounts a day.
        day_max: Option<Price>,
        /// Takes the limit away.
        clear_day_max: Option<bool>,
    }
}

rpc! {
    /// `search_merchants`: Admin: merchants whose code or name contains the keyword, in any case, by code; no
    /// keyword: all. Pages of 1 to 200, default 50.
    SearchMerchants = "search_merchants", always, read_rows -> Vec<Merchant> {
        /// How it begins, in any case.
        keyword: Option<String>,
        /// Which status.
        status: Option<String>,
        /// Rows of the page, 1 to 200; 50 when left out.
        limit: Option<i32>,
        /// Rows before the page.
        offset: Option<i32>,
    }
}

rpc! {
    /// `admin_suspend_merchant`: Admin: a suspended merchant neither charges nor takes cash, and no charge of
    /// its commits after this returned; refunds go on. false: it was suspended.
    AdminSuspendMerchant = "admin_suspend_merchant", always, read_changed -> Changed {
        /// The merchant.
        merchant_id: MerchantId,
    }
}

rpc! {
    /// `admin_activate_merchant`: Admin: a suspended merchant charges again. false: it was active.
    AdminActivateMerchant = "admin_activate_merchant", always, read_changed -> Changed {
        /// The merchant.
        merchant_id: MerchantId,
    }
}

rpc! {
    /// `add_merchant_user`: Admin or owner of the merchant: lets a signed-up user work for it as owner, manager
    /// or cashier, or changes the role. false: he is so already. An owner cannot lower the last owner, an admin
    /// can.
    AddMerchantUser = "add_merchant_user", always, read_changed -> Changed {
        /// The merchant.
        merchant_id: MerchantId,
        /// The user, as Supabase Auth knows him.
        user_id: UserId,
        /// The role.
        role: String,
    }
}

rpc! {
    /// `remove_merchant_user`: Admin or owner of the merchant: a user does not work for it any more. false: he
    /// did not. An owner cannot remove the last owner, an admin can.
    RemoveMerchantUser = "remove_merchant_user", always, read_changed -> Changed {
        /// The merchant.
        merchant_id: MerchantId,
        /// The user, as Supabase Auth knows him.
        user_id: UserId,
    }
}

rpc! {
    /// `register_terminal`: Admin or owner of the merchant: a new point of sale with a fresh code of six
    /// characters 0-9A-Z, which is never used again. The label has 1 to 64 characters.
    RegisterTerminal = "register_terminal", never, read_row -> RegisteredTerminal {
        /// The merchant.
        merchant_id: MerchantId,
        /// 1 to 64 characters.
        label: String,
    }
}

/// The answer of [`RegisterTerminal`].
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisteredTerminal {
    /// Six characters.
    pub terminal_code: String,
    /// The merchant.
    pub merchant_id: MerchantId,
    /// 1 to 64 characters.
    pub label: String,
    /// Which status.
    pub status: String,
    /// When it was made.
    pub created_at: Instant,
}

rpc! {
    /// `retire_terminal`: Admin or owner of its merchant: the terminal charges no more, and its code is never
    /// used again. false: it was retired.
    RetireTerminal = "retire_terminal", always, read_changed -> Changed {
        /// Six characters.
        terminal_code: String,
    }
}
