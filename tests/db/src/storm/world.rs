//! Who takes part in a storm: shops, members, shared cards, an admin. Few of each, so that they meet.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use mps_core::payment_code::{DeviceKey, Handle, Step, offline_code};

use crate::database::TestDatabase;
use crate::scene::Member;

const SHOPS: usize = 4;
const MEMBERS: usize = 24;
const SHARED_CARDS: usize = 4;
const PAYERS_OF_A_SHARED_CARD: usize = 6;
/// Three calls in a hundred issue a voucher, so that each of these has about thirty at the end.
const CALLS_A_VOUCHER_OWNER: usize = 1000;

pub(super) struct Shop {
    pub(super) code: String,
    pub(super) merchant: String,
    pub(super) manager: String,
}

/// A phone that makes codes without a network.
pub(super) struct Phone {
    handle: Handle,
    key: DeviceKey,
}

impl Phone {
    /// The code it shows now.
    pub(super) fn code(&self) -> String {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        offline_code(&self.handle, &self.key, Step::at(seconds), None).reveal().to_owned()
    }
}

/// A recharge order that was answered, for the provider.
#[derive(Clone)]
pub(super) struct Ordered {
    pub(super) order_no: String,
    pub(super) amount: String,
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
    /// Ids of members who own the vouchers: so many that nobody's are more than a person has.
    pub(super) voucher_owners: Vec<String>,
    pub(super) admin: String,
    pub(super) phones: Vec<Phone>,
    paid: Mutex<Vec<Paid>>,
    ordered: Mutex<Vec<Ordered>>,
    settlements: Mutex<Vec<String>>,
    /// When the last settlement of each shop ended, in microseconds since 1970.
    settled_until: Mutex<Vec<u128>>,
}

impl World {
    /// For a storm of so many calls.
    pub(super) async fn make(db: &TestDatabase, calls: usize) -> Result<Self> {
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
        let people = db.members(MEMBERS.max(calls / CALLS_A_VOUCHER_OWNER), "20000.00").await?;
        let voucher_owners = ids(db, &people).await?;
        let people = &people[..MEMBERS];
        let mut payers: Vec<Payer> = people.iter().map(payer).collect();
        for number in 0..SHARED_CARDS {
            let sharing = &people[number * PAYERS_OF_A_SHARED_CARD..][..PAYERS_OF_A_SHARED_CARD];
            let card = db.shared_card("20000.00", sharing).await?;
            payers
                .extend(sharing.iter().map(|member| Payer { user: member.user.clone(), card: card.clone() }));
        }
        let admin = db.admin("admin").await?;
        let mut phones = Vec::new();
        for person in people {
            let device = db.device(&person.user, &person.card).await?;
            let key = DeviceKey::new(key_bytes(&device.key)?);
            phones.push(Phone { handle: Handle::parse(&device.handle)?, key });
        }
        let (paid, ordered, settlements) = (Mutex::default(), Mutex::default(), Mutex::default());
        let settled_until = Mutex::new(vec![0; SHOPS]);
        Ok(Self { shops, payers, voucher_owners, admin, phones, paid, ordered, settlements, settled_until })
    }

    pub(super) fn remember_order(&self, ordered: Ordered) {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner).push(ordered);
    }

    /// A recharge order of the past.
    pub(super) fn any_ordered(&self, rng: &mut fastrand::Rng) -> Option<Ordered> {
        let ordered = self.ordered.lock().unwrap_or_else(PoisonError::into_inner);
        rng.choice(ordered.iter()).cloned()
    }

    pub(super) fn remember_settlement(&self, id: &str) {
        self.settlements.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
    }

    /// A settlement of the past.
    pub(super) fn any_settlement(&self, rng: &mut fastrand::Rng) -> Option<String> {
        let settlements = self.settlements.lock().unwrap_or_else(PoisonError::into_inner);
        rng.choice(settlements.iter()).cloned()
    }

    /// The next period of a shop: from where the last one ended until now, in seconds since 1970.
    pub(super) fn next_period(&self, shop: usize) -> (String, String) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let mut until = self.settled_until.lock().unwrap_or_else(PoisonError::into_inner);
        let from = std::mem::replace(&mut until[shop], now);
        let seconds = |micros: u128| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        (seconds(from), seconds(now))
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

async fn ids(db: &TestDatabase, members: &[Member]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for member in members {
        ids.push(db.member_id(member).await?);
    }
    Ok(ids)
}

/// The 32 bytes of 64 hex digits.
fn key_bytes(hex: &str) -> Result<[u8; 32]> {
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
    bytes.collect::<Result<Vec<u8>, _>>()?.try_into().ok().context("a device key has 32 bytes")
}

fn payer(member: &Member) -> Payer {
    Payer { user: member.user.clone(), card: member.card.clone() }
}
