//! The host's `WebCrypto`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;

use super::{PublicKey, Signature};

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

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = verify, catch)]
    fn verify_with(
        algorithm: &JsValue,
        key: &JsValue,
        signature: &Uint8Array,
        message: &Uint8Array,
    ) -> Result<Promise, JsValue>;
}

const RSA: &str = "RSASSA-PKCS1-v1_5";

/// Those of a project and of the providers, while they change.
const KEYS_MAX: usize = 256;

thread_local! {
    /// Public keys as the host has them, by their DER: to read one takes longer than to verify.
    static KEYS: RefCell<HashMap<Arc<[u8]>, JsValue>> = RefCell::default();
}

fn object(pairs: &[(&str, &str)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (name, value) in pairs {
        Reflect::set(&object, &(*name).into(), &(*value).into())?;
    }
    Ok(object.into())
}

/// Signs with RSASSA-PKCS1-v1_5 and SHA-256.
pub(super) async fn sign(pkcs8: &Uint8Array, message: &Uint8Array) -> Result<Vec<u8>, JsValue> {
    let algorithm = object(&[("name", RSA), ("hash", "SHA-256")])?;
    let usages = Array::of1(&"sign".into());
    let key = JsFuture::from(import_key("pkcs8", pkcs8, &algorithm, false, &usages)?).await?;
    let signature = JsFuture::from(sign_with(RSA, &key, message)?).await?;
    Ok(Uint8Array::new(&signature).to_vec())
}

/// Whether the key has signed the message.
pub(super) async fn verify(
    key: &PublicKey,
    message: &Uint8Array,
    signature: &Uint8Array,
) -> Result<bool, JsValue> {
    let algorithm = match key.signature {
        Signature::Es256 => object(&[("name", "ECDSA"), ("namedCurve", "P-256"), ("hash", "SHA-256")])?,
        Signature::Rs256 => object(&[("name", RSA), ("hash", "SHA-256")])?,
    };
    let known = KEYS.with_borrow(|keys| keys.get(&key.spki).cloned());
    let imported = match known {
        Some(imported) => imported,
        None => import(key, &algorithm).await?,
    };
    let verified = JsFuture::from(verify_with(&algorithm, &imported, signature, message)?).await?;
    Ok(verified.is_truthy())
}

async fn import(key: &PublicKey, algorithm: &JsValue) -> Result<JsValue, JsValue> {
    let usages = Array::of1(&"verify".into());
    let spki = Uint8Array::from(&*key.spki);
    let imported = JsFuture::from(import_key("spki", &spki, algorithm, false, &usages)?).await?;
    KEYS.with_borrow_mut(|keys| {
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(key.spki.clone(), imported.clone());
    });
    Ok(imported)
}
