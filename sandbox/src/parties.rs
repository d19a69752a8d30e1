//! Who pays and who is paid, what they sign, and how they ask the verifier to settle it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::blocking::Client;
use serde_json::{Value, json};
use solana_sdk::signature::Signer as _;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{Address, address, resource::resource_hash};
use x402_escrow_wire::{
    auth_capture::{
        CaptureAuthorizer, Extra, IntentPayload, LifecyclePayload, VoucherPayload, stream_resource_hash,
    },
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32, Key},
};

use crate::{Agent, Local, ONE_TOKEN, Verifier, program_id};

const ORIGIN: &str = "https://shop.example";

/// Longer than any number of kills holds a verdict up.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is deposited, in tokens.
const DEPOSIT: &str = "1000";

/// Why to ask again: nothing was decided.
pub const COME_AGAIN: [&str; 3] =
    ["settlement_pending", "unexpected_settle_error", "unexpected_verify_error"];

/// What a merchant asks for.
pub struct Terms {
    /// Base units.
    pub amount: u64,
    /// Base units, where the hold is streamed.
    pub request_price: Option<u64>,
    /// Unix seconds.
    pub capture_deadline: i64,
}

/// What the verifier answered.
pub enum Answer {
    /// It is settled.
    Yes,
    /// With the code of the reason.
    No(String),
    /// Nothing, or that it should be asked again: only another answer tells what became of it.
    Undecided,
}

/// Who pays, who is paid, and through whom.
#[derive(Clone)]
pub struct Parties {
    /// The owner of the escrow.
    pub owner: Address,
    /// Is paid, and signs captures and releases.
    pub merchant: SigningKey,
    session: SessionFile,
    incarnation: Key,
    fee_payer: Key,
    verifier_url: String,
    /// The next intent's nonce.
    nonces: Arc<AtomicU64>,
    http: Client,
}

impl Parties {
    /// What the owner deposits, and all that there is of the mint, in base units.
    pub const DEPOSIT: u64 = 1_000 * ONE_TOKEN;

    /// Opens an escrow, a session, and the merchant's token account. Returns the owner's command line too.
    ///
    /// # Errors
    /// If a part of it fails.
    pub fn open(local: &Local, verifier: &Verifier) -> Result<(Self, Agent)> {
        let (owner, owner_file) = local.key_file("owner")?;
        let (merchant, _) = local.key_file("merchant")?;
        local.chain.give_sol(&owner.pubkey(), 1_000_000_000)?;
        local.chain.give_tokens(&owner.pubkey(), &local.mint, Self::DEPOSIT)?;
        local.chain.give_tokens(&merchant.pubkey(), &local.mint, 0)?;
        let agent = Agent::owner(local, &owner_file, verifier);
        agent.run(&["escrow", "open", "--amount", DEPOSIT])?;
        let name = format!("session-of-{}", owner.pubkey());
        let session = SessionFile::read(&agent.open_session(&name)?)?;
        let stored = local.chain.session(&address::session(
            &program_id(),
            &session.escrow.into(),
            &session.session_key.into(),
        ))?;
        let parties = Self {
            owner: owner.pubkey(),
            merchant: SigningKey::from_bytes(merchant.secret_bytes()),
            incarnation: Base58(stored.incarnation),
            fee_payer: verifier.fee_payer.into(),
            verifier_url: verifier.url.clone(),
            nonces: Arc::new(AtomicU64::new(1)),
            http: Client::builder().timeout(Duration::from_secs(60)).build()?,
            session,
        };
        Ok((parties, agent))
    }

    /// The same two, who ask another verifier.
    #[must_use]
    pub fn asking(&self, verifier: &Verifier) -> Self {
        Self { verifier_url: verifier.url.clone(), ..self.clone() }
    }

    /// What the merchant's server asks for.
    pub fn requirements(&self, terms: &Terms) -> PaymentRequirements {
        let merchant = Base58(self.merchant.verifying_key().to_bytes());
        let (capture_authorizer, resource) = match terms.request_price {
            None => {
                (CaptureAuthorizer::Key(merchant), resource_hash("GET", &format!("{ORIGIN}/report"), b""))
            }
            Some(_) => (CaptureAuthorizer::SessionKey, stream_resource_hash(ORIGIN)),
        };
        let extra = Extra {
            payment_flow: "escrow".to_owned(),
            capture_mode: None,
            program: program_id().into(),
            fee_payer: self.fee_payer,
            capture_authorizer,
            request_price: terms.request_price.map(Decimal),
            receiver_authorizer: merchant,
            capture_deadline: terms.capture_deadline,
            refund_deadline: 0,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32(resource),
            commitment: None,
        };
        PaymentRequirements {
            scheme: "auth-capture".to_owned(),
            network: self.session.network.clone(),
            amount: Decimal(terms.amount),
            asset: self.session.mint,
            pay_to: merchant,
            max_timeout_seconds: 60,
            extra: extra.to_map(),
        }
    }

    /// A new intent, signed, and its payment's id.
    ///
    /// # Errors
    /// If the requirements are not such as [`Self::requirements`] makes.
    pub fn intent(
        &self,
        requirements: &PaymentRequirements,
        authorize_by: i64,
    ) -> Result<(IntentPayload, Hex32)> {
        let mut payload = IntentPayload {
            escrow: self.session.escrow,
            session_key: self.session.session_key,
            incarnation: self.incarnation,
            nonce: Decimal(self.nonces.fetch_add(1, Ordering::Relaxed)),
            authorize_by,
            receiver_proof: Vec::new(),
            signature: None,
            voucher: None,
            capture: None,
        };
        let extra = Extra::read(requirements).context("the requirements' extra")?;
        let intent = payload.intent(requirements, &extra);
        payload.signature = Some(self.sign(&intent.signed_bytes()));
        Ok((payload, Hex32(intent.digest())))
    }

    /// A voucher for all that was bought so far, signed by the payer.
    pub fn voucher(&self, payment_id: Hex32, amount: u64) -> VoucherPayload {
        let (amount, fee) = (Decimal(amount), Decimal(0));
        let mut voucher = VoucherPayload { payment_id, amount, fee, signature: Base58([0; 64]) };
        voucher.signature = self.sign(&voucher.signed_bytes());
        voucher
    }

    fn sign(&self, bytes: &[u8]) -> Base58<64> {
        Base58(self.session_key().sign(bytes).to_bytes())
    }

    /// The payer's key that signs intents and vouchers.
    pub fn session_key(&self) -> SigningKey {
        self.session.signing_key()
    }

    /// What the merchant settles, signed by it.
    pub fn signed(&self, payload: LifecyclePayload) -> Value {
        let by_merchant = Base58(self.merchant.sign(&payload.signed_bytes()).to_bytes());
        json!(payload.with_signature(by_merchant))
    }

    /// A capture, signed by the merchant, after which `amount` base units are captured in all. If it is the `last`, the
    /// rest goes back.
    pub fn capture(&self, payment_id: Hex32, amount: u64, last: bool) -> Value {
        let (amount, fee, signature) = (Decimal(amount), Decimal(0), Base58([0; 64]));
        self.signed(LifecyclePayload::Capture { payment_id, amount, fee, last, signature })
    }

    /// The merchant's signature for giving it all back.
    pub fn void(&self, payment_id: Hex32) -> Value {
        let (amount, signature) = (Decimal(0), Base58([0; 64]));
        self.signed(LifecyclePayload::Void { payment_id, amount, signature })
    }

    /// The body of a request to settle.
    pub fn body(requirements: &PaymentRequirements, payload: &Value) -> Value {
        json!({
            "x402Version": 2,
            "paymentPayload": { "x402Version": 2, "accepted": requirements, "payload": payload },
            "paymentRequirements": requirements,
        })
    }

    /// Asks once. `None` if the verifier was killed before or while it answered.
    pub fn ask(&self, body: &Value) -> Option<Value> {
        let answer = self.http.post(format!("{}/settle", self.verifier_url)).json(body).send();
        answer.and_then(|response| response.json()).ok()
    }

    /// Asks once, and reads the verdict.
    pub fn settle(&self, requirements: &PaymentRequirements, payload: &Value) -> Answer {
        let Some(answer) = self.ask(&Self::body(requirements, payload)) else { return Answer::Undecided };
        if answer["success"] == true {
            return Answer::Yes;
        }
        match answer["errorReason"].as_str() {
            Some(reason) if COME_AGAIN.contains(&reason) => Answer::Undecided,
            Some(reason) => Answer::No(reason.to_owned()),
            None => Answer::No(format!("without a reason: {answer}")),
        }
    }

    /// Asks until there is a verdict.
    ///
    /// # Errors
    /// If the verdict is no: the code of the reason. If there is none after ten minutes: that.
    pub fn settle_until_decided(
        &self,
        requirements: &PaymentRequirements,
        payload: &Value,
    ) -> Result<(), String> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match self.settle(requirements, payload) {
                Answer::Yes => return Ok(()),
                Answer::No(reason) => return Err(reason),
                Answer::Undecided => thread::sleep(Duration::from_millis(100)),
            }
        }
        Err(format!("no verdict after {} s", PATIENCE.as_secs()))
    }
}

/// Unix seconds.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed()
}
