//! What the program stores. Every account starts with an 8-byte discriminator (the first bytes of
//! `SHA-256("account:" + name)`, as Anchor has it); the fields follow without padding, little-endian.
//!
//! The first field is the version of the layout, the last is spare room. A later version gives meaning to spare bytes,
//! which are zero until then, or makes accounts longer; it never moves a field. So a reader of this version reads the
//! accounts of every later one.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_address::Address;

use crate::{message::Digest, replay_window::WINDOW_WORDS};

/// Length of an account's discriminator in bytes.
pub const DISCRIMINATOR_BYTES: usize = 8;

/// The version that the program gives to the accounts it creates, and the only one it works with.
pub const VERSION: u8 = 1;

/// Why account data can't be read as the asked type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The data is shorter than the type's layout.
    TooShort,
    /// The data starts with another type's discriminator.
    WrongDiscriminator,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::TooShort => "the account data is shorter than this account type",
            Self::WrongDiscriminator => "the account is of another type",
        })
    }
}

impl core::error::Error for DecodeError {}

/// Reads `data` as a `T` that follows `discriminator`; bytes after it are ignored.
fn decode<T: BorshDeserialize>(
    data: &[u8],
    discriminator: [u8; DISCRIMINATOR_BYTES],
) -> Result<T, DecodeError> {
    let mut fields = data.strip_prefix(&discriminator).ok_or(if data.len() < DISCRIMINATOR_BYTES {
        DecodeError::TooShort
    } else {
        DecodeError::WrongDiscriminator
    })?;
    T::deserialize(&mut fields).map_err(|_| DecodeError::TooShort)
}

/// A payer's balance of one mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Escrow {
    /// Of the layout: [`VERSION`] or later.
    pub version: u8,
    /// Of the escrow's address.
    pub bump: u8,
    /// The mint's decimals.
    pub decimals: u8,
    /// Zero.
    pub padding: u8,
    /// Sessions whose accounts exist.
    pub open_sessions: u32,
    /// Whose money it is.
    pub payer: Address,
    /// The token.
    pub mint: Address,
    /// The program that owns the mint.
    pub token_program: Address,
    /// The escrow's associated token account, which holds the tokens.
    pub vault: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// May revoke sessions and nothing else; all zero bytes for nobody.
    pub guardian: Address,
    /// Tokens that belong to the payer, in base units; never more than the vault has.
    pub balance: u64,
    /// The part of `balance` that is promised to receivers.
    pub held: u64,
    /// Sessions opened before this slot are revoked; 0 for none.
    pub revoked_before_slot: u64,
    /// Spare room: zero.
    pub spare: [u8; 64],
}

impl Escrow {
    /// How long the account's data is.
    pub const ACCOUNT_BYTES: u64 = 296;

    /// First bytes of the account.
    pub const DISCRIMINATOR: [u8; DISCRIMINATOR_BYTES] = [31, 213, 123, 187, 186, 22, 218, 155];

    /// Reads an escrow from account data.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        decode(data, Self::DISCRIMINATOR)
    }

    /// What is not held, in base units.
    pub fn free(&self) -> u64 {
        self.balance.saturating_sub(self.held)
    }

    /// Whether `session`, one of this escrow's, authorizes nothing any more because it was revoked.
    pub fn has_revoked(&self, session: &Session) -> bool {
        session.revoked != 0 || session.opened_slot < self.revoked_before_slot
    }
}

/// An agent's key and its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Session {
    /// Of the layout: [`VERSION`] or later.
    pub version: u8,
    /// 1 once revoked by itself; see [`Escrow::has_revoked`].
    pub revoked: u8,
    /// Zero.
    pub padding: [u8; 2],
    /// Holds whose accounts exist.
    pub open_holds: u32,
    /// The escrow it spends from.
    pub escrow: Address,
    /// Signs intents.
    pub session_key: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Root of the receivers that may be paid, without fees ([`crate::receivers`]); all zero bytes for anyone.
    pub receivers_root: Digest,
    /// The newest slot hash at the opening; every intent names it.
    pub incarnation: [u8; 32],
    /// Slot of the opening.
    pub opened_slot: u64,
    /// Start of period `first_period`, in unix seconds: when `period_seconds` was set.
    pub periods_since: i64,
    /// Number of the period that `periods_since` starts.
    pub first_period: u64,
    /// Last second at which the session can authorize.
    pub expires_at: i64,
    /// The most a single payment may hold, in base units.
    pub maximum_payment: u64,
    /// The most that may be held and captured over the session's life, in base units.
    pub maximum_total: u64,
    /// The most that may be held and captured per period, in base units.
    pub maximum_per_period: u64,
    /// Length of a period, counted from when it was set; 0 for no limit per period.
    pub period_seconds: u64,
    /// Held and captured so far, in base units.
    pub spent: u64,
    /// The part of `spent` that was authorized in period `period_index`.
    pub period_spent: u64,
    /// The period of the latest authorization.
    pub period_index: u64,
    /// The highest nonce seen.
    pub highest_nonce: u64,
    /// The nonces used below it: [`crate::replay_window`].
    pub used_nonces: [u64; WINDOW_WORDS],
    /// Spare room: zero.
    pub spare: [u8; 64],
}

impl Session {
    /// How long the account's data is.
    pub const ACCOUNT_BYTES: u64 = 464;

    /// First bytes of the account.
    pub const DISCRIMINATOR: [u8; DISCRIMINATOR_BYTES] = [243, 81, 72, 115, 214, 188, 72, 144];

    /// Reads a session from account data.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        decode(data, Self::DISCRIMINATOR)
    }

    /// What may still be held in the period of `now` (unix seconds), in base units; `None` without such a limit.
    pub fn left_in_period(&self, now: i64) -> Option<u64> {
        let elapsed_seconds = now.saturating_sub(self.periods_since).max(0).unsigned_abs();
        let period = self.first_period.saturating_add(elapsed_seconds.checked_div(self.period_seconds)?);
        let spent = if period > self.period_index { 0 } else { self.period_spent };
        Some(self.maximum_per_period.saturating_sub(spent))
    }
}

/// One authorized payment. Exists while something of it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hold {
    /// Of the layout: [`VERSION`] or later.
    pub version: u8,
    /// Zero.
    pub padding: [u8; 5],
    /// The most of what is captured that may be fee, in basis points.
    pub maximum_fee_bps: u16,
    /// The session that signed it.
    pub session: Address,
    /// Who is paid.
    pub receiver: Address,
    /// The receiver's associated token account.
    pub receiver_token_account: Address,
    /// Whose signature lets money go to the receiver.
    pub capture_authorizer: Address,
    /// Whose signature lets money go back.
    pub receiver_authorizer: Address,
    /// Who may take a fee.
    pub fee_recipient: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// The payment's identity.
    pub intent_digest: Digest,
    /// Where the payment ends, in base units: the intent's amount, or what it was lowered to.
    pub amount: u64,
    /// All that left the vault, the fee included, in base units; below `amount`.
    pub captured: u64,
    /// The part of `captured` that went to the fee recipient.
    pub fee: u64,
    /// Last second for captures, unix.
    pub capture_deadline: i64,
    /// The session's period that the payment counts in.
    pub period_index: u64,
    /// Spare room: zero.
    pub spare: [u8; 16],
}

impl Hold {
    /// How long the account's data is.
    pub const ACCOUNT_BYTES: u64 = 328;

    /// First bytes of the account.
    pub const DISCRIMINATOR: [u8; DISCRIMINATOR_BYTES] = [110, 65, 238, 142, 146, 91, 196, 171];

    /// Reads a hold from account data.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        decode(data, Self::DISCRIMINATOR)
    }

    /// What is still held, in base units.
    pub fn held(&self) -> u64 {
        self.amount.saturating_sub(self.captured)
    }
}
