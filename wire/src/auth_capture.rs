//! The scheme `auth-capture` on Solana: the fields of `extra` and `payload`, and the intent that they make together.

mod commitment;
mod extra;
mod stream;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};
use x402_escrow_interface::{
    message::{Capture, Digest, Intent, PaymentFlow, Release, SIGNED_BYTES},
    receivers::MAXIMUM_PROOF_HASHES,
};

use crate::{
    field::{self, FieldError},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32, Key, null_as_default},
};

pub use commitment::{Commitment, Level};
pub use extra::{AUTHORIZATION_FLOW, CaptureMode, ESCROW_FLOW, Extra};
pub use stream::{CaptureAuthorizer, SESSION_KEY, VOUCHER, VoucherPayload, origin, stream_resource_hash};

/// The scheme's name.
pub const SCHEME: &str = "auth-capture";

/// What a client adds to the requirements: with them it makes the intent. Without `signature` it is still to be
/// signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntentPayload {
    /// The payer's escrow account.
    pub escrow: Key,
    /// The key that signs.
    pub session_key: Key,
    /// The session's incarnation.
    pub incarnation: Key,
    /// Unique in the session, from 1, and at most 1,024 above the highest that the session has seen.
    pub nonce: Decimal,
    /// Last second at which the intent can be put on chain, unix.
    pub authorize_by: i64,
    /// Shows that the receiver is in the session's list (`x402_escrow_interface::receivers`). Empty for a list of one and
    /// where the session may pay anyone. The intent does not cover it: the program checks it against the session.
    #[serde(default, deserialize_with = "receiver_proof", skip_serializing_if = "Vec::is_empty")]
    pub receiver_proof: Vec<Hex32>,
    /// By the session key over the intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Base58<64>>,
    /// Where the hold is streamed: what the request that opens it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<VoucherPayload>,
    /// Where the flow is `authorization`: what is charged. The server adds it before it settles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<ChargeCapture>,
}

/// What a server adds to a client's intent of the flow `authorization`: the capture authorizer's consent to what is charged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargeCapture {
    /// What is charged, in base units: less than the intent's amount only where it is `last`.
    pub amount: Decimal,
    /// The most of it that goes to the fee recipient, in base units.
    #[serde(default, deserialize_with = "null_as_default")]
    pub fee: Decimal,
    /// Whether the payment ends at `amount`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub last: bool,
    /// By the capture authorizer over the capture.
    pub signature: Base58<64>,
}

impl ChargeCapture {
    /// The capture of the intent with this digest.
    pub fn capture(&self, intent_digest: Digest) -> Capture {
        Capture { intent_digest, amount: self.amount.0, fee: self.fee.0, last: self.last }
    }
}

/// Reads a receiver proof, an array of at most [`MAXIMUM_PROOF_HASHES`] hashes; `null` is an empty one.
///
/// # Errors
/// If it is no array of hashes, or longer.
pub fn receiver_proof<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hex32>, D::Error> {
    let proof: Vec<Hex32> = null_as_default(deserializer)?;
    if proof.len() > MAXIMUM_PROOF_HASHES {
        return Err(D::Error::custom(format!(
            "has {} hashes, and no list of receivers needs more than {MAXIMUM_PROOF_HASHES}",
            proof.len()
        )));
    }
    Ok(proof)
}

impl IntentPayload {
    /// The receiver proof as the program takes it.
    pub fn proof(&self) -> Vec<Digest> {
        self.receiver_proof.iter().map(|hash| hash.0).collect()
    }

    /// The intent that requirements and payload make together: what the session key signs and the program rebuilds.
    pub fn intent(&self, requirements: &PaymentRequirements, extra: &Extra) -> Intent {
        Intent {
            program: extra.program.into(),
            incarnation: self.incarnation.0,
            escrow: self.escrow.into(),
            session_key: self.session_key.into(),
            receiver: requirements.pay_to.into(),
            capture_authorizer: extra.capture_authorizer.key(self.session_key).into(),
            receiver_authorizer: extra.receiver_authorizer.into(),
            fee_recipient: extra.fee_recipient(requirements.pay_to).into(),
            resource_hash: extra.resource_hash.0,
            amount: requirements.amount.0,
            nonce: self.nonce.0,
            authorize_by: self.authorize_by,
            capture_deadline: extra.capture_deadline,
            refund_deadline: extra.refund_deadline,
            maximum_fee_bps: extra.max_fee_bps,
            flow: extra.flow().unwrap_or(PaymentFlow::Escrow),
        }
    }
}

/// What a server settles after the resource was served: `payload.type` names the operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum LifecyclePayload {
    /// Pay the receiver.
    Capture {
        /// Digest of the intent.
        payment_id: Hex32,
        /// The most that may be captured so far, in base units. The facilitator captures all of it, as far as the hold
        /// reaches.
        amount: Decimal,
        /// The most of `amount` that goes to the fee recipient, in base units.
        #[serde(default, deserialize_with = "null_as_default")]
        fee: Decimal,
        /// Whether the payment ends at `amount`.
        last: bool,
        /// By the capture authorizer over the capture.
        signature: Base58<64>,
    },
    /// Capture out of the last voucher of a streamed hold and release the rest.
    Close {
        /// Digest of the intent.
        payment_id: Hex32,
        /// What the payment ends at, in base units: from what is captured to the last voucher's amount.
        amount: Decimal,
        /// By the receiver authorizer over the release.
        signature: Base58<64>,
    },
    /// End the payment and release the rest.
    Void {
        /// Digest of the intent.
        payment_id: Hex32,
        /// What the payment ends at, in base units.
        amount: Decimal,
        /// By the receiver authorizer over the release.
        signature: Base58<64>,
    },
}

impl LifecyclePayload {
    /// The payment it is about.
    pub fn payment_id(&self) -> Hex32 {
        match self {
            Self::Capture { payment_id, .. }
            | Self::Close { payment_id, .. }
            | Self::Void { payment_id, .. } => *payment_id,
        }
    }

    /// The same, with the authorizer's signature over [`Self::signed_bytes`] in place of the one that it has.
    #[must_use]
    pub fn with_signature(mut self, by: Base58<64>) -> Self {
        match &mut self {
            Self::Capture { signature, .. }
            | Self::Close { signature, .. }
            | Self::Void { signature, .. } => {
                *signature = by;
            }
        }
        self
    }

    /// The bytes that the authorizer signed.
    pub fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        match *self {
            Self::Capture { payment_id, amount, fee, last, .. } => {
                Capture { intent_digest: payment_id.0, amount: amount.0, fee: fee.0, last }.signed_bytes()
            }
            Self::Close { payment_id, amount, .. } | Self::Void { payment_id, amount, .. } => {
                Release { intent_digest: payment_id.0, amount: amount.0 }.signed_bytes()
            }
        }
    }
}

/// The scheme's payload: a client's intent, or a server's operation on a payment.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// From a client: settles as `authorize`, or as `charge` once the server has completed it.
    Intent(Box<IntentPayload>),
    /// From a client: pays for a request out of a streamed hold.
    Voucher(VoucherPayload),
    /// From a server: settles as it names.
    Lifecycle(LifecyclePayload),
}

/// [`LifecyclePayload`] with its type outside. An enum whose type is a member is read through a buffer, and an error
/// then has no path.
#[derive(Deserialize)]
#[serde(remote = "LifecyclePayload", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum TypeOutside {
    Capture {
        payment_id: Hex32,
        amount: Decimal,
        #[serde(default, deserialize_with = "null_as_default")]
        fee: Decimal,
        last: bool,
        signature: Base58<64>,
    },
    Close {
        payment_id: Hex32,
        amount: Decimal,
        signature: Base58<64>,
    },
    Void {
        payment_id: Hex32,
        amount: Decimal,
        signature: Base58<64>,
    },
}

impl Payload {
    /// Reads `payload`. Only an intent has no `type`.
    ///
    /// # Errors
    /// If a field is missing or can't be read; the error names it.
    pub fn read(payload: &Value) -> Result<Self, serde_json::Error> {
        match payload.get("type") {
            None => IntentPayload::deserialize(payload).map(Box::new).map(Self::Intent),
            Some(kind) if kind == VOUCHER => VoucherPayload::deserialize(payload).map(Self::Voucher),
            Some(_) => LifecyclePayload::deserialize(payload).map(Self::Lifecycle),
        }
    }

    /// Reads `payload` like [`Payload::read`].
    ///
    /// # Errors
    /// If a field is missing or can't be read; the error has its path.
    pub fn read_field(payload: &Value) -> Result<Self, FieldError> {
        #[derive(Deserialize)]
        struct Outside(#[serde(with = "TypeOutside")] LifecyclePayload);

        let Some(kind) = payload.get("type") else {
            return field::read(payload).map(Box::new).map(Self::Intent);
        };
        let kind = kind.as_str().ok_or_else(|| FieldError {
            field: "type".to_owned(),
            message: "expected `voucher`, `capture`, `close` or `void` as a string".to_owned(),
        })?;
        if kind == VOUCHER {
            return field::read(payload).map(Self::Voucher);
        }
        let outside = Value::Object(Map::from_iter([(kind.to_owned(), payload.clone())]));
        field::read(&outside).map(|Outside(payload)| Self::Lifecycle(payload)).map_err(|error| {
            let field = error.field.strip_prefix(kind).unwrap_or(&error.field).trim_start_matches('.');
            let unknown = field.is_empty() && error.message.starts_with("unknown variant");
            FieldError { field: if unknown { "type" } else { field }.to_owned(), ..error }
        })
    }
}
