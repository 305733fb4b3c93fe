//! The configuration's keys as a page for people, from the same types as the JSON Schema.

use std::fmt::Write as _;

use serde_json::Value;

const HEAD: &str = "# Configuration reference

Every key of `mps.yml`, by `mps config reference`; [deploy/config](../../deploy/config/README.md) says how it is used. A key that is not here is refused by name.
Secrets are no keys: [secrets.md](secrets.md).

| Key | Type | Default | What |
|---|---|---|---|
";

/// Markdown.
pub(super) fn markdown(schema: &Value) -> String {
    let mut text = HEAD.to_owned();
    rows(schema, schema, "", &schema["default"], &mut text);
    text
}

fn rows(schema: &Value, object: &Value, path: &str, defaults: &Value, text: &mut String) {
    let required: Vec<&str> =
        object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in object["properties"].as_object().into_iter().flatten() {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let target = resolved(schema, property);
        let default =
            [&property["default"], &defaults[name.as_str()]].into_iter().find(|value| !value.is_null());
        let default = default.unwrap_or(&Value::Null);
        let description = [&property["description"], &target["description"]];
        let description = description.into_iter().find_map(Value::as_str).unwrap_or_default();
        if target["properties"].is_object() {
            let what = if required.contains(&name.as_str()) { "needed" } else { "" };
            let _ = writeln!(text, "| **`{key}`** | | {what} | {} |", cell(description));
            rows(schema, target, &key, default, text);
            continue;
        }
        let shown = match default {
            _ if required.contains(&name.as_str()) => "needed".to_owned(),
            Value::Null => "–".to_owned(),
            value => format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        };
        let _ = writeln!(text, "| `{key}` | {} | {shown} | {} |", kind(schema, target), cell(description));
    }
}

/// What a reference, or a choice of one and nothing, stands for.
fn resolved<'a>(schema: &'a Value, property: &'a Value) -> &'a Value {
    if let Some(name) = property["$ref"].as_str().and_then(|text| text.strip_prefix("#/$defs/")) {
        return resolved(schema, &schema["$defs"][name]);
    }
    let choices = property["anyOf"].as_array().into_iter().flatten();
    choices
        .filter(|choice| choice["type"] != "null")
        .map(|choice| resolved(schema, choice))
        .next()
        .unwrap_or(property)
}

fn kind(schema: &Value, target: &Value) -> String {
    if let Some(values) = target["enum"].as_array() {
        let values: Vec<String> =
            values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    let name = match &target["type"] {
        Value::Array(types) => {
            types.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        one => one.as_str().unwrap_or_default(),
    };
    match name {
        "array" => format!("list of {}", kind(schema, resolved(schema, &target["items"]))),
        "string" => "text".to_owned(),
        "integer" => "number".to_owned(),
        "boolean" => "`true`, `false`".to_owned(),
        other => other.to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::render;

    #[test]
    fn the_committed_page_is_that_of_the_keys() {
        let committed = include_str!("../../../../docs/operations/configuration.md");
        assert_eq!(
            committed,
            render::reference(),
            "run `mps config reference > docs/operations/configuration.md`"
        );
        for key in [
            "| `app.environment` | `development`, `staging`, `production` | needed |",
            "| `security.rate_limit.max_requests` | number |",
        ] {
            assert!(committed.contains(key), "{key}");
        }
    }
}
