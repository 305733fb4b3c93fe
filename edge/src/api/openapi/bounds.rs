//! What the types of a field cannot say of its bounds.

use mps_core::limits;
use serde_json::{Value, json};

/// Bounds that the types cannot say, by the names that fields have everywhere.
pub(super) fn bounded(name: &str, mut schema: Value) -> Value {
    let bounds = match name {
        "limit" => json!({"minimum": 1, "maximum": limits::page::ROWS_MAX}),
        "offset" => json!({"minimum": 0}),
        "ttl_seconds" => {
            json!({"minimum": limits::code::LIFETIME_SECONDS_MIN, "maximum": limits::code::LIFETIME_SECONDS_MAX})
        }
        // Its last digit is a check digit, which no pattern says.
        "qr_plain" => json!({"pattern": "^7[0-2][0-9]{22}$"}),
        _ => return schema,
    };
    for (bound, value) in bounds.as_object().into_iter().flatten() {
        schema[bound] = value.clone();
    }
    schema
}

mod tests {
    use serde_json::json;

    use crate::routes;

    #[test]
    fn a_field_has_the_bounds_that_the_server_holds_it_to() {
        let mut found = std::collections::BTreeMap::<String, usize>::new();
        for operation in routes::declared().operations {
            for (name, schema, _) in operation.fields() {
                let holds = match name.as_str() {
                    "limit" => schema["minimum"] == 1 && schema["maximum"] == 200,
                    "offset" => schema["minimum"] == 0,
                    "ttl_seconds" => schema["minimum"] == 60 && schema["maximum"] == 86400,
                    "qr_plain" => schema["pattern"].is_string(),
                    "tag" => schema["type"] == json!(["object", "null"]),
                    "raw_amount" | "refund_amount" | "amount" => {
                        schema["allOf"] == json!([{"pattern": "[1-9]"}])
                    }
                    _ => continue,
                };
                assert!(holds, "{}: {name} {schema}", operation.path);
                *found.entry(name).or_default() += 1;
            }
        }
        assert!(found.len() == 8 && found["limit"] >= 10, "{found:?}");
    }
}
