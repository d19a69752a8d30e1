//! The OpenAPI document is true: every exchange of these tests is held against it, and it against the router.
//!
//! `openapi/oas-3.1.schema.json` is the OpenAPI Initiative's schema of such documents (2022-10-07), unchanged, under the
//! Apache License 2.0.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};
use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    document::{DOCUMENT, Exchange, fits},
    world::World,
};

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
