//! Codes that a phone makes without a network.

use mps_core::ErrorCode;
use mps_core::payment_code::{self, DeviceKey, Handle, Step, TerminalCode};
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

use crate::object::whole;
use crate::refusal::FieldRefusal;

/// The code of a device in the step that `unix_seconds` lies in: `72…` when it is for one terminal, else `71…`.
///
/// # Errors
/// `MALFORMED_ARGUMENT` with the field `handle` (10 digits), `device_key` (64 hexadecimal digits) or `now` (a whole number from
/// 0); `TERMINAL_NOT_FOUND` with the field `terminal`.
#[allow(clippy::needless_pass_by_value, reason = "wasm-bindgen hands optional text over as owned")]
#[wasm_bindgen(js_name = offlineCode)]
pub fn offline_code(
    handle: &str,
    device_key: String,
    unix_seconds: f64,
    terminal: Option<String>,
) -> Result<String, FieldRefusal> {
    let device_key = Zeroizing::new(device_key);
    let about = |field| move |code: ErrorCode| FieldRefusal { code, field };
    let handle = Handle::parse(handle).map_err(about("handle"))?;
    let device_key = DeviceKey::parse(&device_key).map_err(about("device_key"))?;
    let step = Step::at(whole(unix_seconds).map_err(|refusal| about("now")(refusal.0))?);
    let terminal = terminal.as_deref().map(TerminalCode::parse).transpose().map_err(about("terminal"))?;
    Ok(payment_code::offline_code(&handle, &device_key, step, terminal.as_ref()).reveal().to_owned())
}
