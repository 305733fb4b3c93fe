//! The host's `WebCrypto`.

use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen, js_sys = worker::js_sys)]
extern "C" {
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = importKey, catch)]
    fn import_key(
        format: &str,
        key: &Uint8Array,
        algorithm: &JsValue,
        is_extractable: bool,
        usages: &Array,
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = sign, catch)]
    fn sign_with(algorithm: &str, key: &JsValue, message: &Uint8Array) -> Result<Promise, JsValue>;
}

const NAME: &str = "RSASSA-PKCS1-v1_5";

/// Signs with RSASSA-PKCS1-v1_5 and SHA-256.
pub(super) async fn sign(pkcs8: &Uint8Array, message: &Uint8Array) -> Result<Vec<u8>, JsValue> {
    let algorithm = Object::new();
    Reflect::set(&algorithm, &"name".into(), &NAME.into())?;
    Reflect::set(&algorithm, &"hash".into(), &"SHA-256".into())?;
    let usages = Array::of1(&"sign".into());
    let key = JsFuture::from(import_key("pkcs8", pkcs8, &algorithm, false, &usages)?).await?;
    let signature = JsFuture::from(sign_with(NAME, &key, message)?).await?;
    Ok(Uint8Array::new(&signature).to_vec())
}
