//! Events of a payment.

use solana_address::Address;

use crate::message::Digest;

events! {
    /// An amount was held.
    Authorized = 0x762e_67fd_6576_0680_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// The hold.
        hold: Address,
        /// Who is paid.
        receiver: Address,
        /// Whose consent lets money go to the receiver.
        capture_authorizer: Address,
        /// Whose consent lets the payment end at less.
        receiver_authorizer: Address,
        /// Who may take a fee.
        fee_recipient: Address,
        /// The payment.
        intent_digest: Digest,
        /// The HTTP request that is paid for.
        resource_hash: [u8; 32],
        /// What is held, in base units.
        amount: u64,
        /// The intent's nonce.
        nonce: u64,
        /// Last second for captures, unix.
        capture_deadline: i64,
        /// Until when the receiver promises refunds, unix; 0 for no promise.
        refund_deadline: i64,
        /// The most of what is captured that may be fee, in basis points.
        maximum_fee_bps: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
        /// The part of the escrow's balance that is promised afterwards, in base units.
        held: u64,
        /// What the session has spent afterwards, in base units.
        spent: u64,
    }
    /// A receiver was paid out of a hold.
    Captured = 0x59c2_16e5_ec3a_1d92_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// The hold.
        hold: Address,
        /// Who is paid.
        receiver: Address,
        /// The payment.
        intent_digest: Digest,
        /// What this capture moved, the fee included, in base units.
        amount: u64,
        /// The part of `amount` that went to the fee recipient.
        fee: u64,
        /// All that was captured so far, in base units.
        captured: u64,
        /// What went back to the free balance, in base units.
        released: u64,
        /// What the hold still holds, in base units; at 0 its account is closed.
        left: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
        /// The part of the escrow's balance that is promised afterwards, in base units.
        held: u64,
    }
    /// A payment was ended by the receiver authorizer's consent.
    Voided = 0x2030_a35f_475b_56b3_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// The hold.
        hold: Address,
        /// The payment.
        intent_digest: Digest,
        /// All that was captured so far, in base units.
        captured: u64,
        /// What went back to the free balance, in base units.
        released: u64,
        /// What the hold still holds, in base units; at 0 its account is closed.
        left: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
        /// The part of the escrow's balance that is promised afterwards, in base units.
        held: u64,
    }
    /// A hold was ended after its capture deadline; its account is closed.
    Reclaimed = 0xe619_2087_28a7_8982_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// The hold.
        hold: Address,
        /// The payment.
        intent_digest: Digest,
        /// All that was captured, in base units.
        captured: u64,
        /// What went back to the free balance, in base units.
        released: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
        /// The part of the escrow's balance that is promised afterwards, in base units.
        held: u64,
    }
    /// A receiver was paid at once, without a hold.
    Charged = 0xa7aa_43b3_2f58_dd84_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// Who was paid.
        receiver: Address,
        /// Whose consent let money go to the receiver.
        capture_authorizer: Address,
        /// Whose consent let the payment end at less.
        receiver_authorizer: Address,
        /// Who may take a fee.
        fee_recipient: Address,
        /// The payment.
        intent_digest: Digest,
        /// The HTTP request that is paid for.
        resource_hash: [u8; 32],
        /// What was paid, the fee included, in base units.
        amount: u64,
        /// The part of `amount` that went to the fee recipient.
        fee: u64,
        /// The intent's nonce.
        nonce: u64,
        /// Until when the receiver promises refunds, unix; 0 for no promise.
        refund_deadline: i64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
        /// The part of the escrow's balance that is promised afterwards, in base units.
        held: u64,
        /// What the session has spent afterwards, in base units.
        spent: u64,
    }
}
