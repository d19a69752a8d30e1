use solana_sdk::instruction::InstructionError;
use solana_system_interface::error::SystemError;
use spl_token_interface::error::TokenError;
use x402_escrow_tests::{
    model::{Broken, Rule},
    svm::{Receipt, Refusal},
};

use super::step::Step;

/// Anchor's error for one account in two slots, of which one may be written.
const CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT: u32 = 2040;

/// The program must do what the model predicted, and refuse for the reason that the model says. A
/// thief may break several rules at once; then any of them will do.
pub(crate) fn compare(step: &Step, predicted: &Result<(), Broken>, outcome: &Result<Receipt, Refusal>) {
    match (predicted, outcome) {
        (Ok(()), Ok(_)) => {}
        (Ok(()), Err(refusal)) => panic!("the model allows what the program refuses: {refusal}"),
        (Err(broken), Ok(_)) => panic!("the program allows what the model refuses: {:?}", broken.rules()),
        (Err(broken), Err(refusal)) => {
            let exact = is(broken.first(), refusal);
            let any = broken.rules().iter().any(|rule| is(*rule, refusal));
            let right = exact || (step.theft.is_some() && any);
            assert!(right, "refused with {refusal}, not for the first of {:?}", broken.rules());
        }
    }
}

fn is(rule: Rule, refusal: &Refusal) -> bool {
    use InstructionError::{
        AccountDataTooSmall, Custom, InvalidSeeds, MissingRequiredSignature, UninitializedAccount,
    };

    let Refusal::Solana(error) = refusal else {
        return *refusal
            == Refusal::Escrow(match rule {
                Rule::Escrow(error) => error,
                _ => return false,
            });
    };
    match rule {
        Rule::Escrow(_) => false,
        Rule::MissingSignature => *error == MissingRequiredSignature,
        // The latter where lamports were sent to its address.
        Rule::MissingAccount => [AccountDataTooSmall, UninitializedAccount].contains(error),
        Rule::WrongSeeds => *error == InvalidSeeds,
        Rule::AccountInUse => *error == Custom(SystemError::AccountAlreadyInUse as u32),
        Rule::Duplicate => *error == Custom(CONSTRAINT_DUPLICATE_MUTABLE_ACCOUNT),
        Rule::FrozenTokens => *error == Custom(TokenError::AccountFrozen as u32),
        Rule::InsufficientTokens => *error == Custom(TokenError::InsufficientFunds as u32),
        Rule::OtherMint => *error == Custom(TokenError::MintMismatch as u32),
        Rule::WrongTokenOwner => *error == Custom(TokenError::OwnerMismatch as u32),
    }
}
