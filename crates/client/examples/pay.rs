//! A member shows a code, a shop quotes, charges and gives the money back, against any PostgREST that serves MPS:
//! `cargo run -p mps-client --example pay -- <PostgREST URL> <merchant code> <card id>`, tokens and key from the environment.

use std::env::{args, var};
use std::error::Error;

use mps_client::argument::RefundAmount;
use mps_client::rpc::{CardId, MerchantChargeByQr, MerchantRefundTx, QuotePayment, RotateCardQr};
use mps_client::{AccessToken, ApiKey, CallContext, Caller, Client, RequestId};
use mps_core::Money;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = args().skip(1);
    let mut next = || words.next().ok_or("<PostgREST URL> <merchant code> <card id>");
    let (url, merchant_code, card_id) = (next()?, next()?, CardId::parse(&next()?)?);
    let client = Client::of_postgrest(&url, ApiKey::parse(&var("MPS_PUBLISHABLE_KEY")?)?, None);
    let signed_in = |token: &str| -> Result<CallContext, Box<dyn Error>> {
        let caller = Caller::User(AccessToken::parse(&var(token)?)?);
        Ok(CallContext { caller, request_id: RequestId::parse("example-pay")? })
    };
    let (member, cashier) = (signed_in("MPS_MEMBER_TOKEN")?, signed_in("MPS_CASHIER_TOKEN")?);

    let code = client
        .call(&member, &RotateCardQr { card_id: &card_id, ttl_seconds: Some(60), amount_max: None })
        .await?;
    let (qr_plain, raw_amount) = (code.qr_plain.as_str(), Money::parse_price("12.50")?);
    let (key, merchant) = (format!("pay-{}", code.qr_expires_at), merchant_code.as_str());
    let quote = QuotePayment { merchant_code: merchant, qr_plain, raw_amount, terminal_code: None };
    let quote = client.call(&cashier, &quote).await?;
    let charge = MerchantChargeByQr {
        merchant_code: merchant,
        qr_plain,
        raw_amount,
        idempotency_key: Some(&key),
        tag: None,
        external_order_id: None,
        terminal_code: None,
    };
    let charge = client.call(&cashier, &charge).await?;
    let refund_amount = RefundAmount::parse(&charge.final_amount.to_string())?;
    let (original_tx_no, idempotency_key) = (charge.tx_no.clone(), Some(format!("{key}-refund")));
    let refund =
        MerchantRefundTx { merchant_code, original_tx_no, refund_amount, tag: None, idempotency_key };
    let refund = client.call(&cashier, &refund).await?;
    println!("{} {} {} {}", quote.final_amount, charge.tx_no, charge.final_amount, refund.refund_tx_no);
    Ok(())
}
