//! Events of an escrow and its balance.

use solana_address::Address;

use crate::message::Digest;

events! {
    /// An escrow was created.
    EscrowOpened = 0xc92a_6008_7b09_d4a4_u64 {
        /// The escrow.
        escrow: Address,
        /// Whose escrow it is.
        payer: Address,
        /// The token.
        mint: Address,
        /// Holds the tokens.
        vault: Address,
        /// Gets the rent back.
        rent_payer: Address,
    }
    /// The payer named, changed or removed the guardian.
    GuardianSet = 0x9f31_9b9c_b058_1dbe_u64 {
        /// The escrow.
        escrow: Address,
        /// May revoke sessions from now on; all zero bytes for nobody.
        guardian: Address,
    }
    /// Tokens were moved in.
    Deposited = 0x6f8d_1a2d_a123_6439_u64 {
        /// The escrow.
        escrow: Address,
        /// Whose tokens came in.
        depositor: Address,
        /// What came in, in base units.
        amount: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
        /// Digest of the intent that the depositor says it refunds; all zero bytes for none.
        refunded_payment: Digest,
    }
    /// Tokens that had arrived by plain transfer were credited.
    Synced = 0x72f4_a361_6350_a446_u64 {
        /// The escrow.
        escrow: Address,
        /// What was credited, in base units.
        amount: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
    }
    /// The payer took free balance out.
    Withdrawn = 0x1459_dfc6_c27c_db0d_u64 {
        /// The escrow.
        escrow: Address,
        /// The token account that was paid.
        destination: Address,
        /// What went out, in base units.
        amount: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
    }
    /// An escrow and its vault were closed.
    EscrowClosed = 0x6d14_3933_d976_03ad_u64 {
        /// The escrow.
        escrow: Address,
        /// Whose escrow it was.
        payer: Address,
        /// The token.
        mint: Address,
        /// The token account that got what was left.
        destination: Address,
        /// What was left, in base units.
        amount: u64,
    }
}
