//! What the program logs: one event an instruction, and none where it had nothing to do.
//!
//! In a transaction's logs an event is a line `Program data: <base64>`: an 8-byte discriminator (the first bytes of
//! `SHA-256("event:" + name)`), then the fields, little-endian without padding. Any program can log the
//! same bytes, so a line counts only where [`data_lines`] attributes it to this program.

mod log;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_address::Address;

pub use log::data_lines;

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
        /// Slot of the opening.
        opened_slot: u64,
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
        /// Root of the receivers that may be paid; all zero bytes for anyone.
        receivers_root: Digest,
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
        /// Root of the receivers that may be paid; all zero bytes for anyone.
        receivers_root: Digest,
    }
    /// A session authorizes nothing any more.
    SessionRevoked = 0x5a30_23ea_cbc0_7ed3_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// The key that signed its intents.
        session_key: Address,
        /// The incarnation that ended.
        incarnation: [u8; 32],
        /// The payer or the guardian.
        revoker: Address,
    }
    /// Every session opened up to a slot authorizes nothing any more.
    SessionsRevoked = 0x1263_9c71_f7e8_f190_u64 {
        /// The escrow.
        escrow: Address,
        /// The last slot of their openings.
        opened_through_slot: u64,
        /// The payer or the guardian.
        revoker: Address,
    }
    /// A session's account was closed.
    SessionClosed = 0x39ed_0bf3_c222_781b_u64 {
        /// The escrow.
        escrow: Address,
        /// The session.
        session: Address,
        /// What the session has spent afterwards, in base units.
        spent: u64,
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
