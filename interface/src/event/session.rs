//! Events of a session.

use solana_address::Address;

use crate::message::Digest;

events! {
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
}
