//! Payment codes against spec/vectors/payment-code.json.
#![allow(clippy::unwrap_used, reason = "a vector file that does not read fails the test")]

use mps_core::ErrorCode;
use mps_core::payment_code::{
    CodeKind, CodeParts, DeviceKey, Handle, MasterKey, PaymentCode, Step, TerminalCode, offline_code,
};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../spec/vectors/payment-code.json");

fn cases(group: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors[group].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{case} has no {key}"))
}

fn bytes(hex: &str) -> [u8; 32] {
    assert_eq!(hex.len(), 64);
    std::array::from_fn(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap())
}

#[test]
fn an_online_code_parses_and_is_stored_as_its_hash() {
    for case in cases("online") {
        let code = PaymentCode::parse(text(&case, "code")).unwrap();
        assert_eq!((code.kind(), code.parts()), (CodeKind::Online, CodeParts::Online), "{case}");
        assert_eq!(&code.reveal()[2..23], text(&case, "body"), "{case}");
        let master_key = MasterKey::new(bytes(text(&case, "master_key")));
        assert_eq!(master_key.code_hash(&code), bytes(text(&case, "code_hash")), "{case}");
    }
}

#[test]
fn an_offline_code_is_made_from_the_device_key_the_step_and_the_terminal() {
    for case in cases("offline") {
        let handle = Handle::parse(text(&case, "handle")).unwrap();
        let device_key = MasterKey::new(bytes(text(&case, "master_key"))).device_key(&handle);
        assert_eq!(device_key.reveal(), &bytes(text(&case, "device_key")), "{case}");
        let step = Step::at(text(&case, "unix_seconds").parse().unwrap());
        assert_eq!(step.number().to_string(), text(&case, "step"), "{case}");
        let terminal = TerminalCode::parse(text(&case, "terminal")).ok();
        let device_key = DeviceKey::new(*device_key.reveal());
        assert_eq!(
            device_key.one_time_password(step, terminal.as_ref()).reveal(),
            text(&case, "otp"),
            "{case}"
        );
        let code = offline_code(&handle, &device_key, step, terminal.as_ref());
        assert_eq!(code.reveal(), text(&case, "code"), "{case}");
        assert_eq!(PaymentCode::parse(code.reveal()), Ok(code), "{case}");
    }
}

#[test]
fn an_offline_code_names_its_handle_and_password() {
    for case in cases("offline") {
        let (handle, otp, is_bound) = match PaymentCode::parse(text(&case, "code")).unwrap().parts() {
            CodeParts::Online => panic!("{case} is offline"),
            CodeParts::Offline { handle, otp } => (handle, otp, false),
            CodeParts::OfflineTerminal { handle, otp } => (handle, otp, true),
        };
        assert_eq!((handle.as_str(), otp.reveal()), (text(&case, "handle"), text(&case, "otp")), "{case}");
        assert_eq!(is_bound, !text(&case, "terminal").is_empty(), "{case}");
    }
}

#[test]
fn text_that_is_no_code_is_invalid_qr() {
    for case in cases("invalid") {
        assert_eq!(text(&case, "err"), ErrorCode::InvalidQr.as_str());
        assert_eq!(PaymentCode::parse(text(&case, "text")), Err(ErrorCode::InvalidQr), "{case}");
    }
}
