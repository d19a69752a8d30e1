//! The OpenAPI document is true: every exchange of these tests is held against it, and it against the router.
//!
//! `openapi/oas-3.1.schema.json` is the OpenAPI Initiative's schema of such documents (2022-10-07), unchanged, under the
//! Apache License 2.0.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex},
};

use axum::http::{HeaderMap, Method, StatusCode, header};
use jsonschema::Validator;
use serde_json::{Value, json};
use x402_escrow_wire::error_code::ErrorCode;

use crate::world::World;

static DOCUMENT: LazyLock<Value> =
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
fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let fits = |template: &&String| {
        let (ours, theirs) = (template.split('/'), path.split('/'));
        ours.clone().count() == theirs.clone().count()
            && ours.zip(theirs).all(|(ours, theirs)| ours == theirs || ours.starts_with('{'))
    };
    DOCUMENT["paths"].as_object().unwrap().keys().find(fits).map(String::as_str)
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(pointer) => DOCUMENT.pointer(pointer.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// Whether JSON fits a schema of the document.
fn fits(schema: &Value, bytes: &[u8]) -> Result<(), String> {
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

#[tokio::test]
async fn the_document_is_served_as_it_is_and_of_this_version() {
    let world = World::new().await;
    let (status, served) = world.get("/openapi.json").await;
    assert_eq!((status, &served), (StatusCode::OK, &*DOCUMENT));
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_document_is_openapi_and_its_schemas_are_json_schema() {
    let schema: Value = serde_json::from_str(include_str!("openapi/oas-3.1.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&DOCUMENT).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}");
    }
}

#[test]
fn examples_are_as_the_document_says() {
    let mut examples = 0;
    let mut hold = |schema: &Value, example: &Value| {
        fits(schema, example.to_string().as_bytes()).unwrap();
        examples += 1;
    };
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    for schema in schemas.values() {
        schema["examples"].as_array().into_iter().flatten().for_each(|example| hold(schema, example));
    }
    for operation in
        DOCUMENT["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        let answers = operation["responses"].as_object().unwrap().values();
        for body in answers.chain([&operation["requestBody"]]) {
            let content = &body["content"]["application/json"];
            content.get("example").into_iter().for_each(|example| hold(&content["schema"], example));
        }
    }
    assert!(examples > 8, "{examples}");
}

#[test]
fn every_public_route_is_in_the_document_and_no_other() {
    let source = include_str!("../../src/router.rs");
    let (_, rest) = source.split_once("pub fn router(").unwrap();
    let (public, _) = rest.split_once("\n}\n").unwrap();
    let routes: BTreeSet<_> = public
        .split(".route(\"")
        .skip(1)
        .map(|rest| {
            let (path, rest) = rest.split_once("\", ").unwrap();
            (path, rest.split_once('(').unwrap().0)
        })
        .collect();
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    let documented: BTreeSet<_> = paths
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (path.as_str(), method.as_str()))
        })
        .collect();
    assert_eq!(routes, documented);
    assert!(routes.len() > 9, "{routes:?}");
}

#[test]
fn every_error_code_is_in_the_document_and_no_other() {
    let listed = DOCUMENT["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(listed, ErrorCode::ALL.iter().map(|code| code.as_str()).collect());
}

/// What is held against every exchange would be red if the document were wrong.
#[test]
fn what_is_not_documented_is_noticed() {
    let check = |method: Method, path: &str, asked: Value, status: u16, answered: Value| {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let (asked, answered) = (asked.to_string(), answered.to_string());
        let exchange = Exchange {
            method: &method,
            path,
            asked: asked.as_bytes(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            answered: answered.as_bytes(),
        };
        exchange.check()
    };
    let error = json!({ "error": { "code": "not_found", "message": "no such path" } });
    let draft = json!({ "message": "AA==", "returns": "5" });
    let refund = json!({ "paymentId": "0".repeat(64), "amount": "5" });
    check(Method::POST, "/refunds", refund.clone(), 200, draft.clone()).unwrap();
    check(Method::GET, "/nowhere", json!(null), 404, error.clone()).unwrap();
    check(Method::GET, "/refunds", json!(null), 405, error.clone()).unwrap();
    let news = json!({ "message": "AA==", "returns": "5", "news": 1 });
    for (method, path, asked, status, answered, complaint) in [
        (Method::POST, "/refunds", &refund, 200, &news, "news"),
        (Method::POST, "/refunds", &refund, 200, &json!({ "message": "AA==" }), "returns"),
        (Method::POST, "/refunds", &refund, 200, &json!({ "message": "AA==", "returns": 5 }), "string"),
        (Method::POST, "/refunds", &json!({}), 200, &draft, "paymentId"),
        (Method::POST, "/refunds", &refund, 418, &draft, "not documented"),
        (Method::GET, "/nowhere", &refund, 200, &draft, "not in the document"),
    ] {
        let result = check(method, path, asked.clone(), status, answered.clone());
        assert!(result.as_ref().is_err_and(|error| error.contains(complaint)), "{complaint}: {result:?}");
    }
}
