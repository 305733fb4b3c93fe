//! The jobs, again and again, beside members and shops who call: nobody's call ends because of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use mps_db_tests::call::label;
use mps_db_tests::scene::{Member, Shop};
use mps_db_tests::{Call, Caller, Outcome, Session, TestDatabase, assert_ends, on_a_fresh_database};

const CLIENTS: usize = 8;
/// Charges of each client in each half of the test; each brings some other calls with it.
const CHARGES: usize = 60;
/// More steps than any job needs.
const STEPS_MAX: usize = 1000;

/// Deadlocks are looked for soon, and no call of a client may take longer than over PostgREST.
const IMPATIENT: &str = "do $$ begin
      execute format('alter database %I set deadlock_timeout = ''200ms''', current_database());
      execute format('alter database %I set statement_timeout = ''8s''', current_database());
    end $$";

/// As when no job has run for long: the logs have their default partitions alone.
const NO_MONTHS: &str = "do $$
    declare v_month regclass;
    begin
      for v_month in
        select i.inhrelid from pg_inherits i join app.partitioned_tables p on p.table_name = i.inhparent
        where i.inhrelid::regclass::text not like '%_default'
      loop
        execute format('drop table %s cascade', v_month);
      end loop;
    end $$";

const UNEMPTY_DEFAULTS: &str =
    "select coalesce(string_agg(d, ', '), 'none') from app.logs_with_default_rows() d";
const MISSING_MONTHS: &str = "select count(*)::text from app.logs_without_partition()";

fn job(expression: &str) -> Call {
    Call::new(Caller::Service, format!("select jsonb_build_object('done', public.{expression})::text"), &[])
}

fn ensure_partitions() -> Call {
    job("cron_ensure_partitions()")
}

/// Every job but the one that makes months.
fn other_jobs() -> Vec<Call> {
    [
        "cron_seal()",
        "cron_verify_seals()",
        "cron_rotate_qr_tokens(0)",
        "cron_expire_cards()",
        "cron_expire_recharge_orders()",
        "cron_generate_settlements()",
        "cron_purge()",
        "cron_verify_ledger()",
        "cron_follow_levels()",
    ]
    .map(job)
    .to_vec()
}

fn set_levels(admin: &str, boundary: usize) -> Call {
    let levels = format!(
        r#"[{{"level": 0, "name": "a", "points_min": 0, "discount": 1}},
            {{"level": 1, "name": "b", "points_min": {boundary}, "discount": "0.950"}}]"#
    );
    let statement = "select jsonb_build_object('done', public.set_membership_levels($1::text::jsonb))::text";
    Call::new(Caller::User(admin.to_owned()), statement, &[Some(&levels)])
}

/// One who pays at one shop, alone or with a card that all share.
struct Client {
    session: Session,
    shop: Shop,
    merchant: String,
    payer: Member,
    shared: String,
    number: usize,
}

impl Client {
    /// A refusal of the catalogue is an answer; what PostgreSQL itself refuses is not.
    async fn call(&self, call: impl Into<Call>) -> Result<Outcome> {
        let call = call.into();
        let outcome = self.session.call(&call).await?;
        if let Err(refusal) = &outcome {
            ensure!(refusal.state.starts_with("PT4"), "{call:?} ended with {}", refusal.label());
        }
        Ok(outcome)
    }

    async fn work(self, half: usize) -> Result<Self> {
        for place in 0..CHARGES {
            let card = if place % 3 == 0 { &self.shared } else { &self.payer.card };
            let code = self.call(Call::rotate(&self.payer.user, card)).await?.ok().context("no code")?;
            let key = format!("jobs-{}-{half}-{place}", self.number);
            let charge = self.shop.charge(code.text("qr_plain"), "1.00").key(&key);
            // A job revokes codes of shared cards beside this.
            if let Ok(paid) = self.call(charge).await?
                && place % 2 == 0
            {
                self.refund(paid.text("tx_no")).await?;
            }
            self.take_cash().await?;
            self.look().await?;
        }
        Ok(self)
    }

    async fn refund(&self, tx_no: &str) -> Result<()> {
        let refund = "select to_jsonb(r)::text from public.merchant_refund_tx(
            p_merchant_code => $1, p_original_tx_no => $2, p_refund_amount => 0.50) r";
        let user = Caller::User(self.shop.cashier.clone());
        self.call(Call::new(user, refund, &[Some(&self.shop.code), Some(tx_no)])).await.map(drop)
    }

    async fn take_cash(&self) -> Result<()> {
        let cash = "select to_jsonb(r)::text from public.user_recharge_card(
            p_card_id => $1::text::uuid, p_amount => 1.00, p_payment_method => 'cash', p_merchant_code => $2) r";
        let user = Caller::User(self.shop.cashier.clone());
        self.call(Call::new(user, cash, &[Some(&self.payer.card), Some(&self.shop.code)])).await.map(drop)
    }

    async fn look(&self) -> Result<()> {
        let of_shop = "select jsonb_build_object('rows', count(*))::text
            from public.get_merchant_transactions($1::text::uuid)";
        let user = Caller::User(self.shop.cashier.clone());
        self.call(Call::new(user, of_shop, &[Some(&self.merchant)]))
            .await?
            .ok()
            .context("a shop sees nothing")?;
        let own = "select jsonb_build_object('rows', count(*))::text from public.get_member_transactions()";
        self.call(Call::new(Caller::User(self.payer.user.clone()), own, &[])).await.map(drop)
    }
}

async fn clients(db: &TestDatabase) -> Result<Vec<Client>> {
    let members = db.members(CLIENTS, "1000.00").await?;
    let shared = db.shared_card("1000.00", &members).await?;
    let mut clients = Vec::new();
    for (number, payer) in members.into_iter().enumerate() {
        let code = format!("SHOP{}", number % 2);
        if number < 2 {
            db.text("select fx.make_merchant($1)::text", &[&code]).await?;
            db.run("update app.merchants set settlement_mode = 'realtime', day_max = 1000000").await?;
        }
        let cashier = db.text("select fx.make_merchant_user($1)::text", &[&code]).await?;
        let merchant = db.text("select id::text from app.merchants where code = $1", &[&code]).await?;
        let (session, shop) = (db.session().await?, Shop { code, cashier });
        clients.push(Client { session, shop, merchant, payer, shared: shared.clone(), number });
    }
    Ok(clients)
}

/// Calls one after the other until told to stop; each must be answered, or refused as its own busy self.
async fn repeat(
    session: Session,
    calls: Vec<Call>,
    stop: Arc<AtomicBool>,
    runs: Arc<AtomicUsize>,
) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        for call in &calls {
            let outcome = session.call(call).await?;
            let end = label(&outcome);
            ensure!(end == "ok" || end == "PT503 UNAVAILABLE", "{call:?} ended with {end}");
            runs.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn all_work(clients: Vec<Client>, half: usize) -> Result<Vec<Client>> {
    let working: Vec<_> = clients.into_iter().map(|client| tokio::spawn(client.work(half))).collect();
    let mut done = Vec::new();
    for client in working {
        done.push(client.await??);
    }
    Ok(done)
}

async fn finish_months(db: &TestDatabase) -> Result<()> {
    for _ in 0..STEPS_MAX {
        let step = db.call(ensure_partitions()).await?.ok().context("no step")?;
        if step.text("done") == "0" {
            assert_eq!(db.text(UNEMPTY_DEFAULTS, &[]).await?, "none");
            assert_eq!(db.text(MISSING_MONTHS, &[]).await?, "0");
            return Ok(());
        }
    }
    anyhow::bail!("the months are never finished")
}

/// Somebody who reads the logs and the levels for as long as the transaction stays open.
async fn long_reader(db: &TestDatabase) -> Result<Session> {
    let reader = db.session().await?;
    let read = "select jsonb_build_object('rows', (select count(*) from app.transactions) + (select count(*) from app.ledger_entries)
        + (select count(*) from audit.event_log) + (select count(*) from app.membership_levels))::text";
    assert_eq!(label(&reader.leave_open(&Call::new(Caller::Owner, read, &[])).await?), "ok");
    Ok(reader)
}

#[test]
fn no_call_of_a_client_ends_because_of_a_job() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(IMPATIENT).await?;
        db.run(NO_MONTHS).await?;
        let admin = db.admin("admin").await?;
        let clients = clients(db).await?;
        let (stop, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let of_months = vec![ensure_partitions()];
        let of_levels = vec![set_levels(&admin, 1000), set_levels(&admin, 1010)];
        let mut jobs = Vec::new();
        for calls in [of_months.clone(), of_months, other_jobs(), of_levels] {
            let session = db.session().await?;
            jobs.push(tokio::spawn(repeat(session, calls, Arc::clone(&stop), Arc::clone(&runs))));
        }
        let reader = long_reader(db).await?;
        let clients = all_work(clients, 1).await?;
        reader.commit().await?;
        let worked = all_work(clients, 2).await;
        stop.store(true, Ordering::Relaxed);
        for job in jobs {
            job.await??;
        }
        worked?;
        ensure!(runs.load(Ordering::Relaxed) > CLIENTS, "the jobs hardly ran");
        finish_months(db).await?;
        db.check_ledger().await
    })
}

#[test]
fn a_job_that_runs_already_is_answered_with_nothing_done() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(NO_MONTHS).await?;
        let running = db.session().await?;
        assert_eq!(label(&running.leave_open(&ensure_partitions()).await?), "ok");
        let second = db.call(ensure_partitions()).await?.ok().context("a second one waits or fails")?;
        assert_eq!(second.text("done"), "0");
        running.commit().await?;
        finish_months(db).await
    })
}

#[test]
fn a_log_that_somebody_holds_keeps_no_other_from_its_months() -> Result<()> {
    on_a_fresh_database(async |db| {
        db.run(NO_MONTHS).await?;
        let holder = db.session().await?;
        let hold = "select jsonb_build_object('rows', count(*))::text from app.ledger_entries";
        assert_eq!(label(&holder.leave_open(&Call::new(Caller::Owner, hold, &[])).await?), "ok");
        for _ in 0..STEPS_MAX {
            let step = db.call(ensure_partitions()).await?.ok().context("no step")?;
            if step.text("done") == "0" {
                break;
            }
        }
        let missing = "select string_agg(distinct table_name, ', ') from app.logs_without_partition()";
        assert_eq!(db.text(missing, &[]).await?, "app.ledger_entries");
        holder.commit().await?;
        finish_months(db).await
    })
}

#[test]
fn charges_go_on_while_their_merchant_is_settled() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let payers = db.members(2, "100.00").await?;
        let codes = [
            db.code(&payers[0].user, &payers[0].card).await?,
            db.code(&payers[1].user, &payers[1].card).await?,
        ];
        assert_ends(&[db.call(shop.charge(&codes[0], "1.00")).await?], &[("ok", 1)]);
        let merchant = db.text("select id::text from app.merchants", &[]).await?;
        let settling = db.session().await?;
        assert_eq!(label(&settling.leave_open(&settle(&merchant, "2020-01-01")).await?), "ok");
        assert_ends(&[db.call(shop.charge(&codes[1], "1.00")).await?], &[("ok", 1)]);
        settling.commit().await?;
        let settled_until = db.text("select max(period_end)::text from app.settlements", &[]).await?;
        assert_ends(&[db.call(settle(&merchant, &settled_until)).await?], &[("ok", 1)]);
        assert_eq!(db.text("select count(*)::text from app.settlement_items", &[]).await?, "2");
        db.check_ledger().await
    })
}

fn settle(merchant: &str, start: &str) -> Call {
    let statement = "select jsonb_build_object('id', public.generate_settlement($1::text::uuid, 'realtime',
        $2::text::timestamptz, statement_timestamp()))::text";
    Call::new(Caller::Service, statement, &[Some(merchant), Some(start)])
}
