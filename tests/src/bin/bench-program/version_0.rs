//! Transactions of version 0, on LiteSVM.

use anyhow::Result;
use solana_sdk::{instruction::Instruction, message::AddressLookupTableAccount};
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_PROGRAM_ID},
};
use x402_escrow_tests::svm::Chain;

use crate::cast::{Cluster, Cost, Size};

pub(crate) struct Version0 {
    chain: Chain,
    mint: Address,
    tables: Vec<AddressLookupTableAccount>,
}

impl Version0 {
    pub(crate) fn new() -> Self {
        let mut chain = Chain::new("the cluster");
        let mint = chain.create_mint("USDC");
        Self { chain, mint, tables: Vec::new() }
    }

    /// What `owner` has, in lamports.
    pub(crate) fn lamports(&self, owner: &Address) -> u64 {
        self.chain.lamports(owner)
    }
}

impl Cluster for Version0 {
    const VERSION: u8 = 0;
    const NAME: &str = "LiteSVM";

    fn mint(&self) -> Address {
        self.mint
    }

    fn time(&self) -> Result<i64> {
        Ok(self.chain.time())
    }

    fn learn(&mut self, name: &str) -> Result<Address> {
        Ok(self.chain.key(name))
    }

    fn fund(&mut self, owners: &[Address], amount: u64) -> Result<()> {
        for owner in owners {
            self.chain.fund(owner, &self.mint, amount);
        }
        Ok(())
    }

    fn data(&self, address: &Address) -> Result<Option<Vec<u8>>> {
        Ok(self.chain.data(address))
    }

    fn rent(&self, bytes: u64) -> Result<u64> {
        Ok(self.chain.rent(usize::try_from(bytes)?))
    }

    fn tokens(&self, owner: &Address) -> Result<u64> {
        Ok(self.chain.tokens(&address::associated_token(owner, &self.mint, &TOKEN_PROGRAM_ID)))
    }

    fn run(&mut self, transactions: &[Vec<Instruction>]) -> Result<()> {
        for instructions in transactions {
            self.chain.succeed(instructions);
        }
        Ok(())
    }

    fn set_table(&mut self, addresses: &[Address]) -> Result<()> {
        self.tables.clear();
        if !addresses.is_empty() {
            let authority = self.chain.key("table authority");
            self.tables.push(self.chain.create_lookup_table(&authority, addresses));
        }
        Ok(())
    }

    fn size(&self, fee_payer: &Address, instructions: &[Instruction]) -> Result<Size> {
        let (bytes, accounts) = self.chain.size_of_version_0(fee_payer, instructions, &self.tables);
        Ok(Size { bytes, accounts, instructions: instructions.len() })
    }

    fn send(&mut self, fee_payer: &Address, instructions: &[Instruction]) -> Result<Result<Cost, String>> {
        let sent = self.chain.attempt_version_0(fee_payer, instructions, &self.tables);
        Ok(sent
            .map(|sent| Cost { compute_units: sent.receipt.compute_units, fee_lamports: sent.receipt.fee }))
    }
}
