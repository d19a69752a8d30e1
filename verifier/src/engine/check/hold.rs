//! Whether an intent would be authorized or charged.

use std::collections::BTreeSet;

use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    claim::{self, Standing},
    facts::{Facts, Subject, receiver_token_accounts},
    identifier::Binding,
    payment::{Action, History, Resource, RestsOn},
    policy::Policy,
    request::AuthCaptureRequest,
    verify::{
        Rejection, charge,
        intent::{self, Proposal},
        request::{self, SignedIntent},
        requirements,
    },
};
use x402_escrow_interface::{Address, account::Escrow, message::PaymentFlow};
use x402_escrow_wire::{
    auth_capture::{Commitment, IntentPayload},
    claim::Claim,
    error_code::ErrorCode,
};

use super::Purpose;
use crate::{
    chain::facts,
    engine::{app::App, budget, found, identifier, not_accepted::NotAccepted, pause},
};

/// An intent that is sound.
#[derive(Clone, Debug)]
pub struct CheckedHold {
    /// What was signed.
    pub signed: SignedIntent,
    /// By what it is settled.
    pub action: Action,
    /// The token.
    pub asset: Address,
    /// Its id, if it has one.
    pub binding: Option<Binding>,
    /// Whether it was accepted under its id, and the server is to be told again what became of it.
    pub is_told_again: bool,
    /// By whom it is settled, if that is said.
    pub claim: Option<Claim>,
    /// What the client says that it is for.
    pub resource: Resource,
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
        /// Its authorization or charge.
        operation_id: i64,
        /// Whose it is.
        standing: Standing,
    },
    /// It is new, and would be authorized or charged.
    New {
        /// What it was judged by.
        facts: Box<Facts>,
        /// The escrow.
        escrow: Box<Escrow>,
        /// Whether it was accepted before, and came to nothing.
        is_known: bool,
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
    let action = match (intent.flow, signed.charge) {
        (PaymentFlow::Escrow, _) => Action::Authorize,
        (PaymentFlow::Authorization, Some(charge)) => charge,
        (PaymentFlow::Authorization, None) if purpose == Purpose::Verify => charge::in_full(intent),
        (PaymentFlow::Authorization, None) => return Err(charge::incomplete().into()),
    };
    let asset = asked.asset.into();
    let claim = request.body.claim;
    let resource = Resource::of(request.body.payment_payload.resource.as_ref());
    let checked =
        |signed, found| CheckedHold { signed, action, asset, binding, is_told_again, claim, resource, found };
    let known = app.store.history(&intent.digest()).await?;
    if let Some(history) = &known {
        requirements::check_asset(asked, &history.payment.mint)?;
        if let Some(found) = before(history, claim, now) {
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
    let facts = facts::read(&app.together, &subject, &token_accounts).await?;
    let promises = app.store.promises(&intent.escrow, &facts).await?;
    let proposal = Proposal { intent, receiver_proof: &signed.receiver_proof, asset: &asset };
    let is_known = known.is_some();
    let escrow = match intent::check(&proposal, &facts, &promises, &app.rules.policy) {
        Ok(escrow) => escrow,
        Err(rejection) => {
            let may_be_charged = purpose == Purpose::Settle
                && action != Action::Authorize
                && matches!(rejection.code, ErrorCode::NonceInvalid | ErrorCode::IntentExpired);
            let Some(history) = known.filter(|_| may_be_charged) else { return Err(rejection.into()) };
            // What came to nothing here may have been charged by somebody else since.
            let (charged, is_too_late) = found::record_charge(app, &history, intent.authorize_by).await?;
            return match charged.and_then(|history| before(&history, claim, now)) {
                Some(found) => Ok(checked(signed, found)),
                None if is_too_late => Err(rejection.into()),
                None => Err(perhaps_charged().into()),
            };
        }
    };
    app.deny_list.check(&app.metrics, escrow.payer, intent.receiver, asset).await?;
    if purpose == Purpose::Settle {
        app.limits.count_sound(Some(intent.escrow), intent.receiver).map_err(NotAccepted::TooMany)?;
    } else {
        budget::charge_intent(app, intent, escrow.payer).await?.take_back(app);
    }
    let found = FoundHold::New { facts: Box::new(facts), escrow: Box::new(escrow), is_known };
    Ok(checked(signed, found))
}

/// What is known of a payment that was accepted before, and has not come to nothing.
fn before(history: &History, claim: Option<Claim>, now: i64) -> Option<FoundHold> {
    let operation_id = intent::known_authorization(history)?;
    let standing = claim::standing(history.payment.claim, claim, history, now);
    Some(FoundHold::Before { history: Box::new(history.clone()), operation_id, standing })
}

/// Until a final block says what became of a nonce, it may be by this payment that it is used.
fn perhaps_charged() -> Rejection {
    Rejection::new(
        ErrorCode::SettlementPending,
        "payload.nonce: was used, perhaps by this payment; settle again to learn whether somebody else charged it",
    )
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
            FoundHold::New { facts, escrow, .. } => {
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
