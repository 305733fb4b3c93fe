//! What the RPCs of shared cards hold under concurrency: guessed passwords, the last owner, rights that an RPC takes away.

use anyhow::Result;
use mps_db_tests::call::{Caller, label};
use mps_db_tests::{Call, assert_ends, on_a_fresh_database};

const GUESSES: usize = 50;

/// A call whose answer's only column is `done`.
fn call(user: &str, rpc: &str, arguments: &[&str]) -> Call {
    let places = ["$1::text::uuid", "$2::text::uuid", "$3::text", "$4::text"];
    let places = places[..arguments.len()].join(", ");
    let arguments: Vec<Option<&str>> = arguments.iter().copied().map(Some).collect();
    let statement = format!("select jsonb_build_object('done', public.{rpc}({places}))::text");
    Call::new(Caller::User(user.to_owned()), statement, &arguments)
}

#[test]
fn of_fifty_passwords_guessed_at_once_five_are_looked_at() -> Result<()> {
    on_a_fresh_database(async |db| {
        let owner = db.member("owner", "0").await?;
        let guesser = db.member("guesser", "0").await?;
        let card = db.shared_card("100.00", std::slice::from_ref(&owner)).await?;
        db.run("update app.card_bindings set role = 'owner'").await?;
        let id = db.member_id(&guesser).await?;
        let calls = (0..GUESSES)
            .map(|guess| {
                let password = format!("guess {guess}");
                call(&guesser.user, "bind_member_to_card", &[&card, &id, "member", &password])
            })
            .collect();
        let outcomes = db.at_once(calls).await?;

        assert_ends(&outcomes, &[("ok", 5), ("PT423 BINDING_LOCKED", GUESSES - 5)]);
        assert!(outcomes.iter().flatten().all(|answer| answer.text("done") == "false"));
        let counted = db.text("select sum(wrong)::text from app.binding_attempt_days", &[]).await?;
        assert_eq!(counted, "5");
        Ok(())
    })
}

#[test]
fn of_two_owners_who_leave_at_once_one_stays() -> Result<()> {
    on_a_fresh_database(async |db| {
        let owners = [db.member("one", "0").await?, db.member("two", "0").await?];
        let card = db.shared_card("100.00", &owners).await?;
        db.run("update app.card_bindings set role = 'owner'").await?;
        let mut calls = Vec::new();
        for owner in &owners {
            let id = db.member_id(owner).await?;
            calls.push(call(&owner.user, "unbind_member_from_card", &[&card, &id]));
        }
        let outcomes = db.at_once(calls).await?;

        assert_ends(&outcomes, &[("ok", 1), ("PT409 CANNOT_REMOVE_LAST_OWNER", 1)]);
        let left =
            "select count(*)::text from app.card_bindings where card_id = $1::text::uuid and role = 'owner'";
        assert_eq!(db.text(left, &[&card]).await?, "1");
        Ok(())
    })
}

#[test]
fn a_suspension_waits_for_a_charge_of_a_card_that_he_got_meanwhile() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let house = db.admin("admin").await?;
        let (owner, payer) = (db.member("owner", "0").await?, db.member("payer", "0").await?);
        let shared = db.shared_card("100.00", std::slice::from_ref(&owner)).await?;
        db.run("update app.card_bindings set role = 'owner'").await?;
        let payer_id = db.member_id(&payer).await?;
        let holder = db.session().await?;
        assert_eq!(label(&holder.leave_open(&call(&payer.user, "freeze_card", &[&payer.card])).await?), "ok");
        let suspension = db.start_behind(&holder, call(&house, "admin_suspend_member", &[&payer_id])).await?;

        let bound =
            db.call(call(&owner.user, "bind_member_to_card", &[&shared, &payer_id, "member"])).await?;
        assert_eq!(label(&bound), "ok");
        let code = db.code(&payer.user, &shared).await?;
        let till = db.session().await?;
        assert_eq!(label(&till.leave_open(&shop.charge(&code, "1.00").into()).await?), "ok");
        holder.commit().await?;
        let suspension = db.until_it_waits(suspension, &till).await?;
        till.commit().await?;
        assert_eq!(label(&suspension.outcome().await?), "ok");
        db.check_ledger().await
    })
}

#[test]
fn a_charge_that_waits_for_an_rpc_hears_what_it_did() -> Result<()> {
    on_a_fresh_database(async |db| {
        let shop = db.shop("SHOP1").await?;
        let house = db.admin("admin").await?;
        let owner = db.member("owner", "0").await?;
        let payer = db.member("payer", "1000.00").await?;
        let shared = db.shared_card("100.00", &[owner.clone(), payer.clone()]).await?;
        let set_owner = "update app.card_bindings set role = 'owner' where member_id = fx.member_id('";
        db.run(&format!("{set_owner}{}')", owner.user)).await?;
        let payer_id = db.member_id(&payer).await?;
        let losses = [
            (&shared, call(&owner.user, "freeze_card", &[&shared]), "PT409 CARD_NOT_ACTIVE"),
            (
                &shared,
                call(&owner.user, "unbind_member_from_card", &[&shared, &payer_id]),
                "PT409 QR_EXPIRED_OR_INVALID",
            ),
            (&payer.card, call(&house, "admin_suspend_member", &[&payer_id]), "PT409 MEMBER_NOT_ACTIVE"),
        ];
        for (card, loss, refusal) in losses {
            let code = db.code(&payer.user, card).await?;
            let session = db.session().await?;
            assert_eq!(label(&session.leave_open(&loss).await?), "ok");
            let waiting = db.start_behind(&session, shop.charge(&code, "1.00")).await?;
            session.commit().await?;
            assert_eq!(label(&waiting.outcome().await?), refusal);
            db.run("update app.cards set status = 'active' where status = 'frozen'").await?;
        }
        assert_eq!(db.payments().await?, 0);
        db.check_ledger().await
    })
}
