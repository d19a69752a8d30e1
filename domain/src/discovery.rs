//! What a catalogue may say about something that was paid for: x402's extension `bazaar`. Clients pass on what servers
//! declare, so nothing is believed that is not checked here. Uses nothing.

mod info;
mod metadata;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use url::Url;
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::{
    X402_VERSION,
    bazaar::{DISCOVERABLE, DiscoveryResource, EXTENSION},
    facilitator::FacilitatorRequest,
    payment::{PaymentRequirements, ResourceInfo},
};

/// The longest URL, in bytes.
const LONGEST_URL: usize = 2048;

/// The longest declaration, in bytes of JSON.
const LONGEST_DECLARATION: usize = 16 * 1024;

/// Members of `extra` that are about one request, or tell nobody else anything.
const OF_ONE_REQUEST: [&str; 5] = ["captureDeadline", "refundDeadline", "resourceHash", "memo", "feePayer"];

/// What a request to settle a payment says about the thing that is paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// One resource of one receiver, whoever pays for it.
    pub key: Digest,
    /// Who is paid.
    pub receiver: Address,
    /// `http` or `mcp`.
    pub kind: &'static str,
    /// By which scheme it was paid.
    pub scheme: String,
    /// How it is listed.
    pub resource: DiscoveryResource,
}

/// Whether something is declared.
pub fn declares(request: &FacilitatorRequest) -> bool {
    declaration(request).is_some()
}

fn declaration(request: &FacilitatorRequest) -> Option<&Value> {
    request.payment_payload.extensions.as_ref()?.get(EXTENSION)
}

/// What to list once the payment in `request` is made. `None` if nothing was declared, or the server does not want to be
/// listed.
///
/// # Errors
/// Why what was declared can't be listed, for people.
pub fn offer(request: &FacilitatorRequest) -> Option<Result<Offer, String>> {
    let declared = declaration(request)?;
    let requirements = &request.payment_requirements;
    if requirements.extra.get(DISCOVERABLE) == Some(&Value::Bool(false)) {
        return None;
    }
    let Some(resource) = &request.payment_payload.resource else {
        return Some(Err("paymentPayload.resource: is missing".to_owned()));
    };
    Some(read(declared, resource, requirements))
}

fn read(
    declared: &Value,
    resource: &ResourceInfo,
    requirements: &PaymentRequirements,
) -> Result<Offer, String> {
    if declared.to_string().len() > LONGEST_DECLARATION {
        return Err(format!("extensions.bazaar: is longer than {LONGEST_DECLARATION} bytes"));
    }
    let input = info::check(declared)?;
    let template = declared.get("routeTemplate").and_then(Value::as_str);
    let url = listed_url(&resource.url, template.filter(|template| metadata::is_route_template(template)))?;
    let receiver = Address::from(requirements.pay_to);
    let parts = [receiver.to_string().as_str(), input.kind, &url, &input.name].join("\n");
    let scheme = requirements.scheme.clone();
    let resource = DiscoveryResource {
        resource: url,
        kind: input.kind.to_owned(),
        x402_version: X402_VERSION,
        accepts: vec![of_any_request(requirements.clone())],
        last_updated: None,
        description: metadata::description(resource.description.as_deref()),
        mime_type: metadata::mime_type(resource.mime_type.as_deref()),
        service_name: metadata::service_name(resource.service_name.as_ref()),
        tags: metadata::tags(resource.tags.as_ref()),
        icon_url: metadata::icon_url(resource.icon_url.as_ref()),
        extensions: Map::from_iter([(EXTENSION.to_owned(), declared.clone())]),
    };
    Ok(Offer { key: Sha256::digest(parts).into(), receiver, kind: input.kind, scheme, resource })
}

/// The URL without what differs from request to request: query and fragment, and the path where it has a template.
fn listed_url(url: &str, template: Option<&str>) -> Result<String, String> {
    let wrong = |what: &str| format!("paymentPayload.resource.url: {what}");
    if url.len() > LONGEST_URL {
        return Err(wrong(&format!("is longer than {LONGEST_URL} bytes")));
    }
    let mut url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must be an http or https URL without a user"));
    }
    url.set_query(None);
    url.set_fragment(None);
    match template {
        Some(template) => Ok(format!("{}{template}", url.origin().ascii_serialization())),
        None => Ok(url.into()),
    }
}

fn of_any_request(mut requirements: PaymentRequirements) -> PaymentRequirements {
    requirements.extra.retain(|member, _| !OF_ONE_REQUEST.contains(&member.as_str()));
    requirements
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(bazaar: &Value, extra: &Value) -> Value {
        let requirements = json!({
            "scheme": "exact", "network": "solana:a", "amount": "5", "maxTimeoutSeconds": 60,
            "asset": "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T",
            "payTo": "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T", "extra": extra });
        json!({
            "x402Version": 2,
            "paymentPayload": {
                "x402Version": 2, "accepted": requirements, "payload": {},
                "resource": { "url": "https://a.test/weather?city=Oslo#now", "tags": ["Rain", "rain", 5, "\u{7}"],
                    "serviceName": "Weather", "iconUrl": "http://127.0.0.1/i.png", "description": "rain\u{0}" },
                "extensions": { "bazaar": bazaar } },
            "paymentRequirements": requirements })
    }

    fn offered(body: &Value) -> Option<Result<Offer, String>> {
        offer(&serde_json::from_value(body.clone()).unwrap())
    }

    fn declared() -> Value {
        json!({ "info": { "input": { "type": "http", "method": "GET", "queryParams": { "city": "Oslo" } } },
            "schema": { "type": "object", "required": ["input"], "properties": { "input": { "type": "object",
                "properties": { "method": { "enum": ["GET"] } } } } } })
    }

    #[test]
    fn what_was_declared_is_listed_without_what_differs_from_request_to_request() {
        let extra = json!({ "feePayer": "x", "memo": "m", "resourceHash": "0", "captureDeadline": 5, "commitment": "confirmed" });
        let offer = offered(&body(&declared(), &extra)).unwrap().unwrap();
        let listed = &offer.resource;
        assert_eq!((listed.resource.as_str(), listed.kind.as_str()), ("https://a.test/weather", "http"));
        assert_eq!(Value::Object(listed.accepts[0].extra.clone()), json!({ "commitment": "confirmed" }));
        assert_eq!(
            (listed.tags.as_slice(), listed.service_name.as_deref()),
            (["Rain".to_owned()].as_slice(), Some("Weather"))
        );
        assert_eq!((&listed.icon_url, &listed.description), (&None, &None));
        let mut template = declared();
        template["routeTemplate"] = json!("/weather/:city");
        let with_template = offered(&body(&template, &extra)).unwrap().unwrap();
        assert_eq!(with_template.resource.resource, "https://a.test/weather/:city");
        assert_ne!(with_template.key, offer.key);
        template["routeTemplate"] = json!("/%2e%2e/admin");
        assert_eq!(offered(&body(&template, &extra)).unwrap().unwrap().key, offer.key);
    }

    #[test]
    fn who_declares_nothing_or_does_not_want_to_be_listed_is_not() {
        assert_eq!(offered(&body(&declared(), &json!({ "discoverable": false }))), None);
        assert!(offered(&body(&declared(), &json!({ "discoverable": true }))).unwrap().is_ok());
        let mut nothing = body(&declared(), &json!({}));
        nothing["paymentPayload"]["extensions"] = json!({});
        assert_eq!(offered(&nothing), None);
    }

    #[test]
    fn what_can_not_be_listed_says_why() {
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut changed = body(&declared(), &json!({}));
            change(&mut changed);
            offered(&changed).unwrap().unwrap_err()
        };
        let schema = "/paymentPayload/extensions/bazaar/schema";
        let url = |text: &'static str| {
            move |body: &mut Value| body["paymentPayload"]["resource"]["url"] = json!(text)
        };
        assert!(refused(&url("ftp://a.test/")).contains("http or https"));
        assert!(refused(&url("https://user@a.test/")).contains("without a user"));
        assert!(refused(&url("weather")).contains("resource.url"));
        let at = |pointer: &'static str, value: Value| {
            move |body: &mut Value| *body.pointer_mut(pointer).unwrap() = value.clone()
        };
        assert!(refused(&at(schema, json!({ "$ref": "https://a.test/s" }))).contains("$ref"));
        assert!(refused(&at(schema, json!({ "required": ["output"] }))).contains("does not fit"));
        assert!(refused(&at(schema, json!({ "type": 5 }))).contains("schema"));
        assert!(
            refused(&at("/paymentPayload/extensions/bazaar/info/input/method", json!("GOT")))
                .contains("method")
        );
        assert!(
            refused(&at("/paymentPayload/extensions/bazaar/info/input/type", json!("tcp"))).contains("type")
        );
        assert!(refused(&at(schema, json!({ "title": "a".repeat(20_000) }))).contains("longer"));
        assert!(refused(&|body| body["paymentPayload"]["resource"] = Value::Null).contains("missing"));
    }
}
