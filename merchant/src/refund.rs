//! Refunds payments, by deposits that name them. Uses the facilitator.
//!
//! The facilitator drafts a transaction, the merchant looks at it and signs it, the facilitator
//! sends it.

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signer, SigningKey};
use solana_message::Message;
use x402_escrow_interface::{Address, address::associated_token};
use x402_escrow_wire::{
    facilitator::{RefundRequest, SettleResponse, SignedRefund},
    text::{Base58, Decimal, Hex32, Key},
};

use crate::{
    exchange,
    facilitator::{Facilitator, FacilitatorError, Support},
    shared::Shared,
};

/// The program's instruction, as in its IDL.
const DEPOSIT: u8 = 2;
/// Before the payment that a deposit names: Borsh's mark of what is there.
const NAMED: u8 = 1;
/// Accounts that can sign it: whoever pays the fee, and the receiver.
const SIGNERS: u8 = 2;

/// Why nothing was refunded.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// The facilitator doesn't answer, or refuses.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// Only the receiver can refund, and `pay_to` is not the key of `authorizer`.
    #[error("only {0} can refund, and its key is not the merchant's authorizer")]
    NotTheReceiver(Key),
    /// The draft is not what was asked for, so it was not signed.
    #[error("the drafted refund was not signed: {0}")]
    Draft(&'static str),
}

/// Has the payment refunded up to `amount` base units in all, as [`crate::Merchant::refund`] says.
pub(crate) async fn refund(
    merchant: &Shared,
    payment_id: Hex32,
    amount: u64,
) -> Result<SettleResponse, RefundError> {
    let config = &merchant.config;
    if config.authorizer_key() != config.pay_to {
        return Err(RefundError::NotTheReceiver(config.pay_to));
    }
    let refund = Refund { payment_id, amount: Decimal(amount), asset: config.asset };
    make(&merchant.facilitator, &merchant.support(), &config.authorizer, refund).await
}

/// What is given back of a payment.
#[derive(Clone, Copy, Debug)]
struct Refund {
    payment_id: Hex32,
    /// All that is refunded afterwards, in base units.
    amount: Decimal,
    /// The token's mint.
    asset: Key,
}

/// Returns captured money of a payment in the token `asset` until `amount` base units of it are refunded in all, by the key of
/// its receiver: for whoever has the key, and no merchant that sells. The same call again is refused, since nothing more is due.
///
/// # Errors
/// If the verifier at `url` gives no verdict, or drafts something else. That a refund was refused is no error: the answer
/// says so.
pub async fn refund_payment(
    url: &str,
    receiver: &SigningKey,
    asset: Key,
    payment_id: Hex32,
    amount: u64,
) -> Result<SettleResponse, RefundError> {
    let url = url.trim_end_matches('/').to_owned();
    let exchange = exchange::over_http(url.clone())
        .map_err(|error| FacilitatorError::NoAnswer { url: url.clone(), cause: error.to_string() })?;
    let facilitator = Facilitator::new(url, exchange);
    let support = facilitator.support().await?;
    make(&facilitator, &support, receiver, Refund { payment_id, amount: Decimal(amount), asset }).await
}

async fn make(
    facilitator: &Facilitator,
    support: &Support,
    receiver: &SigningKey,
    refund: Refund,
) -> Result<SettleResponse, RefundError> {
    let Refund { payment_id, amount, .. } = refund;
    let draft = facilitator.draft_refund(&RefundRequest { payment_id, amount }).await?;
    let bytes = BASE64_STANDARD
        .decode(&draft.message)
        .map_err(|_| RefundError::Draft("its message is not base64"))?;
    let address = Address::from(receiver.verifying_key().to_bytes());
    check(&bytes, refund, address, support).map_err(RefundError::Draft)?;
    let signature = Base58(receiver.sign(&bytes).to_bytes());
    let signed = SignedRefund { payment_id, amount, message: draft.message, signature };
    Ok(facilitator.send_refund(&signed).await?)
}

/// Checks that the message lets the merchant's signature do one thing: deposit at most `amount`
/// from its own token account into an escrow, for this payment. That the escrow is the payment's is
/// the facilitator's word.
fn check(bytes: &[u8], refund: Refund, receiver: Address, support: &Support) -> Result<(), &'static str> {
    let message: Message = bincode::deserialize(bytes).map_err(|_| "it is no Solana message")?;
    if bincode::serialize(&message).ok().as_deref() != Some(bytes) {
        return Err("it is not written as Solana writes it");
    }
    let keys = &message.account_keys;
    let payer_is_facilitator = keys.first() == Some(&support.fee_payer.into());
    if !payer_is_facilitator || message.header.num_required_signatures != SIGNERS {
        return Err("it is not paid for by the facilitator, and signed by it and the merchant alone");
    }
    let key = |index: u8| keys.get(usize::from(index)).copied();
    let program = Address::from(support.program);
    let (escrow_program, others): (Vec<_>, Vec<_>) =
        message.instructions.iter().partition(|one| key(one.program_id_index) == Some(program));
    let compute_budget = solana_sdk_ids::compute_budget::ID;
    if others.iter().any(|other| key(other.program_id_index) != Some(compute_budget)) {
        return Err("it calls other programs than the escrow program");
    }
    let [deposit] = escrow_program.as_slice() else { return Err("it has not exactly one deposit") };
    let data = deposit.data.strip_prefix(&[DEPOSIT]).and_then(|data| data.split_first_chunk());
    let (returns, named) = data.ok_or("it does something else than a deposit")?;
    if !(1..=refund.amount.0).contains(&u64::from_le_bytes(*returns)) {
        return Err("it returns nothing, or more than was asked for");
    }
    if named.split_first() != Some((&NAMED, &refund.payment_id.0)) {
        return Err("it does not name the payment, so it would not count as its refund");
    }
    let account = |position: usize| deposit.accounts.get(position).and_then(|index| key(*index));
    let token_program = account(5).ok_or("it lacks accounts")?;
    let asset = refund.asset.into();
    let from = associated_token(&receiver, &asset, &token_program);
    if account(0) != Some(receiver) || account(1) != Some(from) || account(4) != Some(asset) {
        return Err("it does not come out of the merchant's own token account");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use solana_instruction::Instruction;
    use solana_message::Message;
    use x402_escrow_interface::{
        account::{Escrow, VERSION},
        address::{TOKEN_PROGRAM_ID, escrow},
        instruction as build,
    };

    use super::*;
    use crate::fixture::{config, support};

    const PAYMENT: Hex32 = Hex32([6; 32]);
    const RETURNS: u64 = 300;

    /// The escrow that was paid from, and its address.
    fn escrow_of(payer: Address) -> (Address, Escrow) {
        let mint = config().asset.into();
        let address = escrow(&support().program.into(), &payer, &mint);
        let account = Escrow {
            version: VERSION,
            bump: 0,
            decimals: 6,
            padding: 0,
            open_sessions: 0,
            payer,
            mint,
            token_program: TOKEN_PROGRAM_ID,
            vault: associated_token(&address, &mint, &TOKEN_PROGRAM_ID),
            rent_payer: payer,
            guardian: Address::default(),
            balance: 0,
            held: 0,
            revoked_before_slot: 0,
            spare: [0; 64],
        };
        (address, account)
    }

    /// The refund that a facilitator drafts.
    fn refund() -> Instruction {
        let (address, account) = escrow_of(Address::from([9; 32]));
        let receiver = config().pay_to.into();
        let source = associated_token(&receiver, &account.mint, &TOKEN_PROGRAM_ID);
        let program = support().program.into();
        build::refund(&program, &PAYMENT.0, &receiver, &source, &address, &account, RETURNS)
    }

    fn checked(instructions: &[Instruction], fee_payer: Key) -> Result<(), &'static str> {
        let message = Message::new(instructions, Some(&fee_payer.into()));
        let refund = Refund { payment_id: PAYMENT, amount: Decimal(RETURNS), asset: config().asset };
        check(&bincode::serialize(&message).unwrap(), refund, config().pay_to.into(), &support())
    }

    #[test]
    fn a_deposit_that_names_the_payment_is_signed() {
        let limit = solana_compute_budget_interface::ComputeBudgetInstruction::set_compute_unit_limit(20_000);
        assert_eq!(checked(&[limit, refund()], support().fee_payer), Ok(()));
    }

    #[test]
    fn anything_else_is_not_signed() {
        type Alter = fn(&mut Vec<Instruction>);
        let cases: [(&str, Alter); 10] = [
            ("more than was asked for", |all| all[0].data[1..9].copy_from_slice(&301_u64.to_le_bytes())),
            ("returns nothing", |all| all[0].data[1..9].fill(0)),
            ("does not name the payment", |all| all[0].data[10] = 7),
            ("does not name the payment", |all| all[0].data[9] = 0),
            ("does not name the payment", |all| all[0].data.truncate(9)),
            ("something else than a deposit", |all| all[0].data[0] = 4),
            ("not exactly one deposit", |all| all.push(all[0].clone())),
            ("calls other programs", |all| all[0].program_id = Address::from([8; 32])),
            ("own token account", |all| all[0].accounts[1].pubkey = Address::from([8; 32])),
            ("signed by it and the merchant alone", |all| all[0].accounts[2].is_signer = true),
        ];
        for (reason, alter) in cases {
            let mut instructions = vec![refund()];
            alter(&mut instructions);
            let refused = checked(&instructions, support().fee_payer).unwrap_err();
            assert!(refused.contains(reason), "{reason}: {refused}");
        }
        assert!(checked(&[refund()], config().pay_to).is_err(), "the merchant pays no fee");
    }
}
