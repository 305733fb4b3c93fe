//! Nothing that holds a key, a token, a code or a password shows it to whoever prints it.

use std::error::Error;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use mps_client::argument::Secret;
use mps_client::rpc::{
    BindMemberToCard, CardId, EnrolledDevice, IssuedCode, MemberId, SetCardBindingPassword, TestConnection,
};
use mps_client::transport::{Answer, Carried, Lost, Transport};
use mps_client::{AccessToken, ApiKey, CallContext, Caller, Client, RequestId};

/// Stands for every secret, so that one word is looked for.
const SECRET: &str = "hush";
const ID: &str = "0193b5a0-0000-7000-8000-00000000000a";

fn assert_silent(value: &impl Debug) {
    for printed in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!printed.contains(SECRET), "{printed}");
        // Bytes are printed as numbers.
        assert!(!printed.contains(&format!("{:?}", SECRET.as_bytes()).replace(['[', ']'], "")), "{printed}");
    }
}

#[test]
fn keys_and_tokens_are_not_printed() -> Result<(), Box<dyn Error>> {
    let token = AccessToken::parse(SECRET)?;
    assert_silent(&ApiKey::parse(SECRET)?);
    assert_silent(&token);
    let caller = Caller::User(token);
    assert_silent(&caller);
    assert_silent(&CallContext { caller, request_id: RequestId::parse("req-1")? });
    Ok(())
}

#[test]
fn codes_device_keys_and_passwords_are_not_printed() -> Result<(), Box<dyn Error>> {
    let issued = format!(r#"{{"qr_plain":"{SECRET}","qr_expires_at":"2026-11-27T00:00:00Z"}}"#);
    assert_silent(&serde_json::from_str::<IssuedCode>(&issued)?);
    let enrolled = format!(r#"{{"handle":"4242424242","device_key":"{SECRET}"}}"#);
    assert_silent(&serde_json::from_str::<EnrolledDevice>(&enrolled)?);
    let password: Secret = SECRET.parse()?;
    assert_silent(&password);
    let (card_id, member_id) = (CardId::parse(ID)?, MemberId::parse(ID)?);
    assert_silent(&SetCardBindingPassword { card_id: card_id.clone(), password: Some(password.clone()) });
    assert_silent(&BindMemberToCard { card_id, member_id, role: None, binding_password: Some(password) });
    assert_silent(&Answer { status: 200, body: Some(issued.into_bytes()) });
    Ok(())
}

/// Keeps how the head of a request prints. Its body is text and stays so: it prints as it is.
#[derive(Default)]
struct Printing(Mutex<Vec<String>>);

impl Transport for Printing {
    fn carry(&self, request: http::Request<String>, _body_bytes_max: usize) -> Carried {
        let (head, _body) = request.into_parts();
        if let Ok(mut printed) = self.0.lock() {
            printed.push(format!("{head:?}"));
        }
        Box::pin(async { Err(Lost("NETWORK")) })
    }
}

#[tokio::test]
async fn the_headers_of_a_request_are_printed_without_key_and_token() -> Result<(), Box<dyn Error>> {
    let transport = Arc::new(Printing::default());
    let key = || ApiKey::parse(SECRET);
    let client = Client::over(transport.clone(), "http://127.0.0.1:1", key()?, Some(key()?));
    for caller in [Caller::Anonymous, Caller::User(AccessToken::parse(SECRET)?), Caller::Service] {
        let context = CallContext { caller, request_id: RequestId::parse("req-1")? };
        assert!(client.call(&context, &TestConnection {}).await.is_err());
    }
    let printed = transport.0.lock().map_err(|_| "poisoned")?;
    assert_eq!(printed.len(), 3);
    for head in printed.iter() {
        assert!(head.contains("apikey") && head.contains("req-1"), "{head}");
        assert!(!head.contains(SECRET), "{head}");
    }
    assert!(printed[1].contains("authorization"), "{}", printed[1]);
    Ok(())
}
