//! Whether an intent would be authorized.

use std::collections::BTreeSet;

use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    claim::{self, Standing},
    facts::{Facts, Subject, receiver_token_accounts},
    identifier::Binding,
    payment::{History, RestsOn},
    policy::Policy,
    request::AuthCaptureRequest,
    verify::{
        Rejection,
        intent::{self, Proposal},
        request::{self, SignedIntent},
        requirements,
    },
};
use x402_escrow_interface::{Address, account::Escrow};
use x402_escrow_wire::{
    auth_capture::{Commitment, IntentPayload},
    claim::Claim,
    error_code::ErrorCode,
};

use super::Purpose;
use crate::{
    chain::facts,
    engine::{app::App, budget, identifier, not_accepted::NotAccepted, pause},
};

/// An intent that is sound.
#[derive(Clone, Debug)]
pub struct CheckedHold {
    /// What was signed.
    pub signed: SignedIntent,
    /// The token.
    pub asset: Address,
    /// Its id, if it has one.
    pub binding: Option<Binding>,
    /// Whether it was accepted under its id, and the server is to be told again what became of it.
    pub is_told_again: bool,
    /// By whom it is settled, if that is said.
    pub claim: Option<Claim>,
    /// What is known of it.
    pub found: FoundHold,
}

/// What is known of an intent.
#[derive(Clone, Debug)]
pub enum FoundHold {
    /// It was accepted before, and has not come to nothing.
    Before {
        /// The payment.
        history: Box<History>,
        /// Its authorization.
        operation_id: i64,
        /// Whose it is.
        standing: Standing,
    },
    /// It is new, and would be authorized.
    New {
        /// What it was judged by.
        facts: Box<Facts>,
        /// The escrow.
        escrow: Box<Escrow>,
    },
}

/// Checks the signature, then what is known here, then the chain and what is promised to others already.
pub(super) async fn check(
    app: &App,
    request: &AuthCaptureRequest,
    payload: &IntentPayload,
    purpose: Purpose,
) -> Result<CheckedHold, NotAccepted> {
    let now = app.now();
    let signed = request::read_intent(&app.rules, &request.body, payload, now)?;
    let (intent, asked) = (&signed.intent, &request.body.payment_requirements);
    let (binding, is_told_again) = match &request.identifier {
        Some(identifier) => {
            let binding = identifier.bind(intent.session_key, signed.hash(), intent.amount, now);
            let known = identifier::find(app, &binding).await?;
            (Some(binding), known.is_some() && identifier.is_told_again)
        }
        None => (None, false),
    };
    let asset = asked.asset.into();
    let claim = request.body.claim;
    let checked = |signed, found| CheckedHold { signed, asset, binding, is_told_again, claim, found };
    if let Some(history) = app.store.history(&intent.digest()).await? {
        requirements::check_asset(asked, &history.payment.mint)?;
        if let Some(operation_id) = intent::known_authorization(&history) {
            let standing = claim::standing(history.payment.claim, request.body.claim, &history, now);
            let found = FoundHold::Before { history: Box::new(history), operation_id, standing };
            return Ok(checked(signed, found));
        }
    }
    pause::check(app)?;
    requirements::check_fee_payer(&signed.extra, &app.rules)?;
    intent::check_token(&asset, &app.rules.tokens)?;
    if purpose == Purpose::Settle {
        app.limits.count_payment(intent.escrow, intent.session_key).map_err(NotAccepted::TooMany)?;
    }
    let token_accounts = BTreeSet::from(receiver_token_accounts(&intent.receiver, &asset));
    let subject = Subject {
        program: intent.program,
        escrow: intent.escrow,
        session_key: intent.session_key,
        nonce: Some(intent.nonce),
    };
    let facts = facts::read(app.chain.as_ref(), &subject, &token_accounts).await?;
    let promises = app.store.promises(&intent.escrow, &facts).await?;
    let proposal = Proposal { intent, receiver_proof: &signed.receiver_proof, asset: &asset };
    let escrow = intent::check(&proposal, &facts, &promises, &app.rules.policy)?;
    app.deny_list.check(&app.metrics, escrow.payer, intent.receiver, asset).await?;
    if purpose == Purpose::Settle {
        app.limits.count_sound(Some(intent.escrow), intent.receiver).map_err(NotAccepted::TooMany)?;
    } else {
        budget::charge_hold(app, escrow.payer, intent.receiver).await?.take_back(app);
    }
    let found = FoundHold::New { facts: Box::new(facts), escrow: Box::new(escrow) };
    Ok(checked(signed, found))
}

impl CheckedHold {
    pub(super) fn verdict(&self, policy: &Policy) -> Result<(Address, Assurance), Rejection> {
        let commitment_asked = self.signed.extra.commitment;
        let assurance = |observed| Assurance {
            rests_on: RestsOn::Balance,
            commitment_asked,
            commitment_required: policy.on_balance(self.signed.intent.amount, commitment_asked).into(),
            observed,
        };
        match &self.found {
            FoundHold::Before { history, .. } if self.is_told_again => {
                Ok((history.payment.payer, assurance(Observed::of_hold(history))))
            }
            FoundHold::Before { history, operation_id, .. } => match history.failure_of(*operation_id) {
                Some(failure) => Err(failure.into()),
                None => Err(already_settled(history)),
            },
            FoundHold::New { facts, escrow } => {
                let observed = Observed::at(Commitment::Confirmed, facts.oldest_slot());
                Ok((escrow.payer, assurance(observed)))
            }
        }
    }
}

/// The verdict on a payment that was settled before, for somebody else.
pub fn already_settled(history: &History) -> Rejection {
    Rejection::new(
        ErrorCode::DuplicateSettlement,
        format!("payload: this payment was settled before and is {}", history.state().as_str()),
    )
}
