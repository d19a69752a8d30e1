//! Reads JSON so that an error names the field.

use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::{Map, Value};

/// Why JSON is not what belongs there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// Path of the field, as `paymentPayload.accepted.amount`; empty for the whole value.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldError {
    /// The same error where the value is what `path` leads to.
    #[must_use]
    pub fn within(self, path: &str) -> Self {
        Self { field: join(path, &self.field), message: self.message }
    }
}

/// Reads `value` as a `T`.
///
/// # Errors
/// If a field is missing or can't be read; the error names it.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, FieldError> {
    // Most is as it should be; only otherwise is the way to the field noted.
    T::deserialize(value).or_else(|_| serde_path_to_error::deserialize(value).map_err(of_field))
}

/// Reads an object as a `T`.
///
/// # Errors
/// If a field is missing or can't be read; the error names it.
pub fn read_object<T: DeserializeOwned>(object: &Map<String, Value>) -> Result<T, FieldError> {
    let read = T::deserialize(object.into_deserializer());
    read.or_else(|_| serde_path_to_error::deserialize(object.into_deserializer()).map_err(of_field))
}

fn of_field(error: serde_path_to_error::Error<serde_json::Error>) -> FieldError {
    let path = error.path().to_string();
    let path = if path == "." { "" } else { &path };
    let message = error.inner().to_string();
    // Of a missing field serde's path ends at the object that lacks it.
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    FieldError { field: join(path, missing.unwrap_or("")), message }
}

fn join(outer: &str, inner: &str) -> String {
    let separator = if outer.is_empty() || inner.is_empty() || inner.starts_with('[') { "" } else { "." };
    format!("{outer}{separator}{inner}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth_capture::{LifecyclePayload, Payload};

    fn field(value: Value) -> (String, String) {
        let error = Payload::read_field(&value).unwrap_err();
        (error.field, error.message)
    }

    #[test]
    fn a_bad_field_is_named() {
        let (name, message) =
            field(json!({"type": "capture", "paymentId": "00", "amount": "1", "last": true}));
        assert_eq!((name.as_str(), message.as_str()), ("paymentId", "expected 64 hex digits"));
        assert_eq!(field(json!({"escrow": 5})).0, "escrow");
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(field(json!({"type": "void", "paymentId": "00".repeat(32)})).0, "amount");
        assert_eq!(field(json!({})).0, "escrow");
    }

    #[test]
    fn an_unknown_type_is_named_with_those_that_are_known() {
        let (name, message) = field(json!({"type": "charge"}));
        assert_eq!(name, "type");
        assert!(
            message.contains("charge") && message.contains("`capture`") && message.contains("`void`"),
            "{message}"
        );
    }

    #[test]
    fn both_ways_of_reading_a_lifecycle_payload_agree() {
        let value = json!({"type": "capture", "paymentId": "07".repeat(32), "amount": "9", "fee": null,
            "last": false, "signature": "1".repeat(64)});
        let Ok(Payload::Lifecycle(read)) = Payload::read_field(&value) else { panic!("not read") };
        assert_eq!(serde_json::from_value::<LifecyclePayload>(value).unwrap(), read);
    }

    #[test]
    fn a_receiver_proof_is_short_and_left_out_where_it_is_empty() {
        let intent = |proof: Value| {
            json!({"escrow": "1".repeat(32), "sessionKey": "1".repeat(32), "incarnation": "1".repeat(32), "nonce": "1",
                "authorizeBy": 1, "receiverProof": proof})
        };
        for (proof, hashes) in [(json!(null), 0), (json!([]), 0), (json!(vec!["07".repeat(32); 12]), 12)] {
            let Ok(Payload::Intent(read)) = Payload::read_field(&intent(proof)) else { panic!("not read") };
            assert_eq!(read.proof(), vec![[7; 32]; hashes]);
            assert_eq!(serde_json::to_value(read).unwrap().get("receiverProof").is_some(), hashes > 0);
        }
        let (name, message) = field(intent(json!(vec!["07".repeat(32); 13])));
        assert_eq!(name, "receiverProof");
        assert!(message.contains("12"), "{message}");
    }

    #[test]
    fn paths_join_with_dots_except_before_brackets() {
        let error = FieldError { field: "[0].amount".into(), message: String::new() };
        assert_eq!(
            error.within("accepts").within("paymentRequired").field,
            "paymentRequired.accepts[0].amount"
        );
    }
}
