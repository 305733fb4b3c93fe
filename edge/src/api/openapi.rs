//! `openapi.json`: written from the declared routes, their types, and the comments of the RPCs behind them. The test that
//! compares it with the committed file writes it instead when `MPS_CODEGEN` is set; `cargo xtask codegen` does that.

mod bounds;

use std::collections::{BTreeMap, BTreeSet};

use mps_client::{Call, Repeat};
use mps_core::ErrorCode;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Way;

/// One declared route.
pub(crate) struct Operation {
    pub(crate) way: Way,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) rpc: &'static str,
    pub(crate) repeat: Repeat,
    input: Schema,
    output: fn(&mut SchemaGenerator) -> Schema,
}

impl Operation {
    pub(super) fn of<C: Call, I: JsonSchema, O: JsonSchema>(
        way: Way,
        path: &'static str,
        name: &'static str,
    ) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
        let input = settings.for_deserialize().into_generator().into_root_schema_for::<I>();
        let output = |generator: &mut SchemaGenerator| generator.subschema_for::<O>();
        Self { way, path, name, rpc: C::RPC, repeat: C::REPEAT, input, output }
    }

    pub(crate) fn method(&self) -> &'static str {
        match self.way {
            Way::Get => "get",
            Way::Delete => "delete",
            Way::Post | Way::PostKeyed => "post",
            Way::Put => "put",
            Way::Patch => "patch",
        }
    }

    fn document(&self, generator: &mut SchemaGenerator, comments: &Comments) -> Value {
        let (about, mut codes) = comments.of(self.rpc);
        for code in self.codes_of_the_edge() {
            codes.insert(code.as_str().to_owned());
        }
        let mut operation = json!({
            "operationId": self.name,
            "tags": [self.path.split('/').nth(2).unwrap_or_default()],
            "description": about,
            "x-mps-codes": codes,
            "x-mps-rpc": self.rpc,
            "x-mps-retry": match self.repeat { Repeat::Always => "always", Repeat::Keyed => "keyed", Repeat::Never => "never" },
            "security": [{"bearer": []}],
            "parameters": self.parameters(),
            "responses": self.responses(&(self.output)(generator), &codes),
        });
        if let Some(body) = self.body() {
            operation["requestBody"] = body;
        }
        if EDGE_ONLY.contains(&self.rpc) {
            operation["x-mps-edge-only"] = json!(true);
        }
        operation
    }

    fn codes_of_the_edge(&self) -> Vec<ErrorCode> {
        use ErrorCode as C;
        let mut codes =
            vec![C::NotAuthenticated, C::MalformedArgument, C::Unavailable, C::NotConfigured, C::Internal];
        codes.push(C::RateLimited);
        if self.way.has_body() {
            codes.extend([C::BodyTooLarge, C::UnsupportedMediaType, C::MalformedBody]);
        }
        if self.way.is_keyed() {
            codes.extend([C::IdempotencyKeyRequired, C::IdempotencyKeyInvalid]);
        }
        codes
    }

    fn path_names(&self) -> Vec<&'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    /// Name, schema with its bounds, whether it is required, of every field of the input.
    fn fields(&self) -> Vec<(String, Value, bool)> {
        let required = self.input.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(properties) = self.input.get("properties").and_then(Value::as_object) else { return vec![] };
        properties
            .iter()
            .map(|(name, schema)| {
                (name.clone(), bounds::bounded(name, schema.clone()), required.contains(&json!(name)))
            })
            .collect()
    }

    fn parameters(&self) -> Value {
        let names = self.path_names();
        let mut all: Vec<Value> = names
            .iter()
            .map(|name| {
                let (_, schema, _) = self
                    .fields()
                    .into_iter()
                    .find(|field| field.0 == *name)
                    .unwrap_or_else(|| panic!("{}: the input has no field {name}", self.path));
                json!({"name": name, "in": "path", "required": true, "schema": schema})
            })
            .collect();
        if self.way.is_keyed() {
            all.push(json!({"name": "Idempotency-Key", "in": "header", "required": true,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}}));
        }
        if !self.way.has_body() {
            all.extend(self.fields().into_iter().filter(|(name, _, _)| !names.contains(&name.as_str())).map(
                |(name, schema, required)| json!({"name": name, "in": "query", "required": required, "schema": schema}),
            ));
        }
        Value::Array(all)
    }

    fn body(&self) -> Option<Value> {
        let names = self.path_names();
        let fields: Vec<_> = self
            .fields()
            .into_iter()
            .filter(|(name, _, _)| !names.contains(&name.as_str()))
            .filter(|(name, _, _)| !(self.way.is_keyed() && name == "idempotency_key"))
            .collect();
        if !self.way.has_body() || fields.is_empty() {
            return None;
        }
        let required: Vec<&String> = fields.iter().filter(|field| field.2).map(|field| &field.0).collect();
        let properties: Map<String, Value> =
            fields.iter().map(|(name, schema, _)| (name.clone(), schema.clone())).collect();
        let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        // A body without a field that must be there may be left out.
        Some(json!({"required": !required.is_empty(), "content": {"application/json": {"schema": schema}}}))
    }

    fn responses(&self, output: &Schema, codes: &BTreeSet<String>) -> Value {
        let mut ok = json!({"description": "Done", "content": {"application/json": {"schema": output}}});
        if self.way.is_keyed() {
            ok["headers"] = json!({"Idempotency-Replayed": {"description": "`true`: the answer of an earlier request with the same key",
                "schema": {"const": "true"}}});
        }
        let mut all = Map::from_iter([("200".to_owned(), ok)]);
        let statuses: BTreeSet<u16> = codes
            .iter()
            .map(|code| {
                code.parse::<ErrorCode>().unwrap_or_else(|_| panic!("{}: no code {code}", self.rpc)).status()
            })
            .collect();
        for status in statuses {
            all.insert(status.to_string(), json!({"$ref": "#/components/responses/Problem"}));
        }
        Value::Object(all)
    }
}

/// What docs/rpcs.md says of every RPC: one sentence or two, and the codes it may refuse with.
struct Comments(BTreeMap<String, String>);

impl Comments {
    fn read() -> Self {
        let text = include_str!("../../../docs/rpcs.md");
        let sections = text.split("\n## ").skip(1);
        Self(
            sections
                .filter_map(|section| {
                    Some((section.lines().next()?.to_owned(), section.rsplit(" · ").next()?.to_owned()))
                })
                .collect(),
        )
    }

    fn of(&self, rpc: &str) -> (String, BTreeSet<String>) {
        let comment = self.0.get(rpc).unwrap_or_else(|| panic!("docs/rpcs.md has no {rpc}"));
        let (about, errors) = comment.split_once(" Errors").unwrap_or((comment, ""));
        let words = errors.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let mut codes: BTreeSet<String> =
            words.clone().filter(|word| word.parse::<ErrorCode>().is_ok()).map(str::to_owned).collect();
        if errors.contains("those of") {
            let other = words.clone().find(|word| self.0.contains_key(*word)).unwrap_or_default();
            codes.extend(self.of(other).1);
        }
        // The edge answers a wrong password, which the database counts and returns, as a refusal.
        if rpc == "bind_member_to_card" {
            codes.insert(ErrorCode::InvalidBindingPassword.as_str().to_owned());
        }
        (about.trim().to_owned(), codes)
    }
}

pub(crate) fn document(operations: &[Operation]) -> Value {
    let comments = Comments::read();
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.for_serialize().into_generator();
    let mut paths = BTreeMap::<&str, Map<String, Value>>::new();
    for operation in operations {
        let document = operation.document(&mut generator, &comments);
        let twice = paths.entry(operation.path).or_default().insert(operation.method().to_owned(), document);
        assert!(twice.is_none(), "{} {} is there twice", operation.method(), operation.path);
    }
    for webhook in WEBHOOKS {
        paths.insert(webhook.path, Map::from_iter([("post".to_owned(), webhook.document())]));
    }
    for route in PLAIN {
        paths.insert(route.path, Map::from_iter([(route.method.to_owned(), route.document())]));
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {"title": "MPS, the Member Payment System", "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON in and out; amounts are decimal strings (a request may send a number), times RFC 3339 in UTC.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": {"description": "A refusal or a failure; which codes can occur: x-mps-codes of the operation",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "An access token of Supabase Auth"},
                "operator": {"type": "http", "scheme": "bearer", "description": "OPS_TOKEN; for /metrics also METRICS_TOKEN"}},
        },
    })
}

/// RPCs that are half of what their route does: the other half is asking a payment provider.
const EDGE_ONLY: &[&str] = &["create_recharge_order"];

/// What a payment provider calls. What it sends, and how it is answered, its own manual says.
struct Webhook {
    path: &'static str,
    name: &'static str,
    about: &'static str,
    request: &'static str,
    /// The status that acknowledges, the content type of an answer, and the schema of one that does not.
    answers: fn() -> (&'static str, &'static str, Value),
}

const WEBHOOKS: &[Webhook] = &[
    Webhook {
        path: "/api/webhooks/wechat",
        name: "notifyByWechat",
        about: "WeChat Pay's notification, API v3: its signature counts. 204 acknowledges, anything else is repeated.",
        request: "application/json",
        answers: || {
            let schema = json!({"type": "object", "required": ["code", "message"], "additionalProperties": false,
                "properties": {"code": {"const": "FAIL"}, "message": {"type": "string", "pattern": "^[A-Z_]+$"}}});
            ("204", "application/json", schema)
        },
    },
    Webhook {
        path: "/api/webhooks/alipay",
        name: "notifyByAlipay",
        about: "Alipay's notification: its signature counts, RSA2 only. `success` acknowledges, anything else is repeated.",
        request: "application/x-www-form-urlencoded",
        answers: || ("200", "text/plain", json!({"type": "string", "const": "fail"})),
    },
];

/// What a notification may be refused with.
const WEBHOOK_CODES: &[ErrorCode] = &[
    ErrorCode::NotAuthenticated,
    ErrorCode::BodyTooLarge,
    ErrorCode::MalformedBody,
    ErrorCode::InvalidRechargeAmount,
    ErrorCode::MalformedArgument,
    ErrorCode::PermissionDenied,
    ErrorCode::RechargeOrderNotFound,
    ErrorCode::RechargeOrderStatusConflict,
    ErrorCode::Unavailable,
    ErrorCode::NotConfigured,
    ErrorCode::Internal,
];

impl Webhook {
    fn document(&self) -> Value {
        let (status, content_type, schema) = (self.answers)();
        let ok = match status {
            "204" => json!({"description": "Acknowledged"}),
            _ => {
                json!({"description": "Acknowledged", "content": {content_type: {"schema": {"type": "string", "const": "success"}}}})
            }
        };
        let mut responses = Map::from_iter([(status.to_owned(), ok)]);
        for code in WEBHOOK_CODES {
            let refusal =
                json!({"description": "Not acknowledged", "content": {content_type: {"schema": schema}}});
            responses.insert(code.status().to_string(), refusal);
        }
        let codes: Vec<&str> = WEBHOOK_CODES.iter().map(|code| code.as_str()).collect();
        json!({"operationId": self.name, "tags": ["webhooks"], "description": self.about, "security": [],
            "x-mps-codes": codes, "x-mps-rpc": "complete_recharge_order",
            "requestBody": {"required": true, "content": {self.request: {"schema": {"type": "object"}}}},
            "responses": responses})
    }
}

/// A route outside `/api/`: for who runs the service.
struct Plain {
    method: &'static str,
    path: &'static str,
    name: &'static str,
    about: &'static str,
    content: &'static str,
    codes: &'static [ErrorCode],
}

const FOR_OPERATORS: &[ErrorCode] = &[ErrorCode::NotAuthenticated, ErrorCode::NotConfigured];

const PLAIN: &[Plain] = &[
    plain("get", "/health", "health", "The process is up; nothing else is asked", &[]),
    plain(
        "get",
        "/ready",
        "ready",
        "The database answers, with the schema that this build was made for",
        &[ErrorCode::NotConfigured, ErrorCode::Unavailable],
    ),
    plain("get", "/openapi.json", "openapi", "This document", &[]),
    plain("get", "/ops/cron", "listJobs", "The jobs that run by the clock and when", FOR_OPERATORS),
    plain(
        "post",
        "/ops/cron/{name}",
        "runJob",
        "Runs a job now, to its end",
        &[
            ErrorCode::NotAuthenticated,
            ErrorCode::NotConfigured,
            ErrorCode::NotFound,
            ErrorCode::Unavailable,
            ErrorCode::Internal,
        ],
    ),
    Plain {
        content: "text/plain",
        ..plain(
            "get",
            "/metrics",
            "metrics",
            "Counters and durations, for Prometheus",
            &[ErrorCode::NotAuthenticated, ErrorCode::NotConfigured, ErrorCode::Unavailable],
        )
    },
];

const fn plain(
    method: &'static str,
    path: &'static str,
    name: &'static str,
    about: &'static str,
    codes: &'static [ErrorCode],
) -> Plain {
    Plain { method, path, name, about, content: "application/json", codes }
}

impl Plain {
    fn document(&self) -> Value {
        let schema = match (self.content, self.name) {
            ("text/plain", _) => json!({"type": "string"}),
            (_, "listJobs") => json!({"type": "array", "items": {"type": "object"}}),
            _ => json!({"type": "object"}),
        };
        let ok = json!({"description": "Done", "content": {self.content: {"schema": schema}}});
        let mut responses = Map::from_iter([("200".to_owned(), ok)]);
        for code in self.codes {
            responses.insert(code.status().to_string(), json!({"$ref": "#/components/responses/Problem"}));
        }
        let is_open = !self.codes.contains(&ErrorCode::NotAuthenticated);
        let security = if is_open { json!([]) } else { json!([{"operator": []}]) };
        let mut operation = json!({"operationId": self.name, "tags": ["ops"], "summary": self.about,
            "security": security, "x-mps-codes": self.codes.iter().map(|code| code.as_str()).collect::<Vec<_>>(),
            "responses": responses});
        if self.path.contains("{name}") {
            let names: Vec<&str> = crate::crons::ALL.iter().map(|cron| cron.name).collect();
            operation["parameters"] =
                json!([{"name": "name", "in": "path", "required": true, "schema": {"enum": names}}]);
        }
        operation
    }
}

/// RFC 9457, as `problem.rs` writes it.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A refusal or a failure (RFC 9457); branch on `code`",
        "required": ["type", "title", "status", "code", "retry", "params", "instance"],
        "additionalProperties": false,
        "properties": {
            "type": {"type": "string", "pattern": "^urn:mps:error:[A-Z_]+$"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "pattern": "^[A-Z_]+$"},
            "retry": {"enum": ["never", "after_fix", "same_key", "check_first"]},
            "params": {"type": "object"},
            "instance": {"type": "string", "description": "The request id"},
            "key_cancelled": {"const": true, "description": "Only when the request's key is cancelled: nothing was done with it and nothing ever will be"},
        },
    })
}

mod tests {
    use super::{Way, document};
    use crate::routes;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

    /// RPCs without a route of their own, and why.
    const WITHOUT_ROUTE: &[(&str, &str)] = &[
        ("test_connection", "/ready"),
        ("report_refusal", "the edge's own"),
        ("bind_external_identity", "service only: the backend that has the provider's proof calls it"),
        ("complete_recharge_order", "/api/webhooks/wechat and /api/webhooks/alipay"),
        ("report_recharge_event", "/api/webhooks/wechat and /api/webhooks/alipay"),
        ("take_recharge_orders_to_query", "the job query_recharge_orders"),
    ];

    #[test]
    fn the_committed_openapi_is_what_the_routes_say() {
        let text =
            serde_json::to_string_pretty(&document(&routes::declared().operations)).expect("JSON") + "\n";
        if std::env::var_os("MPS_CODEGEN").is_some() {
            std::fs::write(COMMITTED, &text).expect("edge/openapi.json");
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
        assert!(committed == text, "edge/openapi.json is stale: run `cargo xtask codegen`");
    }

    #[test]
    fn every_rpc_has_exactly_one_route() {
        let comments = super::Comments::read();
        let operations = routes::declared().operations;
        for rpc in comments.0.keys() {
            let routes = operations.iter().filter(|operation| operation.rpc == rpc).count();
            let has_none = rpc.starts_with("cron_") || WITHOUT_ROUTE.iter().any(|(name, _)| name == rpc);
            assert_eq!(routes, usize::from(!has_none), "{rpc}");
        }
    }

    #[test]
    fn names_are_unique_and_money_wants_a_key() {
        let operations = routes::declared().operations;
        let mut names: Vec<_> = operations.iter().map(|operation| operation.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), operations.len());
        for operation in operations {
            let is_keyed = operation.repeat == mps_client::Repeat::Keyed;
            assert_eq!(is_keyed, operation.way == Way::PostKeyed, "{}", operation.name);
        }
    }
}
