use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session},
    address::{self, TOKEN_PROGRAM_ID},
    instruction::{self, Charge, ChargeCapture, Consent, HoldAccounts},
    message::{Digest, Intent},
};
use x402_escrow_tests::{
    model::{self, Arguments, ChargeArguments, End, Model},
    program_id,
};

use super::{
    cast::Cast,
    step::At,
    stored::{stored_escrow, stored_hold, stored_session},
};

/// The instruction for these arguments. Its escrow, session and hold, if it has any, must be the
/// model's.
pub(crate) fn instruction(model: &Model, cast: &Cast, at: &At, arguments: &Arguments) -> Instruction {
    let program = &program_id();
    let place = cast.places.iter().find(|place| place.escrow == at.escrow);
    let payer = place.map(|place| place.payer).unwrap_or_default();
    let escrow = || -> Escrow { stored_escrow(model, &at.escrow, 0) };
    // A transaction signer names the payment that the arguments are about.
    let hold = |intent_digest: Digest| Hold { intent_digest, ..stored_hold(model, &at.hold) };
    let session = || -> Session { stored_session(model, &at.session) };
    match arguments {
        Arguments::OpenEscrow => {
            let mint = place.unwrap().mint;
            // Its vault was made before.
            instruction::open_escrow(program, &at.signer, &payer, &mint, &TOKEN_PROGRAM_ID).pop().unwrap()
        }
        Arguments::SetGuardian { guardian } => {
            instruction::set_guardian(program, &payer, &at.escrow, guardian)
        }
        Arguments::Deposit { amount, refunded_payment: None } => {
            instruction::deposit(program, &at.signer, &at.tokens, &at.escrow, &escrow(), *amount)
        }
        Arguments::Deposit { amount, refunded_payment: Some(digest) } => {
            instruction::refund(program, digest, &at.signer, &at.tokens, &at.escrow, &escrow(), *amount)
        }
        Arguments::Sync => instruction::sync(program, &at.escrow, &escrow()),
        Arguments::Withdraw { amount } => {
            instruction::withdraw(program, &at.escrow, &escrow(), &at.tokens, *amount)
        }
        Arguments::CloseEscrow => instruction::close_escrow(program, &at.escrow, &escrow(), &at.tokens),
        Arguments::OpenSession { limits } => {
            // Here the drawn account is the session's key.
            instruction::open_session(program, &at.signer, &payer, &at.escrow, &at.session, limits)
        }
        Arguments::UpdateSession { limits } => {
            instruction::update_session(program, &payer, &at.escrow, &at.session, limits)
        }
        Arguments::RevokeSession { named, consent } => {
            let session = Session { incarnation: named.incarnation, ..session() };
            instruction::revoke_session(program, &at.signer, &session, sent(consent))
        }
        Arguments::RevokeSessions { named, consent } => {
            let slot = named.opened_through_slot;
            instruction::revoke_sessions(program, &at.signer, &at.escrow, slot, sent(consent))
        }
        Arguments::CloseSession => {
            let rent_payer = session().rent_payer;
            instruction::close_session(program, &payer, &at.escrow, &at.session, &rent_payer)
        }
        Arguments::Authorize { intent, signature, receiver_proof } => {
            instruction::authorize(&at.signer, intent, &signature.bytes, receiver_proof)
        }
        Arguments::Charge(ChargeArguments {
            intent,
            signature,
            receiver_proof,
            amount,
            capture,
            release,
        }) => {
            let charge = Charge {
                amount: *amount,
                capture: capture.map(|model::ChargeCapture { bound, consent }| {
                    ChargeCapture::new(&bound, sent(&consent))
                }),
                release: release.map(|consent| sent(&consent)),
            };
            instruction::charge(intent, &signature.bytes, receiver_proof, &escrow(), &charge)
        }
        Arguments::Capture { amount, bound, end, consent } => {
            let (escrow, hold) = (escrow(), hold(bound.intent_digest));
            let accounts = accounts(at, &escrow, &hold);
            match end {
                End::AtAmount(release) => {
                    let release = &release.bytes;
                    instruction::capture_and_release(accounts, *amount, bound, sent(consent), release)
                }
                End::Unchanged | End::AtBound => {
                    instruction::capture(accounts, *amount, bound, sent(consent))
                }
            }
        }
        Arguments::Void { release, consent } => {
            let (escrow, hold) = (escrow(), hold(release.intent_digest));
            instruction::void(accounts(at, &escrow, &hold), release, sent(consent))
        }
        Arguments::Reclaim => {
            let (escrow, hold) = (escrow(), stored_hold(model, &at.hold));
            instruction::reclaim(accounts(at, &escrow, &hold))
        }
    }
}

fn accounts<'a>(at: &At, escrow: &'a Escrow, hold: &'a Hold) -> HoldAccounts<'a> {
    HoldAccounts { program: program_id(), escrow_address: at.escrow, escrow, hold_address: at.hold, hold }
}

fn sent(consent: &model::Consent) -> Consent {
    match consent {
        model::Consent::Signature(signature) => Consent::Signature(signature.bytes),
        model::Consent::Signer => Consent::Signer,
    }
}

/// Where an intent's session is.
pub(crate) fn session_of(intent: &Intent) -> Address {
    address::session(&intent.program, &intent.escrow, &intent.session_key)
}

/// Where an intent is held.
pub(crate) fn hold_of(intent: &Intent) -> Address {
    address::hold(&intent.program, &session_of(intent), intent.nonce)
}
