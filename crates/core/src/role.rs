//! What a person bound to a card may do with it (DOMAIN, "Binding roles").

use std::fmt;
use std::str::FromStr;

use crate::error::ErrorCode;

/// How a member is bound to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingRole {
    /// Does everything; a card always keeps one.
    Owner,
    /// Everything but the password and making owners or admins.
    Admin,
    /// Pays and sees.
    Member,
    /// Only sees.
    Viewer,
}

impl BindingRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    /// `"owner"`, `"admin"`, `"member"`, `"viewer"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    /// May show codes, enrol phones and so pay.
    pub const fn may_pay(self) -> bool {
        matches!(self, Self::Owner | Self::Admin | Self::Member)
    }

    /// May see the balance and the transactions.
    pub const fn may_see(self) -> bool {
        matches!(self, Self::Owner | Self::Admin | Self::Member | Self::Viewer)
    }

    /// May order a recharge.
    pub const fn may_recharge(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }

    /// May set the card's password.
    pub const fn may_set_password(self) -> bool {
        matches!(self, Self::Owner)
    }

    /// May bind another person as `role`, or change one to it, without the password.
    pub const fn may_grant(self, role: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => role.is_self_bindable(),
            Self::Member | Self::Viewer => false,
        }
    }

    /// What a person may bind oneself as, with the card's password.
    pub const fn is_self_bindable(self) -> bool {
        matches!(self, Self::Member | Self::Viewer)
    }
}

impl fmt::Display for BindingRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BindingRole {
    type Err = ErrorCode;

    fn from_str(text: &str) -> Result<Self, ErrorCode> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(ErrorCode::MalformedArgument)
    }
}

#[cfg(test)]
mod tests {
    use super::BindingRole::{Admin, Member, Owner, Viewer};
    use super::*;

    fn who(may: impl Fn(BindingRole) -> bool) -> Vec<BindingRole> {
        BindingRole::ALL.into_iter().filter(|role| may(*role)).collect()
    }

    #[test]
    fn a_viewer_only_sees_and_only_an_owner_sets_the_password() {
        assert_eq!(who(BindingRole::may_see), [Owner, Admin, Member, Viewer]);
        assert_eq!(who(BindingRole::may_pay), [Owner, Admin, Member]);
        assert_eq!(who(BindingRole::may_recharge), [Owner, Admin]);
        assert_eq!(who(BindingRole::may_set_password), [Owner]);
    }

    #[test]
    fn an_owner_grants_any_role_and_an_admin_member_or_viewer() {
        assert_eq!(who(|role| Owner.may_grant(role)), [Owner, Admin, Member, Viewer]);
        assert_eq!(who(|role| Admin.may_grant(role)), [Member, Viewer]);
        assert_eq!(who(|role| Member.may_grant(role) || Viewer.may_grant(role)), []);
        assert_eq!(who(BindingRole::is_self_bindable), [Member, Viewer]);
    }

    #[test]
    fn every_role_is_read_back_from_its_own_text() {
        for role in BindingRole::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("OWNER".parse::<BindingRole>(), Err(ErrorCode::MalformedArgument));
    }
}
