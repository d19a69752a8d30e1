//! What the program logs: one event an instruction, and one more where a hold's account is closed.
//!
//! In a transaction's logs an event is a line `Program data: <base64>`: an 8-byte discriminator (the first bytes of
//! `SHA-256("event:" + name)`), then the fields, little-endian without padding. Amounts are base units.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_address::Address;

use crate::message::Digest;

macro_rules! events {
    ($($(#[$attribute:meta])* $name:ident = $discriminator:literal {
        $($(#[$field_attribute:meta])* $field:ident: $type:ty,)+
    })+) => {
        $(
            $(#[$attribute])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
            pub struct $name {
                $($(#[$field_attribute])* pub $field: $type,)+
            }
        )+

        /// One event of the program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(#[$attribute])* $name($name),)+
        }

        impl Event {
            /// Names and discriminators, in the order of the declaration.
            pub const DISCRIMINATORS: &'static [(&'static str, [u8; 8])] =
                &[$((stringify!($name), $discriminator.to_be_bytes()),)+];

            /// Reads the bytes of a `Program data:` line; `None` for any that is not an event of ours.
            pub fn decode(data: &[u8]) -> Option<Self> {
                let (discriminator, fields) = data.split_first_chunk::<8>()?;
                match u64::from_be_bytes(*discriminator) {
                    $($discriminator => $name::try_from_slice(fields).ok().map(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// An escrow was created.
    EscrowOpened = 0xc92a_6008_7b09_d4a4_u64 {
        /// The escrow.
        escrow: Address,
        /// Whose escrow it is.
        payer: Address,
        /// The token.
        mint: Address,
        /// Time between a withdrawal's request and its payout.
        withdraw_delay_seconds: u64,
    }
    /// Tokens were moved in.
    Deposited = 0x6f8d_1a2d_a123_6439_u64 {
        /// The escrow.
        escrow: Address,
        /// Whose tokens came in.
        depositor: Address,
        /// Base units that moved or were named.
        amount: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
        /// The intent whose charge the depositor says it refunds; all zero bytes for none.
        refunded_intent: Digest,
    }
    /// Tokens that had arrived by plain transfer were credited.
    Synced = 0x72f4_a361_6350_a446_u64 {
        /// The escrow.
        escrow: Address,
        /// Base units that moved or were named.
        amount: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
    }
    /// A session was created.
    SessionOpened = 0x224f_4d5f_c3cf_68df_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// The key that signs intents.
        session_key: Address,
        /// What every intent of this session names.
        incarnation: [u8; 32],
        /// Last second of the session, unix.
        expires_at: i64,
    }
    /// A session's limits were changed.
    SessionUpdated = 0x2cd0_e10b_cbd0_22c5_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// Last second of the session, unix.
        expires_at: i64,
        /// The most a single payment may hold, in base units.
        maximum_payment: u64,
        /// The most that may be held and captured over the session's life, in base units.
        maximum_total: u64,
        /// The most that may be held and captured per period, in base units.
        maximum_per_period: u64,
        /// Length of a period; 0 for no limit per period.
        period_seconds: u64,
        /// The only receiver that may be paid, without fees; all zero bytes for any.
        receiver: Address,
    }
    /// A session was stopped.
    SessionRevoked = 0x5a30_23ea_cbc0_7ed3_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
    }
    /// A session's account was closed.
    SessionClosed = 0x39ed_0bf3_c222_781b_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
    }
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
        /// The payment.
        intent_digest: Digest,
        /// The HTTP request that is paid for.
        resource_hash: [u8; 32],
        /// Base units that moved or were named.
        amount: u64,
        /// The intent's nonce.
        nonce: u64,
    }
    /// A receiver was paid out of a hold.
    Captured = 0x59c2_16e5_ec3a_1d92_u64 {
        /// The escrow.
        escrow: Address,
        /// Who is paid.
        receiver: Address,
        /// The payment.
        intent_digest: Digest,
        /// Base units that moved or were named.
        amount: u64,
        /// The part of `amount` that went to the fee recipient.
        fee: u64,
        /// All that was captured so far, in base units.
        captured: u64,
        /// Base units that went back to the free balance.
        released: u64,
    }
    /// A hold ended early by the receiver authorizer's consent.
    Voided = 0x2030_a35f_475b_56b3_u64 {
        /// The escrow.
        escrow: Address,
        /// The payment.
        intent_digest: Digest,
        /// Base units that went back to the free balance.
        released: u64,
    }
    /// A hold ended after its capture deadline.
    Reclaimed = 0xe619_2087_28a7_8982_u64 {
        /// The escrow.
        escrow: Address,
        /// The payment.
        intent_digest: Digest,
        /// Base units that went back to the free balance.
        released: u64,
    }
    /// Captured money came back.
    Refunded = 0x2367_95f6_c47b_dd63_u64 {
        /// The escrow.
        escrow: Address,
        /// The payment.
        intent_digest: Digest,
        /// Base units that moved or were named.
        amount: u64,
        /// The escrow's balance afterwards, in base units.
        balance: u64,
    }
    /// A hold's account was closed and its rent returned.
    HoldClosed = 0x6faf_c0e3_c053_6c63_u64 {
        /// The session.
        session: Address,
        /// The payment.
        intent_digest: Digest,
    }
    /// A withdrawal was announced.
    WithdrawalRequested = 0x4bcf_150c_a066_9637_u64 {
        /// The escrow.
        escrow: Address,
        /// Base units that moved or were named.
        amount: u64,
        /// From when on it can leave, unix seconds.
        withdrawable_at: i64,
    }
    /// A withdrawal was taken back.
    WithdrawalCancelled = 0x77af_cf50_baed_e509_u64 {
        /// The escrow.
        escrow: Address,
        /// Base units that moved or were named.
        amount: u64,
    }
    /// A withdrawal was paid.
    Withdrawn = 0x1459_dfc6_c27c_db0d_u64 {
        /// The escrow.
        escrow: Address,
        /// The token account that was paid.
        destination: Address,
        /// Base units that moved or were named.
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
    }
    /// A receiver was paid at once, without a hold.
    Charged = 0xa7aa_43b3_2f58_dd84_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// Who was paid.
        receiver: Address,
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
    }
}
