//! The OpenAPI document, and whether an exchange is as it says.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use axum::http::{HeaderMap, Method, StatusCode, header};
use jsonschema::Validator;
use serde_json::{Value, json};

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../openapi.json")).unwrap());

/// A request and its answer.
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) asked: &'a [u8],
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) answered: &'a [u8],
}

impl Exchange<'_> {
    /// Whether the document describes it: path, method, status, headers, media type, and both bodies.
    pub(crate) fn check(&self) -> Result<(), String> {
        let unlisted = |status: u16| {
            if self.status.as_u16() != status {
                return Err(format!("is not in the document, and is answered {}", self.status));
            }
            fits(&json!({ "$ref": "#/components/schemas/Error" }), self.answered)
        };
        let Some(path) = template(self.path) else { return unlisted(404) };
        let operation = &DOCUMENT["paths"][path][self.method.as_str().to_lowercase()];
        if operation.is_null() {
            return unlisted(405);
        }
        let answer = resolved(&operation["responses"][self.status.as_str()]);
        if answer.is_null() {
            return Err(format!("{path}: status {} is not documented", self.status));
        }
        if self.headers.contains_key(header::RETRY_AFTER) && answer["headers"]["Retry-After"].is_null() {
            return Err(format!("{path}: Retry-After of {} is not documented", self.status));
        }
        let kind = self.headers[header::CONTENT_TYPE].to_str().unwrap();
        let content = &answer["content"][kind];
        if content.is_null() {
            return Err(format!("{path}: {kind} of {} is not documented", self.status));
        }
        if kind != "application/json" {
            return Ok(());
        }
        fits(&content["schema"], self.answered).map_err(|error| format!("{path}: answer {error}"))?;
        let asked = &operation["requestBody"]["content"]["application/json"]["schema"];
        if self.is_yes() && !asked.is_null() {
            fits(asked, self.asked).map_err(|error| format!("{path}: request {error}"))?;
        }
        Ok(())
    }

    /// Whether what was asked for was right: a "no" has status 200 too.
    fn is_yes(&self) -> bool {
        let answer: Value = serde_json::from_slice(self.answered).unwrap();
        self.status == StatusCode::OK && answer["isValid"] != false && answer["success"] != false
    }
}

/// The document's path that a request's belongs to.
pub(crate) fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let fits = |template: &&String| {
        let (ours, theirs) = (template.split('/'), path.split('/'));
        ours.clone().count() == theirs.clone().count()
            && ours.zip(theirs).all(|(ours, theirs)| ours == theirs || ours.starts_with('{'))
    };
    DOCUMENT["paths"].as_object().unwrap().keys().find(fits).map(String::as_str)
}

pub(crate) fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(pointer) => DOCUMENT.pointer(pointer.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// Whether JSON fits a schema of the document.
pub(crate) fn fits(schema: &Value, bytes: &[u8]) -> Result<(), String> {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let instance: Value = serde_json::from_slice(bytes).map_err(|error| format!("is not JSON: {error}"))?;
    let validator = Arc::clone(VALIDATORS.lock().unwrap().entry(schema.to_string()).or_insert_with(|| {
        let root = json!({ "components": DOCUMENT["components"], "allOf": [schema] });
        Arc::new(jsonschema::draft202012::new(&root).unwrap())
    }));
    let errors: Vec<_> =
        validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if errors.is_empty() { Ok(()) } else { Err(format!("is not as documented: {errors:#?}\n{instance:#}")) }
}
