//! The extension `payment-identifier`: the client names its purchase, and asks for it again under the same id without
//! paying twice. `specs/extensions/payment_identifier.md` of x402.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value, json};

use crate::{
    field::{self, FieldError},
    text::null_as_default,
};

/// The extension's name.
pub const EXTENSION: &str = "payment-identifier";

/// The member of the requirements' `extra` by which a server says that it keeps purchases apart by their ids. An
/// addition of this facilitator: the extension itself reaches it only in what the client wrote.
pub const EXTRA: &str = "paymentIdentifier";

/// Shortest and longest id, in characters.
const CHARACTERS: std::ops::RangeInclusive<usize> = 16..=128;

/// What a client calls its purchase: 16 to 128 of `A-Z`, `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PaymentIdentifier(String);

impl PaymentIdentifier {
    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for PaymentIdentifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_character = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if CHARACTERS.contains(&text.len()) && text.bytes().all(is_character) {
            return Ok(Self(text.to_owned()));
        }
        let (least, most) = (CHARACTERS.start(), CHARACTERS.end());
        Err(format!("must be {least} to {most} letters, digits, hyphens and underscores"))
    }
}

impl<'de> Deserialize<'de> for PaymentIdentifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Whether a server needs an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offer {
    /// It takes one.
    Optional,
    /// It sells nothing without one.
    Required,
}

/// What the extension says, as a server offers it and a client sends it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// Whether the server needs an id.
    #[serde(default, deserialize_with = "null_as_default")]
    pub required: bool,
    /// The client's id.
    #[serde(default)]
    pub id: Option<PaymentIdentifier>,
}

#[derive(Deserialize)]
struct Extension {
    info: Info,
}

/// Reads the extension; `None` where there is none.
///
/// # Errors
/// If it is not what belongs there. The field's path begins at the extensions.
pub fn read(extensions: Option<&Map<String, Value>>) -> Result<Option<Info>, FieldError> {
    let Some(extension) = extensions.and_then(|extensions| extensions.get(EXTENSION)) else {
        return Ok(None);
    };
    let extension: Option<Extension> = field::read(extension).map_err(|error| error.within(EXTENSION))?;
    Ok(extension.map(|extension| extension.info))
}

/// What a server says of ids in the requirements' `extra`; `None` where it says nothing.
///
/// # Errors
/// If it says anything but `optional` or `required`.
pub fn offer(extra: &Map<String, Value>) -> Result<Option<Offer>, FieldError> {
    match extra.get(EXTRA) {
        None => Ok(None),
        Some(offer) => field::read(offer).map_err(|error| error.within(EXTRA)),
    }
}

/// The extension as a server puts it into its challenge.
pub fn declaration(offer: Offer) -> Value {
    json!({
        "info": { "required": offer == Offer::Required },
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "required": { "type": "boolean" },
                "id": {
                    "type": "string",
                    "minLength": CHARACTERS.start(),
                    "maxLength": CHARACTERS.end(),
                    "pattern": "^[A-Za-z0-9_-]+$",
                },
            },
            "required": ["required"],
        },
    })
}

/// The extension as a client sends it to a server that offers it in its requirements only.
pub fn identified(offer: Offer, id: &PaymentIdentifier) -> Map<String, Value> {
    let extension = json!({ "info": { "required": offer == Offer::Required, "id": id } });
    Map::from_iter([(EXTENSION.to_owned(), extension)])
}

/// The extensions that a client sends back to a server that offered these: all of them, with the id of its purchase.
/// `None` if the server does not take ids.
pub fn with_id(offered: Option<&Map<String, Value>>, id: &PaymentIdentifier) -> Option<Map<String, Value>> {
    let mut extensions = offered?.clone();
    let info = extensions.get_mut(EXTENSION)?.get_mut("info")?.as_object_mut()?;
    info.insert("id".to_owned(), json!(id));
    Some(extensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "pay_7d5d747be160e280504c099d984bcfe0";

    fn read_value(value: Value) -> Result<Option<Info>, FieldError> {
        read(value.as_object())
    }

    #[test]
    fn an_id_is_16_to_128_letters_digits_hyphens_and_underscores() {
        for good in [ID, "0123456789abcdef", "----------------", &"Z".repeat(128)] {
            assert_eq!(good.parse::<PaymentIdentifier>().unwrap().as_str(), good);
        }
        for bad in
            ["", "0123456789abcde", &"Z".repeat(129), "0123456789abcde.", "0123456789abcd f", "ééééééééé"]
        {
            assert!(bad.parse::<PaymentIdentifier>().unwrap_err().contains("16 to 128"), "{bad}");
        }
    }

    #[test]
    fn what_a_client_appends_is_read_back_and_the_rest_is_kept() {
        let offered = json!({ EXTENSION: declaration(Offer::Required), "other": { "info": 1 } });
        let sent = with_id(offered.as_object(), &ID.parse().unwrap()).unwrap();
        assert_eq!(sent["other"], offered["other"]);
        assert_eq!(sent[EXTENSION]["schema"], offered[EXTENSION]["schema"]);
        let info = read(Some(&sent)).unwrap().unwrap();
        assert_eq!((info.required, info.id.as_ref().unwrap().as_str()), (true, ID));
        assert_eq!(read(Some(&identified(Offer::Required, &ID.parse().unwrap()))), Ok(Some(info)));
        for none in [json!({}), json!({ "other": {} }), json!({ EXTENSION: {} })] {
            assert_eq!(with_id(none.as_object(), &ID.parse().unwrap()), None, "{none}");
        }
    }

    #[test]
    fn absent_and_null_is_none_and_anything_else_is_named() {
        for none in [json!({}), json!({ EXTENSION: null }), Value::Null] {
            assert_eq!(read_value(none.clone()), Ok(None), "{none}");
        }
        let empty = read_value(json!({ EXTENSION: { "info": { "required": null } } })).unwrap().unwrap();
        assert_eq!(empty, Info::default());
        for (value, field) in [
            (json!({ EXTENSION: 5 }), "payment-identifier"),
            (json!({ EXTENSION: {} }), "payment-identifier.info"),
            (json!({ EXTENSION: { "info": { "required": "yes" } } }), "payment-identifier.info.required"),
            (json!({ EXTENSION: { "info": { "id": "short" } } }), "payment-identifier.info.id"),
            (json!({ EXTENSION: { "info": { "id": 5 } } }), "payment-identifier.info.id"),
        ] {
            assert_eq!(read_value(value.clone()).unwrap_err().field, field, "{value}");
        }
    }

    #[test]
    fn a_servers_offer_is_one_of_two_words() {
        let read = |value: Value| offer(value.as_object().unwrap());
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({ EXTRA: null })), Ok(None));
        assert_eq!(read(json!({ EXTRA: "optional" })), Ok(Some(Offer::Optional)));
        assert_eq!(read(json!({ EXTRA: "required" })), Ok(Some(Offer::Required)));
        assert_eq!(read(json!({ EXTRA: true })).unwrap_err().field, EXTRA);
    }
}
