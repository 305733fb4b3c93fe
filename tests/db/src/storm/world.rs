//! Who takes part in a storm: shops, members, shared cards, an admin. Few of each, so that they meet.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::database::TestDatabase;
use crate::scene::Member;

const SHOPS: usize = 4;
const MEMBERS: usize = 24;
const SHARED_CARDS: usize = 4;
const PAYERS_OF_A_SHARED_CARD: usize = 6;

pub(super) struct Shop {
    pub(super) code: String,
    pub(super) merchant: String,
    pub(super) manager: String,
}

/// Somebody who pays with a card.
#[derive(Clone)]
pub(super) struct Payer {
    pub(super) user: String,
    pub(super) card: String,
}

/// A payment that was answered, for refunds.
#[derive(Clone)]
pub(super) struct Paid {
    pub(super) shop: usize,
    pub(super) tx_no: String,
}

pub(super) struct World {
    pub(super) shops: Vec<Shop>,
    /// Owners of the cards they pay with, and members of shared ones.
    pub(super) payers: Vec<Payer>,
    /// Ids of members, for what is issued to them.
    pub(super) members: Vec<String>,
    pub(super) admin: String,
    paid: Mutex<Vec<Paid>>,
}

impl World {
    pub(super) async fn make(db: &TestDatabase) -> Result<Self> {
        // Limits have tests of their own; here they would only end the storm early.
        db.run("update app.settings set value = '999999999999.00' where key = 'payment_card_day_max'")
            .await?;
        let mut shops = Vec::new();
        for number in 1..=SHOPS {
            let code = format!("STORM{number}");
            let merchant = db.text("select fx.make_merchant($1)::text", &[&code]).await?;
            let manager = db.text("select fx.make_merchant_user($1, 'manager')::text", &[&code]).await?;
            shops.push(Shop { code, merchant, manager });
        }
        let people = db.members(MEMBERS, "20000.00").await?;
        let mut payers: Vec<Payer> = people.iter().map(payer).collect();
        for number in 0..SHARED_CARDS {
            let sharing = &people[number * PAYERS_OF_A_SHARED_CARD..][..PAYERS_OF_A_SHARED_CARD];
            let card = db.shared_card("20000.00", sharing).await?;
            payers
                .extend(sharing.iter().map(|member| Payer { user: member.user.clone(), card: card.clone() }));
        }
        let mut members = Vec::new();
        for member in &people {
            members.push(db.text("select fx.member_id($1::text::uuid)::text", &[&member.user]).await?);
        }
        let admin = db.text("select fx.make_user('storm-admin@fixture.example')::text", &[]).await?;
        db.run(&format!("insert into app.admin_users (user_id) values ('{admin}')")).await?;
        Ok(Self { shops, payers, members, admin, paid: Mutex::default() })
    }

    /// Remembers a payment for refunds by anybody.
    pub(super) fn remember(&self, paid: Paid) {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner).push(paid);
    }

    /// A payment of the past.
    pub(super) fn any_paid(&self, rng: &mut fastrand::Rng) -> Option<Paid> {
        let paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        rng.choice(paid.iter()).cloned()
    }
}

fn payer(member: &Member) -> Payer {
    Payer { user: member.user.clone(), card: member.card.clone() }
}
