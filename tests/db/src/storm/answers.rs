//! What the clients were told, and whether the books say the same: each answer once, and nothing that nobody was told.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rust_decimal::Decimal;

use crate::database::TestDatabase;

/// What a key made, and the amount where the answer says one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Made {
    result: String,
    amount: Option<Decimal>,
}

impl Made {
    pub(super) fn new(result: &str, amount: &str) -> Self {
        Self { result: result.to_owned(), amount: amount.parse().ok() }
    }
}

/// What was answered, by key.
#[derive(Default)]
pub(super) struct Answers(BTreeMap<String, Made>);

impl Answers {
    /// Fails when the same key was answered otherwise before: a provider's notice comes from many clients.
    pub(super) fn remember(&mut self, key: String, made: Made) -> Result<()> {
        if let Some(known) = self.0.get(&key) {
            ensure!(*known == made, "{key} was answered with {known:?} and with {made:?}");
        }
        self.0.insert(key, made);
        Ok(())
    }

    pub(super) fn add(&mut self, other: Self) -> Result<()> {
        other.0.into_iter().try_for_each(|(key, made)| self.remember(key, made))
    }

    /// How many transactions neither a key nor a provider's payment nor a settlement made: those of the fixtures.
    pub(super) async fn count_unkeyed(db: &TestDatabase) -> Result<usize> {
        let unkeyed = "select count(*)::text from app.transactions t
            where not exists (select from app.idempotency_keys k where k.result_id = t.id)
              and not exists (select from app.idempotency_keys k where k.result_id = t.card_id)
              and not exists (select from app.recharge_payments p where p.tx_id = t.id)
              and not exists (select from app.settlements s where s.payout_tx_id = t.id)";
        Ok(db.text(unkeyed, &[]).await?.parse()?)
    }

    /// Compares with the books.
    pub(super) async fn check(&self, db: &TestDatabase, unkeyed_before: usize) -> Result<()> {
        let unkeyed = Self::count_unkeyed(db).await?;
        ensure!(unkeyed == unkeyed_before, "{} transactions that nobody asked for", unkeyed - unkeyed_before);
        let rows = db
            .texts(
                "select concat_ws(' ', k.key, coalesce(o.order_no, k.result_id::text), t.final_amount)
                 from app.idempotency_keys k
                 left join app.transactions t on t.id = k.result_id
                 left join app.recharge_orders o on o.id = k.result_id
                 union all
                 select concat_ws(' ', p.provider_tx_id, coalesce(t.tx_no, 'null'), p.amount)
                 from app.recharge_payments p left join app.transactions t on t.id = p.tx_id",
                &[],
            )
            .await?;
        let mut booked = BTreeMap::new();
        for row in rows.into_iter().flatten() {
            let mut words = row.split(' ').map(str::to_owned);
            let (key, result) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            booked.insert(key, (result, words.next().and_then(|amount| amount.parse::<Decimal>().ok())));
        }
        for (key, made) in &self.0 {
            let Some((result, amount)) = booked.remove(key) else {
                anyhow::bail!("{key} was answered with {made:?}, and the books know nothing of it");
            };
            ensure!(result == made.result, "{key} was answered with {made:?}, and the books have {result}");
            ensure!(
                made.amount.is_none() || made.amount == amount,
                "{key}: {made:?} is booked as {amount:?}"
            );
        }
        ensure!(booked.is_empty(), "committed, and nobody was told: {booked:?}");
        Ok(())
    }
}
