//! Who and what a test begins with: shops, members, cards, codes.

use anyhow::Result;

use crate::call::{Call, Caller, Charge};
use crate::database::TestDatabase;

/// A merchant and a cashier of it.
pub struct Shop {
    /// The merchant's code.
    pub code: String,
    /// The cashier's user.
    pub cashier: String,
}

/// A member and his standard card.
#[derive(Clone)]
pub struct Member {
    /// The member's user.
    pub user: String,
    /// The id of the standard card.
    pub card: String,
}

/// A phone that makes offline codes.
#[derive(Clone)]
pub struct Device {
    /// Ten digits.
    pub handle: String,
    /// The key, as hex.
    pub key: String,
}

impl Shop {
    /// A charge by this shop's cashier.
    pub fn charge(&self, code: &str, raw_amount: &str) -> Charge {
        Charge::new(&self.cashier, &self.code, code, raw_amount)
    }
}

impl TestDatabase {
    /// A new merchant with a cashier.
    ///
    /// # Errors
    /// When the fixture fails.
    pub async fn shop(&self, code: &str) -> Result<Shop> {
        self.text("select fx.make_merchant($1)::text", &[code]).await?;
        let cashier = self.text("select fx.make_merchant_user($1)::text", &[code]).await?;
        Ok(Shop { code: code.to_owned(), cashier })
    }

    /// A new member with this balance and no points.
    ///
    /// # Errors
    /// When the fixture fails.
    pub async fn member(&self, name: &str, balance: &str) -> Result<Member> {
        let email = format!("{name}@fixture.example");
        let user =
            self.text("select fx.make_member($1, $2::text::numeric)::text", &[&email, balance]).await?;
        let card = self.text("select fx.standard_card($1::text::uuid)::text", &[&user]).await?;
        Ok(Member { user, card })
    }

    /// The id of a member, for what names him.
    ///
    /// # Errors
    /// When the fixture fails.
    pub async fn member_id(&self, member: &Member) -> Result<String> {
        self.text("select fx.member_id($1::text::uuid)::text", &[&member.user]).await
    }

    /// A new admin of the house; his user.
    ///
    /// # Errors
    /// When the fixture fails.
    pub async fn admin(&self, name: &str) -> Result<String> {
        let make = "with made as (select fx.make_user($1) as id)
                    insert into app.admin_users (user_id) select id from made returning user_id::text";
        self.text(make, &[&format!("{name}@fixture.example")]).await
    }

    /// So many new members.
    ///
    /// # Errors
    /// When the fixture fails.
    pub async fn members(&self, count: usize, balance: &str) -> Result<Vec<Member>> {
        let mut members = Vec::new();
        for number in 1..=count {
            members.push(self.member(&format!("member{number}"), balance).await?);
        }
        Ok(members)
    }

    /// A prepaid card that these members share, without a discount of its own.
    ///
    /// # Errors
    /// When the fixture fails.
    pub async fn shared_card(&self, balance: &str, members: &[Member]) -> Result<String> {
        let card = self.text("select fx.make_card('prepaid', $1::text::numeric)::text", &[balance]).await?;
        for (place, member) in members.iter().enumerate() {
            let role = if place == 0 { "owner" } else { "member" };
            let bind = "select fx.bind($1::text::uuid, $2::text::uuid, $3)::text";
            self.texts(bind, &[&card, &member.user, role]).await?;
        }
        Ok(card)
    }

    /// A fresh code of a user for a card.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn code(&self, user: &str, card: &str) -> Result<String> {
        self.text("select fx.code($1::text::uuid, $2::text::uuid)", &[user, card]).await
    }

    /// One fresh code of each member for one card.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn codes(&self, members: &[Member], card: &str) -> Result<Vec<String>> {
        let mut codes = Vec::new();
        for member in members {
            codes.push(self.code(&member.user, card).await?);
        }
        Ok(codes)
    }

    /// A fresh device of a user for a card.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn device(&self, user: &str, card: &str) -> Result<Device> {
        let enroll = "select handle || device_key from fx.enroll($1::text::uuid, $2::text::uuid)";
        let mut handle = self.text(enroll, &[user, card]).await?;
        let key = handle.split_off(10);
        Ok(Device { handle, key })
    }

    /// What a device shows so many steps after this one: of 0 and 1, each is charged whenever the clock's step ends.
    ///
    /// # Errors
    /// When the question fails.
    pub async fn offline_code(
        &self,
        device: &Device,
        step_offset: i8,
        terminal: Option<&str>,
    ) -> Result<String> {
        let code = "select fx.offline_code($1, $2, fx.offline_step($3::text::bigint), nullif($4, ''))";
        let offset = step_offset.to_string();
        self.text(code, &[&device.handle, &device.key, &offset, terminal.unwrap_or_default()]).await
    }

    /// What is on a card.
    ///
    /// # Errors
    /// When there is no such card.
    pub async fn balance(&self, card: &str) -> Result<String> {
        self.text("select balance::text from app.cards where id = $1::text::uuid", &[card]).await
    }

    /// Puts money on a card.
    ///
    /// # Errors
    /// When the fixture fails.
    pub async fn credit(&self, card: &str, amount: &str) -> Result<()> {
        self.texts("select fx.credit($1::text::uuid, $2::text::numeric)::text", &[card, amount])
            .await
            .map(drop)
    }

    /// How many payments were committed.
    ///
    /// # Errors
    /// When the question fails.
    pub async fn payments(&self) -> Result<usize> {
        let count = "select count(*)::text from app.transactions where tx_type = 'payment'";
        Ok(self.text(count, &[]).await?.parse()?)
    }

    /// `open`, `consumed` or `revoked`.
    ///
    /// # Errors
    /// When the code is unknown.
    pub async fn state_of_code(&self, code: &str) -> Result<String> {
        let statement = "select case when consumed_at is not null then 'consumed' when revoked_at is not null
            then 'revoked' else 'open' end from app.payment_codes where code_hash = any (sec.code_hashes($1))";
        self.text(statement, &[code]).await
    }
}

/// What suspends a member or freezes a card, until an RPC does: it takes the cards' locks first (DOMAIN, "One lock order
/// everywhere"), then counts the payments, then makes the change.
const LOCK_COUNT_CHANGE: &str = "
    create function fx.lock_count_change(p_cards uuid[], p_change text)
    returns jsonb
    language plpgsql
    as $$
    declare
      v_payments int;
    begin
      perform from app.cards c where c.id = any (p_cards) order by c.id for update;
      select count(*) into v_payments from app.transactions t where t.tx_type = 'payment';
      execute p_change;
      return jsonb_build_object('payments', v_payments);
    end;
    $$";

impl TestDatabase {
    /// Makes [`change_under_lock`] work here.
    ///
    /// # Errors
    /// When it was made before.
    pub async fn prepare_changes_under_lock(&self) -> Result<()> {
        self.run(LOCK_COUNT_CHANGE).await
    }
}

/// Locks cards, answers how many `payments` are committed now, and runs a statement.
pub fn change_under_lock(cards: &[String], change: &str) -> Call {
    let cards = format!("{{{}}}", cards.join(","));
    let statement = "select fx.lock_count_change($1::text::uuid[], $2)::text";
    Call::new(Caller::Owner, statement, &[Some(&cards), Some(change)])
}
