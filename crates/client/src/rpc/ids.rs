//! Ids: each its own type, so that a card's is never taken for a member's.

use mps_core::ErrorCode;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

fn parse_uuid(text: &str) -> Result<String, ErrorCode> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uuid = text.split('-').map(str::len).eq(GROUPS) && text.split('-').all(is_hex);
    if is_uuid { Ok(text.to_ascii_lowercase()) } else { Err(ErrorCode::MalformedArgument) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        pub struct $name(String);

        impl $name {
            /// Reads a UUID with its hyphens; lower case afterwards.
            ///
            /// # Errors
            /// [`ErrorCode::MalformedArgument`].
            pub fn parse(text: &str) -> Result<Self, ErrorCode> {
                parse_uuid(text).map(Self)
            }

            /// Lower case, with hyphens.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "format": "uuid"})
            }
        }
    };
}

id! {
    /// A card.
    CardId
}
id! {
    /// A member.
    MemberId
}
id! {
    /// A merchant.
    MerchantId
}
id! {
    /// A user of Supabase Auth.
    UserId
}
id! {
    /// A settlement.
    SettlementId
}
id! {
    /// A transaction.
    TransactionId
}
id! {
    /// A row of a log.
    RowId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_with_hyphens() {
        let id = CardId::parse("0193B5A0-0000-7000-8000-00000000000a");
        assert_eq!(id.map(|id| id.as_str().to_owned()), Ok("0193b5a0-0000-7000-8000-00000000000a".into()));
        for text in [
            "",
            "0193b5a0000070008000000000000000",
            "0193b5a0-0000-7000-8000-00000000000",
            "0193b5a0-0000-7000-8000-00000000000g",
            "0193b5a0-0000-7000-8000-000000000000-",
            "{193b5a0-0000-7000-8000-000000000000}",
        ] {
            assert_eq!(CardId::parse(text), Err(ErrorCode::MalformedArgument), "{text}");
        }
    }
}
