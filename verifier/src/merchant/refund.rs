//! Refunds: the facilitator drafts a transaction, the merchant looks at it and signs it, the facilitator sends it.

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::Signer;
use solana_sdk::message::Message;
use x402_escrow_interface::{ID, address::associated_token};
use x402_escrow_wire::{
    facilitator::{RefundRequest, SettleResponse, SignedRefund},
    text::{Base58, Decimal, Hex32, Key},
};

use super::{FacilitatorError, Merchant, MerchantConfig, facilitator::Support};

/// The program's instruction, as in its IDL.
const REFUND: u8 = 10;
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

impl Merchant {
    /// Returns captured money to the payer's escrow until `amount` base units of the payment are refunded in all, and
    /// waits until that is final enough. The same call again returns nothing more.
    ///
    /// # Errors
    /// If the facilitator gives no verdict, or drafts something else. That a refund was refused is no error: the answer
    /// says so.
    pub async fn refund(&self, payment_id: Hex32, amount: u64) -> Result<SettleResponse, RefundError> {
        let config = &self.inner.config;
        if config.authorizer.verifying_key().to_bytes() != config.pay_to.0 {
            return Err(RefundError::NotTheReceiver(config.pay_to));
        }
        let amount = Decimal(amount);
        let facilitator = &self.inner.facilitator;
        let draft = facilitator.draft_refund(&RefundRequest { payment_id, amount }).await?;
        let bytes = BASE64_STANDARD
            .decode(&draft.message)
            .map_err(|_| RefundError::Draft("its message is not base64"))?;
        check(&bytes, amount.0, config, &self.inner.support).map_err(RefundError::Draft)?;
        let signature = Base58(config.authorizer.sign(&bytes).to_bytes());
        let signed = SignedRefund { payment_id, amount, message: draft.message, signature };
        Ok(facilitator.send_refund(&signed).await?)
    }
}

/// Checks that the message lets the merchant's signature do one thing: return at most `amount` from its own token
/// account to a hold that paid it. That the hold is the payment's is the facilitator's word.
fn check(bytes: &[u8], amount: u64, config: &MerchantConfig, support: &Support) -> Result<(), &'static str> {
    let message: Message = bincode::deserialize(bytes).map_err(|_| "it is no Solana message")?;
    if message.serialize() != bytes {
        return Err("it is not written as Solana writes it");
    }
    let keys = &message.account_keys;
    let payer_is_facilitator = keys.first() == Some(&support.fee_payer.into());
    if !payer_is_facilitator || message.header.num_required_signatures != SIGNERS {
        return Err("it is not paid for by the facilitator, and signed by it and the merchant alone");
    }
    let key = |index: u8| keys.get(usize::from(index)).copied();
    let (escrow_program, others): (Vec<_>, Vec<_>) =
        message.instructions.iter().partition(|instruction| key(instruction.program_id_index) == Some(ID));
    let compute_budget = solana_compute_budget_interface::ID;
    if others.iter().any(|other| key(other.program_id_index) != Some(compute_budget)) {
        return Err("it calls other programs than the escrow program");
    }
    let [refund] = escrow_program.as_slice() else { return Err("it has not exactly one refund") };
    let returns =
        refund.data.strip_prefix(&[REFUND]).and_then(|data| data.try_into().ok()).map(u64::from_le_bytes);
    if !returns.is_some_and(|returns| 0 < returns && returns <= amount) {
        return Err("it returns more than was asked for, or does something else");
    }
    let account = |position: usize| refund.accounts.get(position).and_then(|index| key(*index));
    let token_program = account(7).ok_or("it lacks accounts")?;
    let receiver = config.pay_to.into();
    let asset = config.asset.into();
    let from = associated_token(&receiver, &asset, &token_program);
    if account(0) != Some(receiver) || account(1) != Some(from) || account(6) != Some(asset) {
        return Err("it does not come out of the merchant's own token account");
    }
    Ok(())
}
