//! Puts payments, captures and deposits on chain without the verifier.

use serde::Deserialize;
use serde_json::Value;
use solana_sdk::signer::{Signer, keypair::Keypair};
use spl_token_interface::state::AccountState;
use x402_escrow_interface::{
    account::Hold,
    address::{self, TOKEN_PROGRAM_ID, associated_token},
    instruction::{self, Charge, ChargeCapture, Consent, HoldAccounts},
    message::{Capture, Digest, Release},
};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload, LifecyclePayload},
    payment::PaymentRequirements,
};

use crate::world::{PAYER, World, keypair, program};

impl World {
    /// Puts the payment of this body on chain at `relay`'s cost, as another verifier would.
    pub(crate) fn relay(&self, body: &Value, relay: &Keypair) {
        let requirements = PaymentRequirements::deserialize(&body["paymentRequirements"]).unwrap();
        let payload = IntentPayload::deserialize(&body["paymentPayload"]["payload"]).unwrap();
        let intent = payload.intent(&requirements, &Extra::read(&requirements).unwrap());
        let signature = payload.signature.unwrap().0;
        self.cluster.state().svm.airdrop(&relay.pubkey(), 10_000_000_000).unwrap();
        let authorize = instruction::authorize(&relay.pubkey(), &intent, &signature, &payload.proof());
        self.execute(&[authorize], relay);
    }

    /// Puts the capture or the release of this body on chain without the verifier.
    pub(crate) fn relay_operation(&self, nonce: u64, body: &Value) {
        let payload = LifecyclePayload::deserialize(&body["paymentPayload"]["payload"]).unwrap();
        let (escrow, hold_address) = (self.escrow_account(), address::hold(&program(), &self.session, nonce));
        let hold = Hold::decode(&self.data(&hold_address)).unwrap();
        let accounts = HoldAccounts {
            program: program(),
            escrow_address: self.escrow,
            escrow: &escrow,
            hold_address,
            hold: &hold,
        };
        let instruction = match payload {
            LifecyclePayload::Capture { payment_id, amount, fee, last, signature } => {
                let capture = Capture { intent_digest: payment_id.0, amount: amount.0, fee: fee.0, last };
                instruction::capture(accounts, amount.0, &capture, Consent::Signature(signature.0))
            }
            LifecyclePayload::Void { payment_id, amount, signature } => {
                let release = Release { intent_digest: payment_id.0, amount: amount.0 };
                instruction::void(accounts, &release, Consent::Signature(signature.0))
            }
            _ => panic!("{payload:?} is neither"),
        };
        self.execute(&[instruction], &keypair(PAYER));
    }

    /// Has somebody put the charge of `body` on chain.
    pub(crate) fn relay_charge(&self, body: &Value) {
        let requirements: PaymentRequirements =
            serde_json::from_value(body["paymentRequirements"].clone()).unwrap();
        let payload = IntentPayload::deserialize(&body["paymentPayload"]["payload"]).unwrap();
        let intent = payload.intent(&requirements, &Extra::read(&requirements).unwrap());
        let capture = payload.capture.map(|capture| {
            ChargeCapture::new(&capture.capture(intent.digest()), Consent::Signature(capture.signature.0))
        });
        let amount = capture.map_or(intent.amount, |capture| capture.amount);
        let charge = Charge { amount, capture, release: None };
        let signature = payload.signature.unwrap().0;
        let charge = instruction::charge(&intent, &signature, &[], &self.escrow_account(), &charge);
        self.execute(&[charge], &keypair(PAYER));
    }

    /// Has `depositor` move its tokens into the escrow in the name of a payment.
    pub(crate) fn relay_deposit(&self, depositor: &Keypair, amount: u64, payment: Digest) {
        let source = associated_token(&depositor.pubkey(), &self.mint, &TOKEN_PROGRAM_ID);
        self.cluster.state().svm.airdrop(&depositor.pubkey(), 1_000_000_000).unwrap();
        if depositor.pubkey() != self.merchant() {
            self.set_token_account(depositor.pubkey(), AccountState::Initialized, amount);
        }
        let refund = instruction::refund(
            &program(),
            &payment,
            &depositor.pubkey(),
            &source,
            &self.escrow,
            &self.escrow_account(),
            amount,
        );
        self.execute(&[refund], depositor);
    }
}
