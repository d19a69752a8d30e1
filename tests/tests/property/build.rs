use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold},
    address::{self, TOKEN_PROGRAM_ID},
    instruction::{self, Charge, HoldAccounts, Proof},
    message::{Capture, Release},
};
use x402_escrow_tests::model::{Arguments, ChargeArguments, Model, Rest, Signed};

use super::{
    cast::Cast,
    compare::{stored_escrow, stored_hold},
    step::At,
};

/// The instruction for these arguments. Its escrow and its hold, if it has any, must be the model's.
pub(crate) fn instruction(model: &Model, cast: &Cast, at: &At, arguments: &Arguments) -> Instruction {
    let place = cast.places.iter().find(|place| place.escrow == at.escrow);
    let payer = place.map(|place| place.payer).unwrap_or_default();
    let escrow = || -> Escrow { stored_escrow(model, &at.escrow, 0) };
    let hold = || -> Hold { stored_hold(model, &at.hold) };
    match arguments {
        Arguments::OpenEscrow { withdraw_delay_seconds } => {
            let mint = place.unwrap().mint;
            let delay = *withdraw_delay_seconds;
            // Its vault was made before.
            instruction::open_escrow(&at.signer, &payer, &mint, &TOKEN_PROGRAM_ID, delay).pop().unwrap()
        }
        Arguments::Deposit { amount } => {
            instruction::deposit(&at.signer, &at.tokens, &at.escrow, &escrow(), *amount)
        }
        Arguments::Sync => instruction::sync(&at.escrow, &escrow()),
        Arguments::RequestWithdrawal { amount } => {
            instruction::request_withdrawal(&at.escrow, &escrow(), *amount)
        }
        Arguments::CancelWithdrawal => instruction::cancel_withdrawal(&at.escrow, &escrow()),
        Arguments::Withdraw => instruction::withdraw(&at.escrow, &escrow(), &at.tokens),
        Arguments::CloseEscrow => instruction::close_escrow(&at.escrow, &escrow()),
        Arguments::OpenSession { limits } => {
            // Here the drawn account is the session's key.
            instruction::open_session(&at.signer, &payer, &at.escrow, &at.session, limits)
        }
        Arguments::UpdateSession { limits } => {
            instruction::update_session(&payer, &at.escrow, &at.session, limits)
        }
        Arguments::RevokeSession => instruction::revoke_session(&payer, &at.escrow, &at.session),
        Arguments::CloseSession => {
            let rent_payer = model.sessions.get(&at.session).map_or(payer, |session| session.rent_payer);
            instruction::close_session(&payer, &at.escrow, &at.session, &rent_payer)
        }
        Arguments::Authorize { intent, signature } => {
            instruction::authorize(&at.signer, intent, &signature.bytes)
        }
        Arguments::Charge(ChargeArguments { intent, signature, amount, fee, release, capture }) => {
            let charge = Charge {
                amount: *amount,
                fee: *fee,
                release: (*amount < intent.amount).then(|| proof(release.as_ref())),
                capture: (*fee > 0).then(|| proof(capture.as_ref())),
            };
            instruction::charge(intent, &signature.bytes, &escrow(), &charge)
        }
        Arguments::Capture { amount, fee, rest, signature } => {
            let (escrow, hold) = (escrow(), hold());
            let accounts = accounts(at, &escrow, &hold);
            let last = *rest == Rest::Released;
            let capture = Capture { intent_digest: hold.intent_digest, amount: *amount, fee: *fee, last };
            let proof = proof(signature.as_ref());
            match rest {
                Rest::ReleasedBySignature(release) => {
                    instruction::capture_and_release(accounts, &capture, proof, &release.bytes)
                }
                _ => instruction::capture(accounts, &capture, proof),
            }
        }
        Arguments::Void { amount, signature } => {
            let (escrow, hold) = (escrow(), hold());
            let release = Release { intent_digest: hold.intent_digest, amount: *amount };
            instruction::void(accounts(at, &escrow, &hold), &release, proof(signature.as_ref()))
        }
        Arguments::Reclaim => instruction::reclaim(accounts(at, &escrow(), &hold())),
        Arguments::Refund { amount } => {
            instruction::refund(accounts(at, &escrow(), &hold()), &at.tokens, *amount)
        }
        Arguments::CloseHold => instruction::close_hold(&at.hold, &hold()),
    }
}

fn accounts<'a>(at: &At, escrow: &'a Escrow, hold: &'a Hold) -> HoldAccounts<'a> {
    HoldAccounts { escrow_address: at.escrow, escrow, hold_address: at.hold, hold }
}

fn proof(signature: Option<&Signed>) -> Proof {
    signature.map_or(Proof::Signer, |signature| Proof::Signature(signature.bytes))
}

/// Where an intent's session is.
pub(crate) fn session_of(intent: &x402_escrow_interface::message::Intent) -> Address {
    address::session(&intent.escrow, &intent.session_key)
}
