//! What is remembered of a payment. It has one transaction, the client's, and so no life beyond it.

use x402_escrow_interface::{Address, instruction::Signature, message::Digest};
use x402_escrow_wire::auth_capture::Commitment;

use crate::payment::AttemptState;

/// A payment whose transaction this facilitator signed: from then on anybody can send it, so it is followed until it
/// is final or can't be any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// SHA-256 of the transaction's message.
    pub id: Digest,
    /// Who pays: the transfer's authority.
    pub payer: Address,
    /// The token.
    pub mint: Address,
    /// Who is paid.
    pub receiver: Address,
    /// The receiver's token account.
    pub destination: Address,
    /// The amount in base units.
    pub amount: u64,
    /// The transaction's id: the fee payer's signature.
    pub signature: Signature,
    /// The transaction, signed by both.
    pub transaction: Vec<u8>,
    /// No block above this height can have it.
    pub last_valid_block_height: u64,
    /// When it was signed, unix seconds.
    pub accepted_at: i64,
    /// How far the transaction is.
    pub state: AttemptState,
    /// Whether nothing can change its state any more.
    pub closed: bool,
    /// Whether somebody was told that it is paid. Only one caller is: who shows the same payment to two servers pays
    /// one of them.
    pub claimed: bool,
}

impl Payment {
    /// Whether it is in a block at least as final as `commitment`, and did what it should.
    pub fn has_reached(&self, commitment: Commitment) -> bool {
        self.state
            .landing()
            .is_some_and(|landing| landing.error.is_none() && landing.commitment >= commitment)
    }

    /// Whether it came to nothing: failed in a block that is at least confirmed, or in none in time.
    pub fn came_to_nothing(&self) -> bool {
        match &self.state {
            AttemptState::Sent => false,
            AttemptState::Expired => true,
            AttemptState::Landed(landing) => {
                landing.error.is_some() && landing.commitment >= Commitment::Confirmed
            }
        }
    }
}
