//! What catalogues are told of a route: x402's extension `bazaar`. Uses the price; no I/O.

use axum::http::Method;
use serde_json::{Value, json};
use x402_escrow_wire::auth_capture::origin;

use crate::price::Price;

/// What catalogues are told of a route. A facilitator lists it once somebody has paid for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listing {
    /// The route's URL, without what differs from request to request: parameters of the path by their
    /// names, and no query.
    pub(crate) url: String,
    /// The extension.
    pub(crate) declaration: Value,
}

impl Listing {
    /// What is told of `route`, a path as axum has it. `None` where the price says that it is not listed,
    /// and where nobody knows what a request looks like: the path has no name, or there is no example of
    /// the body.
    pub(crate) fn of(price: &Price, method: &Method, route: Option<&str>, base: &str) -> Option<Self> {
        let route = template(route.filter(|_| price.listed)?)?;
        let input = input(method, price.example.as_ref())?;
        let origin = origin(base);
        let path = format!("{}{route}", &base[origin.len()..]);
        let mut declaration = json!({ "schema": schema(&input), "info": { "input": input } });
        if path.contains("/:") {
            declaration["routeTemplate"] = json!(path);
        }
        Some(Self { url: format!("{origin}{path}"), declaration })
    }
}

/// The path with its parameters as catalogues write them: `/users/{id}` is `/users/:id`.
fn template(route: &str) -> Option<String> {
    let written = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => format!(":{}", name.trim_start_matches('*')),
        None => segment.to_owned(),
    };
    let path = route.split('/').map(written).collect::<Vec<_>>().join("/");
    (!path.contains(['{', '}'])).then_some(path)
}

/// How a request is made; `None` if that is not known.
fn input(method: &Method, example: Option<&Value>) -> Option<Value> {
    let mut input = json!({ "type": "http", "method": method.as_str() });
    match (method, example) {
        // The handler of GET answers it, for the same price.
        (&Method::HEAD, _) => return self::input(&Method::GET, example),
        (&Method::GET | &Method::DELETE, None) => {}
        (&Method::GET | &Method::DELETE, Some(example)) => input["queryParams"] = example.clone(),
        (&Method::POST | &Method::PUT | &Method::PATCH, Some(example)) => {
            input["bodyType"] = json!("json");
            input["body"] = example.clone();
        }
        _ => return None,
    }
    Some(input)
}

/// What every such `info` has.
fn schema(input: &Value) -> Value {
    let members = input.as_object().into_iter().flatten();
    let (mut properties, mut required) = (json!({}), Vec::new());
    for (name, value) in members {
        properties[name] = match name.as_str() {
            "queryParams" => json!({ "type": "object" }),
            "body" => json!({}),
            _ => json!({ "const": value }),
        };
        if name != "queryParams" {
            required.push(name);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": { "input": { "type": "object", "properties": properties, "required": required } },
        "required": ["input"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(price: &Price, method: Method, route: &str) -> Option<Listing> {
        Listing::of(price, &method, Some(route), "https://shop.test/api")
    }

    #[test]
    fn a_route_is_told_by_its_path_and_method_and_its_parameters_by_their_names() {
        let price = Price::new(1);
        let listing = of(&price, Method::GET, "/users/{id}/files/{*path}").unwrap();
        assert_eq!(listing.url, "https://shop.test/api/users/:id/files/:path");
        assert_eq!(listing.declaration["routeTemplate"], "/api/users/:id/files/:path");
        assert_eq!(listing.declaration["info"], json!({ "input": { "type": "http", "method": "GET" } }));
        let plain = of(&price, Method::HEAD, "/report").unwrap();
        assert_eq!(
            (plain.url.as_str(), plain.declaration.get("routeTemplate")),
            ("https://shop.test/api/report", None)
        );
        assert_eq!(plain, of(&price, Method::GET, "/report").unwrap());
    }

    #[test]
    fn what_is_not_known_or_not_to_be_listed_is_not_told() {
        let price = Price::new(1);
        for (method, route) in [(Method::POST, "/a"), (Method::OPTIONS, "/a"), (Method::GET, "/a{b}c")] {
            assert_eq!(of(&price, method.clone(), route), None, "{method} {route}");
        }
        assert_eq!(Listing::of(&price, &Method::GET, None, "https://shop.test"), None, "a fallback");
        assert_eq!(of(&Price::new(1).unlisted(), Method::GET, "/a"), None);
    }

    #[test]
    fn an_example_says_what_a_request_takes() {
        let price = Price::new(1).example(json!({ "city": "Oslo" }));
        let input = |method| of(&price, method, "/a").unwrap().declaration["info"]["input"].clone();
        assert_eq!(input(Method::GET)["queryParams"], json!({ "city": "Oslo" }));
        let posted = input(Method::POST);
        assert_eq!((&posted["bodyType"], &posted["body"]), (&json!("json"), &json!({ "city": "Oslo" })));
    }
}
