//! What an owner wants done on chain, looked at before it is sent.

use std::collections::BTreeMap;

use anyhow::Result;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_sdk::{
    instruction::Instruction, message::Message, signature::Signature, transaction::Transaction,
};
use x402_escrow_interface::Address;
use x402_escrow_wire::amount;

use super::{Owner, OwnerKey};
use crate::{
    chain::{Chain, Lifetime, Sent},
    problem::{Code, Problem},
};

/// Decimals of SOL.
const SOL_DECIMALS: u8 = 9;

/// What goes into one UDP packet, and so into one transaction.
const TRANSACTION_BYTES: usize = 1232;

/// How transactions are carried out.
#[derive(Default)]
pub(crate) struct Manner {
    /// They are checked and not sent.
    pub(crate) dry_run: bool,
    /// They are checked and printed for whoever signs.
    pub(crate) dump: bool,
    /// A nonce account, so that they land however late they are signed.
    pub(crate) nonce_account: Option<Address>,
    /// Who pays fees and rent, if not the owner.
    pub(crate) fee_payer: Option<OwnerKey>,
}

/// Instructions of one transaction, and what they cost.
pub(crate) struct Plan {
    /// What is being done: "Opening the escrow".
    title: String,
    instructions: Vec<Instruction>,
    /// Lengths of the accounts that are made.
    accounts: Vec<u64>,
}

/// What came of a plan.
pub(crate) enum Carried {
    Sent(Sent),
    /// It was not sent; this is what is known of it.
    Shown(Value),
}

impl Plan {
    pub(crate) fn new(title: impl Into<String>, instructions: Vec<Instruction>) -> Self {
        Self { title: title.into(), instructions, accounts: Vec::new() }
    }

    /// Adds the length of an account that is made, whose rent the fee payer pays.
    #[must_use]
    pub(crate) fn making(mut self, bytes: u64) -> Self {
        self.accounts.push(bytes);
        self
    }

    /// Plans the first of the instructions, as many as fit into one transaction, and returns how many these are. Each
    /// makes an account of this length, if any.
    pub(crate) fn filled(
        title: &str,
        instructions: impl IntoIterator<Item = Instruction>,
        bytes: Option<u64>,
        fee_payer: &Address,
    ) -> (Self, usize) {
        let mut plan = Self::new(title, Vec::new());
        let fit = instructions.into_iter().take_while(|one| plan.push_if_fits(one.clone(), bytes, fee_payer));
        let fit = fit.count();
        (plan, fit)
    }

    fn push_if_fits(&mut self, instruction: Instruction, bytes: Option<u64>, fee_payer: &Address) -> bool {
        self.instructions.push(instruction);
        let message = Message::new(&self.instructions, Some(fee_payer));
        if unsigned(&message).len() > TRANSACTION_BYTES {
            self.instructions.pop();
            return false;
        }
        self.accounts.extend(bytes);
        true
    }

    /// What the accounts that are made cost, in lamports; it comes back when they are closed.
    async fn rent(&self, chain: &Chain) -> Result<u64> {
        let mut counts = BTreeMap::<u64, u64>::new();
        for bytes in &self.accounts {
            *counts.entry(*bytes).or_default() += 1;
        }
        let mut rent: u64 = 0;
        for (bytes, count) in counts {
            rent = rent.saturating_add(chain.rent(bytes).await?.saturating_mul(count));
        }
        Ok(rent)
    }
}

/// A plan that was checked, as a transaction.
pub(crate) struct Prepared {
    title: String,
    message: Message,
    lifetime: Lifetime,
    /// In lamports.
    pub(crate) rent: u64,
    pub(crate) fee: u64,
}

impl Owner {
    /// Checks that fee and rent can be paid, and has the node try it.
    pub(crate) async fn prepare(&self, plan: &Plan) -> Result<Prepared> {
        let rent = plan.rent(&self.chain).await?;
        let lifetime = self.chain.lifetime(self.manner.nonce_account).await?;
        let message = lifetime.message(&plan.instructions, &self.fee_payer().address());
        let fee = self.chain.fee(&message).await?;
        self.check_sol(rent, fee).await?;
        self.chain.try_out(&plan.title, &message).await?;
        Ok(Prepared { title: plan.title.clone(), message, lifetime, rent, fee })
    }

    /// Sends what was prepared, or shows it, as the owner's manner is.
    pub(crate) async fn finish(&self, prepared: Prepared) -> Result<Carried> {
        let Prepared { title, message, rent, fee, .. } = &prepared;
        if self.manner.dry_run || self.manner.dump {
            return Ok(Carried::Shown(self.shown(&prepared)));
        }
        let keys = self.keys(message)?;
        eprintln!("{title}: {}", costs(*rent, *fee));
        let mut transaction = Transaction::new_unsigned(message.clone());
        transaction.signatures =
            keys.into_iter().map(|key| key.sign_transaction(message)).collect::<Result<_>>()?;
        let signature = self.chain.send(title, &transaction).await?;
        Ok(Carried::Sent(Sent { signature, rent: *rent, fee: *fee }))
    }

    /// Both.
    pub(crate) async fn carry_out(&self, plan: Plan) -> Result<Carried> {
        self.finish(self.prepare(&plan).await?).await
    }

    /// The keys that sign the message, in its order.
    fn keys(&self, message: &Message) -> Result<Vec<&OwnerKey>> {
        let keys = [&self.key, self.fee_payer()];
        let find = |signer: &Address| {
            let key = keys.into_iter().find(|key| key.address() == *signer);
            key.ok_or_else(|| {
                Problem::argument("--nonce", format!("the nonce account's authority {signer} must sign too"))
                    .remedy("print the transaction for all signers with --dump-transaction")
                    .into()
            })
        };
        signers(message).map(find).collect()
    }

    /// Refuses rent and fees that the fee payer's SOL does not suffice for, in lamports.
    pub(crate) async fn check_sol(&self, rent: u64, fee: u64) -> Result<()> {
        let needed = rent.saturating_add(fee);
        let (address, flag) = (self.fee_payer().address(), self.fee_payer().flag);
        let lamports = self.chain.lamports(&address).await?;
        if lamports >= needed {
            return Ok(());
        }
        let message = format!(
            "{address} has {} SOL and needs {}, of which {} are rent that comes back",
            sol(lamports),
            sol(needed),
            sol(rent)
        );
        Err(Problem::new(Code::InsufficientSol, message)
            .of(flag)
            .remedy(format!(
                "send {} SOL to {address}, or name another signer who pays, with --fee-payer",
                sol(needed - lamports)
            ))
            .details(json!({ "lamports": lamports.to_string(), "neededLamports": needed.to_string() }))
            .into())
    }

    /// What is known of a transaction that is not sent.
    fn shown(&self, prepared: &Prepared) -> Value {
        let Prepared { title, message, lifetime, rent, fee } = prepared;
        let mut object = json!({
            "state": if self.manner.dump { "to be signed" } else { "tried" },
            "action": title,
            "rentLamports": rent.to_string(),
            "feeLamports": fee.to_string(),
        });
        if !self.manner.dump {
            return object;
        }
        object["signers"] = signers(message).map(ToString::to_string).collect();
        object["blockhash"] = message.recent_blockhash.to_string().into();
        match lifetime {
            Lifetime::Blockhash { last_valid_block_height, .. } => {
                object["lastValidBlockHeight"] = json!(last_valid_block_height);
            }
            Lifetime::Nonce { account, authority, .. } => {
                object["nonceAccount"] = account.to_string().into();
                object["nonceAuthority"] = authority.to_string().into();
            }
        }
        object["transaction"] = BASE64_STANDARD.encode(unsigned(message)).into();
        object
    }
}

/// Who must sign, the fee payer first.
fn signers(message: &Message) -> impl Iterator<Item = &Address> {
    message.account_keys.iter().take(message.header.num_required_signatures.into())
}

/// The transaction with room for its signatures.
fn unsigned(message: &Message) -> Vec<u8> {
    let signatures = message.header.num_required_signatures;
    // Up to 127 the count is one byte.
    let mut bytes = vec![signatures];
    bytes.resize(1 + usize::from(signatures) * size_of::<Signature>(), 0);
    bytes.extend(message.serialize());
    bytes
}

/// For people.
pub(crate) fn costs(rent: u64, fee: u64) -> String {
    match rent {
        0 => format!("fee {} SOL", sol(fee)),
        rent => {
            format!("rent {} SOL, which comes back when it is closed, and fee {} SOL", sol(rent), sol(fee))
        }
    }
}

/// Lamports as SOL.
pub(crate) fn sol(lamports: u64) -> String {
    amount::format(lamports, SOL_DECIMALS)
}

#[cfg(test)]
mod tests {
    use x402_escrow_interface::{
        Address,
        instruction::{SessionLimits, open_session},
    };

    use super::*;

    #[test]
    fn six_sessions_are_opened_by_one_transaction_and_it_fits() {
        let (payer, escrow) = (Address::new_from_array([1; 32]), Address::new_from_array([2; 32]));
        let limits = SessionLimits {
            expires_at: 1,
            maximum_payment: 1,
            maximum_total: 1,
            maximum_per_period: 1,
            period_seconds: 1,
            receivers_root: [3; 32],
        };
        let program = Address::new_from_array([4; 32]);
        let open = |key: u8| {
            open_session(&program, &payer, &payer, &escrow, &Address::new_from_array([key; 32]), &limits)
        };
        let (plan, fits) = Plan::filled("Opening sessions", (10..).map(open), Some(464), &payer);
        assert_eq!((fits, plan.instructions.len(), plan.accounts.len()), (6, 6, 6));
        let message = Message::new(&plan.instructions, Some(&payer));
        let transaction = unsigned(&message);
        assert!(transaction.len() <= TRANSACTION_BYTES, "{}", transaction.len());
        assert_eq!((transaction[0], &transaction[1..65]), (1, &[0; 64][..]));
        assert_eq!(transaction[65..], message.serialize());
    }
}
