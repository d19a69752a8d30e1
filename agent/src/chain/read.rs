//! Reads accounts.

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::request::RpcRequest;
use solana_sdk::{account::Account, program_pack::Pack, sysvar};
use spl_token_interface::state::{Account as TokenAccount, Mint};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session},
    address::{TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
};
use x402_escrow_wire::{text::Key, usdc};

use super::Chain;
use crate::problem::{Code, Problem};

/// Where accounts name what they belong to: escrows their payer, sessions their escrow, holds their session. Each has
/// eight bytes of small fields between the discriminator and that address.
const PARENT_OFFSET: usize = 16;

/// The longest token account that an escrow's vault can be: one of Token-2022 with an immutable owner.
pub(crate) const TOKEN_ACCOUNT_BYTES: u64 = 170;

/// A mint's token program and decimals.
pub(crate) struct Token {
    pub(crate) program: Address,
    pub(crate) decimals: u8,
}

/// A hold with its address.
pub(crate) struct OpenHold {
    pub(crate) address: Address,
    pub(crate) hold: Hold,
}

#[derive(Deserialize)]
struct Found {
    pubkey: Key,
    account: FoundAccount,
}

#[derive(Deserialize)]
struct FoundAccount {
    /// The bytes, and how they are written.
    data: (String, String),
}

impl Chain {
    /// The newest confirmed slot.
    pub(crate) async fn slot(&self) -> Result<u64> {
        Ok(self.rpc.get_slot().await.map_err(|error| self.failed("for its slot", error))?)
    }

    /// The cluster's own time, in unix seconds: the program compares deadlines with it.
    pub(crate) async fn now(&self) -> Result<i64> {
        let account = self.rpc_account(&sysvar::clock::id()).await?.context("the node has no clock")?;
        // Five fields of eight bytes, of which this is the last.
        let field = account.data.get(32..40).and_then(|field| field.try_into().ok());
        field.map(i64::from_le_bytes).context("the node's clock can't be read")
    }

    pub(crate) async fn escrow(&self, escrow: &Address) -> Result<Option<Escrow>> {
        let data = self.account(escrow).await?;
        data.map(|data| Escrow::decode(&data).context("reading the escrow")).transpose()
    }

    pub(crate) async fn session(&self, session: &Address) -> Result<Option<Session>> {
        let data = self.account(session).await?;
        data.map(|data| Session::decode(&data).context("reading the session")).transpose()
    }

    /// The sessions at these addresses, in their order.
    pub(crate) async fn sessions_at(&self, addresses: &[Address]) -> Result<Vec<Option<Session>>> {
        /// The most that nodes answer at once.
        const AT_ONCE: usize = 100;
        let mut found = Vec::new();
        for some in addresses.chunks(AT_ONCE) {
            let accounts = self.rpc.get_multiple_accounts(some).await;
            let accounts = accounts.map_err(|error| self.failed("for sessions", error))?;
            for account in accounts {
                let session = account.map(|account| Session::decode(&account.data));
                found.push(session.transpose().context("reading a session")?);
            }
        }
        Ok(found)
    }

    /// All escrows of `payer`.
    pub(crate) async fn escrows_of(
        &self,
        program: &Address,
        payer: &Address,
    ) -> Result<Vec<(Address, Escrow)>> {
        let found = self.accounts_of(program, &Escrow::DISCRIMINATOR, payer).await?;
        let escrows = found.into_iter().map(|(address, data)| Ok((address, Escrow::decode(&data)?)));
        escrows.collect()
    }

    /// All sessions of `escrow`, the oldest first.
    pub(crate) async fn sessions_of(
        &self,
        program: &Address,
        escrow: &Address,
    ) -> Result<Vec<(Address, Session)>> {
        let found = self.accounts_of(program, &Session::DISCRIMINATOR, escrow).await?;
        let sessions = found.into_iter().map(|(address, data)| Ok((address, Session::decode(&data)?)));
        let mut sessions = sessions.collect::<Result<Vec<_>>>()?;
        sessions.sort_by_key(|(address, session)| (session.opened_slot, *address));
        Ok(sessions)
    }

    /// All holds of `session`, the next deadline first.
    pub(crate) async fn holds_of(&self, program: &Address, session: &Address) -> Result<Vec<OpenHold>> {
        let found = self.accounts_of(program, &Hold::DISCRIMINATOR, session).await?;
        let holds =
            found.into_iter().map(|(address, data)| Ok(OpenHold { address, hold: Hold::decode(&data)? }));
        let mut holds = holds.collect::<Result<Vec<_>>>()?;
        holds.sort_by_key(|open| (open.hold.capture_deadline, open.address));
        Ok(holds)
    }

    /// The program's accounts of one kind that belong to `parent`.
    async fn accounts_of(
        &self,
        program: &Address,
        discriminator: &[u8],
        parent: &Address,
    ) -> Result<Vec<(Address, Vec<u8>)>> {
        let same = |offset: usize, bytes: &[u8]| json!({ "memcmp": { "offset": offset, "bytes": BASE64_STANDARD.encode(bytes), "encoding": "base64" } });
        let filters = [same(0, discriminator), same(PARENT_OFFSET, parent.as_ref())];
        let parameters = json!([program.to_string(), { "encoding": "base64", "commitment": "confirmed", "filters": filters }]);
        let found: Vec<Found> = self
            .rpc
            .send(RpcRequest::GetProgramAccounts, parameters)
            .await
            .map_err(|error| self.failed("for the program's accounts", error))?;
        let read = found.into_iter().map(|found| {
            let data =
                BASE64_STANDARD.decode(found.account.data.0).context("the node's answer is no base64")?;
            Ok((found.pubkey.into(), data))
        });
        read.collect()
    }

    /// The mint's token program, SPL Token or Token-2022, and its decimals.
    pub(crate) async fn token(&self, mint: &Address) -> Result<Token> {
        let wrong = |message: String| {
            Problem::new(Code::WrongMint, message)
                .of("--mint")
                .remedy("name the token's mint with --mint, or a node of its cluster with --rpc-url")
        };
        let account = self.rpc_account(mint).await?;
        let account = account.ok_or_else(|| wrong(format!("there is no mint {mint} on this cluster")))?;
        let not_a_mint = || wrong(format!("{mint} is not a mint of SPL Token or Token-2022"));
        if ![TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].contains(&account.owner) {
            return Err(not_a_mint().into());
        }
        // Token-2022 keeps its extensions behind the part that both programs share.
        let data = account.data.get(..Mint::LEN).ok_or_else(not_a_mint)?;
        let decimals = Mint::unpack(data).map_err(|_| not_a_mint())?.decimals;
        // No node has to tell USDC's.
        if [usdc::MAINNET_MINT, usdc::DEVNET_MINT].contains(&mint.to_string().as_str())
            && decimals != usdc::DECIMALS
        {
            return Err(lies(format!("the node says that USDC has {decimals} decimals")).into());
        }
        Ok(Token { program: account.owner, decimals })
    }

    /// Balance of a token account in base units; `None` if it doesn't exist.
    pub(crate) async fn token_balance(&self, token_account: &Address) -> Result<Option<u64>> {
        let Some(data) = self.account(token_account).await? else { return Ok(None) };
        let data = data.get(..TokenAccount::LEN).context("the token account is too short")?;
        Ok(Some(TokenAccount::unpack(data).context("reading the token account")?.amount))
    }

    /// Balance in lamports.
    pub(crate) async fn lamports(&self, address: &Address) -> Result<u64> {
        let balance = self.rpc.get_balance(address).await;
        Ok(balance.map_err(|error| self.failed(&format!("for the balance of {address}"), error))?)
    }

    /// The rent of an account of so many bytes, in lamports.
    pub(crate) async fn rent(&self, bytes: u64) -> Result<u64> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let rent = self.rpc.get_minimum_balance_for_rent_exemption(bytes).await;
        Ok(rent.map_err(|error| self.failed("for rents", error))?)
    }

    pub(crate) async fn exists(&self, address: &Address) -> Result<bool> {
        Ok(self.rpc_account(address).await?.is_some())
    }

    async fn account(&self, address: &Address) -> Result<Option<Vec<u8>>> {
        Ok(self.rpc_account(address).await?.map(|account| account.data))
    }

    pub(super) async fn rpc_account(&self, address: &Address) -> Result<Option<Account>> {
        let account = self.rpc.get_account_with_commitment(address, CommitmentConfig::confirmed()).await;
        Ok(account.map_err(|error| self.failed(&format!("for {address}"), error))?.value)
    }
}

/// A node that is not to be believed.
pub(crate) fn lies(message: impl Into<String>) -> Problem {
    Problem::new(Code::NodeLies, message)
        .of("--rpc-url")
        .remedy("don't rely on this node: name another with --rpc-url")
}
