//! The OpenAPI 3.1 document, made from the same list as the router.

use http::StatusCode;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::answer::ReplyOutline;
use super::endpoint::{Endpoint, Needs};
use crate::front::problem::Details;

const DEFINITIONS: &str = "#/components/schemas/";

/// What an endpoint takes and answers.
pub(super) struct Outline {
    pub(super) path: Vec<Schema>,
    pub(super) query: Vec<QueryParameter>,
    pub(super) body: Option<Schema>,
    pub(super) reply: ReplyOutline,
}

/// One parameter behind the question mark.
pub(super) struct QueryParameter {
    name: String,
    is_required: bool,
    schema: Value,
}

/// Collects the schemas of what comes and of what goes: the same type may have one of each.
pub(super) struct Schemas {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let outputs = settings.clone().for_serialize().into_generator();
        Self { inputs: settings.for_deserialize().into_generator(), outputs }
    }

    pub(super) fn input<T: JsonSchema>(&mut self) -> Schema {
        self.inputs.subschema_for::<T>()
    }

    pub(super) fn output<T: JsonSchema>(&mut self) -> Schema {
        self.outputs.subschema_for::<T>()
    }

    pub(super) fn query<T: JsonSchema>(&mut self) -> Vec<QueryParameter> {
        let schema = T::json_schema(&mut self.inputs).to_value();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        let parameter = |(name, schema): (String, Value)| {
            let is_required = required.iter().any(|each| each.as_str() == Some(&name));
            QueryParameter { name, is_required, schema }
        };
        properties.into_iter().map(parameter).collect()
    }
}

/// The document.
pub(super) fn document(endpoints: &[Endpoint]) -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.output::<Details<'static>>();
    let outlines: Vec<Outline> = endpoints.iter().map(|endpoint| (endpoint.outline)(&mut schemas)).collect();
    let (mut inputs, mut outputs) = (schemas.inputs.take_definitions(true), schemas.outputs.take_definitions(true));
    let renamed = conflicts(&inputs, &outputs);
    let mut paths: Map<String, Value> = Map::new();
    for (endpoint, outline) in endpoints.iter().zip(outlines) {
        let operation = operation(endpoint, outline, (&problem, &renamed));
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation;
    }
    outputs = outputs.into_iter().map(|(name, schema)| (told(&name, &renamed), rewritten(schema, &renamed))).collect();
    inputs.extend(outputs);
    inputs.sort_keys();
    paths.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "chancery",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Certificate lifecycle management: certificates, Applications, approvals, syncs and alerts.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": super::PREFIX }],
        "security": [{ "bearer": [] }, { "mutualTls": [] }],
        "paths": paths,
        "components": {
            "schemas": inputs,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "mutualTls": { "type": "mutualTLS" },
            },
        },
    })
}

/// The types whose answers look other than what is taken.
fn conflicts(inputs: &Map<String, Value>, outputs: &Map<String, Value>) -> Vec<String> {
    let differs = |name: &&String| inputs.get(*name).is_some_and(|input| *input != outputs[*name]);
    let mut renamed: Vec<String> = outputs.keys().filter(differs).cloned().collect();
    // What refers to one of them differs, too, though its text is the same.
    loop {
        let refers = |name: &&String| {
            let text = outputs[*name].to_string();
            let is_shared = inputs.contains_key(*name) && !renamed.contains(name);
            is_shared && renamed.iter().any(|other| text.contains(&format!("\"{DEFINITIONS}{other}\"")))
        };
        let further: Vec<String> = outputs.keys().filter(refers).cloned().collect();
        if further.is_empty() {
            return renamed;
        }
        renamed.extend(further);
    }
}

fn told(name: &str, renamed: &[String]) -> String {
    if renamed.iter().any(|each| each == name) { format!("{name}Answer") } else { name.to_owned() }
}

fn rewritten(schema: Value, renamed: &[String]) -> Value {
    match schema {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| match (key.as_str(), &value) {
                    ("$ref", Value::String(to)) => {
                        let name = to.strip_prefix(DEFINITIONS).unwrap_or(to);
                        (key, Value::String(format!("{DEFINITIONS}{}", told(name, renamed))))
                    }
                    _ => (key, rewritten(value, renamed)),
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| rewritten(item, renamed)).collect()),
        plain => plain,
    }
}

fn operation(endpoint: &Endpoint, outline: Outline, (problem, renamed): (&Schema, &[String])) -> Value {
    let Outline { path, query, body, reply } = outline;
    let mut operation = json!({
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "x-needs": needs(endpoint.needs),
        "responses": responses(reply, (problem, renamed)),
    });
    let mut parameters: Vec<Value> = placeholders(endpoint.path)
        .zip(path)
        .map(|(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema.to_value() }))
        .collect();
    parameters.extend(query.into_iter().map(|QueryParameter { name, is_required, schema }| {
        json!({ "name": name, "in": "query", "required": is_required, "schema": schema })
    }));
    if endpoint.is_repeatable {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 200 });
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "required": false, "schema": schema }));
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(schema) = body {
        let content = json!({ "application/json": { "schema": schema.to_value() } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

fn responses(reply: ReplyOutline, (problem, renamed): (&Schema, &[String])) -> Value {
    let mut good = json!({ "description": reply.status.canonical_reason().unwrap_or_default() });
    if let Some((media, schema)) = reply.content {
        good["content"] = json!({ media: { "schema": rewritten(schema.to_value(), renamed) } });
    }
    let schema = rewritten(problem.clone().to_value(), renamed);
    let bad = json!({
        "description": "A problem (RFC 9457).",
        "content": { "application/problem+json": { "schema": schema } },
    });
    let ok = if reply.status == StatusCode::NO_CONTENT { "204" } else { "200" };
    json!({ ok: good, "4XX": bad, "5XX": bad })
}

fn needs(needs: Needs) -> String {
    match needs {
        Needs::Action(action) => action.to_string(),
        Needs::Product => "product-administrator".to_owned(),
        Needs::Known => "authenticated".to_owned(),
    }
}

fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}
