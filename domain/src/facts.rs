//! What the chain says about a payer, in several views: good news is believed once it is confirmed, and bad news as
//! soon as it is processed; and a "no" of one node is a no. Uses `cluster`, `derived`.

use std::{collections::BTreeSet, iter};

use spl_token_2022_interface::{extension::PodStateWithExtensions, pod::PodMint};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session},
    address::{TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
    message::Digest,
};

use crate::{
    cluster::{Account, Snapshot},
    derived,
};

/// The sysvar with the cluster's time, which is the time that deadlines are measured by.
pub const CLOCK_ID: Address = Address::from_str_const("SysvarC1ock11111111111111111111111111111111");

/// The sysvar with what an account's rent is.
pub const RENT_ID: Address = Address::from_str_const("SysvarRent111111111111111111111111111111111");

/// The feature by which a cluster takes transactions of version 1 (SIMD-0385).
pub const VERSION_1_FEATURE_ID: Address =
    Address::from_str_const("txv1aq4pp281K9um3tnPgkfX8UqtFT6wcVW3hNezGLL");

/// Whether a feature is active, going by its account: a byte that says whether there is a slot, and the slot.
pub fn is_active(feature: Option<&Account>) -> bool {
    const FEATURE_PROGRAM_ID: Address =
        Address::from_str_const("Feature111111111111111111111111111111111111");
    feature.is_some_and(|account| account.owner == FEATURE_PROGRAM_ID && account.data.first() == Some(&1))
}

/// The rent of a hold's account, in lamports, as the rent sysvar says.
pub fn hold_rent(rent: &Account) -> Option<u64> {
    self::rent(rent, Hold::ACCOUNT_BYTES)
}

/// The rent of an account with so many bytes, in lamports, as the rent sysvar says: so much for each byte, and for what
/// the cluster keeps of each account besides its data.
pub fn rent(rent: &Account, data_bytes: u64) -> Option<u64> {
    const ACCOUNT_OVERHEAD_BYTES: u64 = 128;
    let lamports_per_byte_year = u64::from_le_bytes(*rent.data.first_chunk()?);
    let years = f64::from_le_bytes(*rent.data.get(8..16)?.first_chunk()?);
    let bytes = ACCOUNT_OVERHEAD_BYTES.saturating_add(data_bytes);
    Some((bytes.saturating_mul(lamports_per_byte_year) as f64 * years) as u64)
}

/// What the chain says, in as many views as there are nodes and commitments.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The one with the highest slot.
    pub newest: View,
    /// All others.
    pub others: Vec<View>,
}

impl Facts {
    /// All of `views`, of which there must be one.
    pub fn of(mut views: Vec<View>) -> Option<Self> {
        let newest = (0..views.len()).max_by_key(|index| views[*index].slot)?;
        Some(Self { newest: views.swap_remove(newest), others: views })
    }

    /// Every view, the newest first.
    pub fn views(&self) -> impl Iterator<Item = &View> {
        iter::once(&self.newest).chain(&self.others)
    }

    /// The slot up to which every view has looked: what all of them allow was so then, and is still.
    pub fn oldest_slot(&self) -> u64 {
        self.views().map(|view| view.slot).min().unwrap_or_default()
    }
}

/// What the chain says as of one slot.
#[derive(Clone, Debug)]
pub struct View {
    /// The slot.
    pub slot: u64,
    /// The cluster's time, unix seconds.
    pub now: i64,
    /// The payer's escrow, if it exists.
    pub escrow: Option<Escrow>,
    /// The agent's session, if it exists.
    pub session: Option<Session>,
    /// The payment whose hold exists, if one was asked for and there is one.
    pub held_payment: Option<Digest>,
    /// Which of the asked token accounts exist and are not frozen.
    pub token_accounts: BTreeSet<Address>,
}

/// The most receivers that can be asked for at once: two token accounts each, of the 100 accounts that a node answers.
pub const MAXIMUM_RECEIVERS: usize = 45;

/// Where `receiver` is paid, by the token program that the mint may belong to: SPL Token or Token-2022.
pub fn receiver_token_accounts(receiver: &Address, mint: &Address) -> [Address; 2] {
    [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID]
        .map(|program| derived::associated_token(receiver, mint, &program))
}

/// What the facts are about.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The escrow program.
    pub program: Address,
    /// The payer's escrow.
    pub escrow: Address,
    /// The agent's key.
    pub session_key: Address,
    /// The nonce whose hold to look for, if any.
    pub nonce: Option<u64>,
}

impl Subject {
    /// The accounts that a view is read from: the clock, the escrow, the session, its hold, then `token_accounts`.
    pub fn addresses(&self, token_accounts: &BTreeSet<Address>) -> Vec<Address> {
        let session = derived::session(&self.program, &self.escrow, &self.session_key);
        let hold = self.nonce.map(|nonce| derived::hold(&self.program, &session, nonce));
        [CLOCK_ID, self.escrow, session]
            .into_iter()
            .chain(hold)
            .chain(token_accounts.iter().copied())
            .collect()
    }

    /// What a snapshot of [`Subject::addresses`] says; `None` if it lacks the clock.
    pub fn view(&self, snapshot: Snapshot, token_accounts: &BTreeSet<Address>) -> Option<View> {
        let is_ours = |account: &Account| account.owner == self.program;
        let mut accounts = snapshot.accounts.into_iter();
        let mut next = || accounts.next().flatten();
        Some(View {
            slot: snapshot.slot,
            now: next().as_ref().and_then(unix_timestamp)?,
            escrow: next().filter(is_ours).and_then(|account| Escrow::decode(&account.data).ok()),
            session: next().filter(is_ours).and_then(|account| Session::decode(&account.data).ok()),
            held_payment: self
                .nonce
                .and_then(|_| next().filter(is_ours))
                .and_then(|account| Some(Hold::decode(&account.data).ok()?.intent_digest)),
            token_accounts: token_accounts
                .iter()
                .filter(|_| next().as_ref().is_some_and(is_payable))
                .copied()
                .collect(),
        })
    }
}

/// The loaders that own programs.
const LOADERS: [Address; 3] = [
    Address::from_str_const("BPFLoader2111111111111111111111111111111111"),
    Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111"),
    Address::from_str_const("LoaderV411111111111111111111111111111111111"),
];

/// Whether an account is a program's.
pub fn is_program(account: Option<&Account>) -> bool {
    account.is_some_and(|account| LOADERS.contains(&account.owner))
}

/// The time in the clock sysvar: the last of its five 8-byte fields.
pub fn unix_timestamp(clock: &Account) -> Option<i64> {
    Some(i64::from_le_bytes(*clock.data.get(32..40)?.first_chunk()?))
}

/// The decimals of a mint; `None` if the account is none.
pub fn decimals(mint: &Account) -> Option<u8> {
    let state = PodStateWithExtensions::<PodMint>::unpack(&mint.data).ok()?;
    Some(state.base.decimals)
}

/// What the chain says about a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its associated token account, by the mint's token program.
    pub token_account: Address,
    /// Whether the account exists and is not frozen.
    pub can_receive: bool,
    /// The mint's decimals.
    pub decimals: u8,
    /// The rent of such an account, in lamports.
    pub rent_lamports: u64,
}

/// Reads the mint, the receiver's [`receiver_token_accounts`] and the rent sysvar, in this order. `None` if the mint is none.
pub fn receiver(accounts: &[Option<Account>], token_accounts: [Address; 2]) -> Option<Receiver> {
    let [Some(mint), spl, token_2022, Some(rent)] = accounts else { return None };
    let place =
        [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].iter().position(|program| *program == mint.owner)?;
    Some(Receiver {
        token_account: token_accounts[place],
        can_receive: [spl, token_2022][place].as_ref().is_some_and(is_payable),
        decimals: decimals(mint)?,
        rent_lamports: self::rent(rent, token_account_bytes(&mint.owner))?,
    })
}

/// Bytes of an associated token account: of Token-2022 at least, where extensions of the mint take more.
pub fn token_account_bytes(token_program: &Address) -> u64 {
    // Those of Token-2022 say that their owner can't change.
    if *token_program == TOKEN_2022_PROGRAM_ID { 170 } else { 165 }
}

/// Whether tokens can be sent to it: a token account whose state (byte 108) is "initialised", not "frozen".
fn is_payable(account: &Account) -> bool {
    const STATE_OFFSET: usize = 108;
    const INITIALISED: u8 = 1;
    [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].contains(&account.owner)
        && account.data.get(STATE_OFFSET) == Some(&INITIALISED)
}
