use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_interface::{
    account::{Escrow, Hold, Session},
    instruction::SessionLimits,
    message::{Intent, PaymentFlow},
};
use x402_escrow_tests::{
    model::{self, Arguments, Payment},
    program_id,
};

use crate::property::{play::Play, step::Step};

/// Makes the model what the chain says, after a step that succeeded. Only drawing needs it.
pub(crate) fn follow(play: &mut Play, step: &Step) {
    let nonce = match &step.arguments {
        Arguments::Authorize { intent, .. } => Some(intent.nonce),
        Arguments::Charge(charge) => Some(charge.intent.nonce),
        _ => None,
    };
    for address in step.instruction.accounts.iter().map(|meta| meta.pubkey) {
        let lamports = play.chain.lamports(&address);
        play.model.lamports.entry(address).and_modify(|there| *there = lamports);
        let data = play.chain.data(&address).unwrap_or_default();
        let model = &mut play.model;
        if let Ok(stored) = Escrow::decode(&data) {
            model.escrows.insert(address, escrow(&stored));
        } else if let Ok(stored) = Session::decode(&data) {
            let mut nonces =
                model.sessions.remove(&address).map(|session| session.nonces).unwrap_or_default();
            if stored.highest_nonce == 0 {
                nonces.clear();
            }
            nonces.extend(nonce);
            model.sessions.insert(address, session(&stored, nonces));
        } else if let Ok(stored) = Hold::decode(&data) {
            let signed = play.audit.signatures.intents.get(&stored.intent_digest).copied();
            let session = &play.model.sessions[&stored.session];
            let hold = hold(&stored, signed.unwrap_or_else(|| unknown_intent(&stored, session)));
            play.model.holds.insert(address, hold);
        } else if data.is_empty() {
            model.escrows.remove(&address);
            model.sessions.remove(&address);
            model.holds.remove(&address);
            model.tokens.remove(&address);
        } else if let Some(account) = model.tokens.get_mut(&address) {
            account.amount = play.chain.tokens(&address);
        }
    }
}

fn escrow(stored: &Escrow) -> model::Escrow {
    model::Escrow {
        payer: stored.payer,
        mint: stored.mint,
        token_program: stored.token_program,
        vault: stored.vault,
        rent_payer: stored.rent_payer,
        guardian: stored.guardian,
        balance: stored.balance,
        revoked_before_slot: stored.revoked_before_slot,
    }
}

fn session(stored: &Session, nonces: BTreeSet<u64>) -> model::Session {
    // Two payments stand for all.
    let of_period = Payment { amount: stored.period_spent, period: stored.period_index };
    let before = Payment { amount: stored.spent.saturating_sub(stored.period_spent), period: u64::MAX };
    model::Session {
        escrow: stored.escrow,
        session_key: stored.session_key,
        rent_payer: stored.rent_payer,
        incarnation: stored.incarnation,
        opened_slot: stored.opened_slot,
        limits: SessionLimits {
            expires_at: stored.expires_at,
            maximum_payment: stored.maximum_payment,
            maximum_total: stored.maximum_total,
            maximum_per_period: stored.maximum_per_period,
            period_seconds: stored.period_seconds,
            receivers_root: stored.receivers_root,
        },
        revoked: stored.revoked != 0,
        periods_since: stored.periods_since,
        first_period: stored.first_period,
        period: stored.period_index,
        nonces,
        payments: BTreeMap::from([(0, before), (1, of_period)]),
    }
}

fn hold(stored: &Hold, intent: Intent) -> model::Hold {
    model::Hold {
        session: stored.session,
        intent,
        rent_payer: stored.rent_payer,
        amount: stored.amount,
        captured: stored.captured,
        fee: stored.fee,
        period: stored.period_index,
    }
}

/// What is known of an intent that nobody signed as it is held.
fn unknown_intent(stored: &Hold, session: &model::Session) -> Intent {
    Intent {
        program: program_id(),
        incarnation: session.incarnation,
        escrow: session.escrow,
        session_key: session.session_key,
        receiver: stored.receiver,
        capture_authorizer: stored.capture_authorizer,
        receiver_authorizer: stored.receiver_authorizer,
        fee_recipient: stored.fee_recipient,
        resource_hash: [0; 32],
        amount: stored.amount,
        nonce: 0,
        authorize_by: 0,
        capture_deadline: stored.capture_deadline,
        refund_deadline: 0,
        maximum_fee_bps: stored.maximum_fee_bps,
        flow: PaymentFlow::Escrow,
    }
}
