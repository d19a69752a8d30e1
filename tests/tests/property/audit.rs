//! No token moves without a signature for it, and none appears or vanishes.
//!
//! The audit knows who signed what, and sees token accounts before and after each step. It does not ask the model what
//! the program's rules are.

use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_interface::{
    Address,
    account::Escrow,
    message::{Capture, Digest, Intent, Release},
};
use x402_escrow_tests::{
    model::{Arguments, ChargeArguments, Message, Model},
    svm::Chain,
};

use super::{cast::Cast, step::Step};

pub(crate) struct Audit {
    /// By whom, and which digest.
    signed: BTreeSet<(Address, Digest)>,
    /// What each token account had after the step before.
    tokens: BTreeMap<Address, u64>,
    /// The owners of those that are no vaults.
    owners: BTreeMap<Address, Address>,
    /// The escrow and what went in and out of each vault since its escrow was opened.
    vaults: BTreeMap<Address, Flow>,
    /// The intent that is held at an address.
    held: BTreeMap<Address, Intent>,
    /// What was paid for an intent.
    paid: BTreeMap<Digest, Paid>,
    /// What payers asked for, less what they got.
    requested: BTreeMap<Address, u64>,
}

#[derive(Clone, Copy, Default)]
struct Flow {
    escrow: Address,
    inward: u64,
    outward: u64,
}

#[derive(Clone, Copy, Default)]
struct Paid {
    amount: u64,
    fee: u64,
    refunded: u64,
}

/// What a step moved: by token account, up or down.
struct Moves(BTreeMap<Address, i128>);

impl Moves {
    /// Takes what `account` got (or lost, if negative) out of what is still to be explained.
    fn take(&mut self, account: &Address) -> i128 {
        self.0.remove(account).unwrap_or(0)
    }
}

impl Audit {
    pub(crate) fn new(cast: &Cast, chain: &Chain) -> Self {
        let mut audit = Self {
            signed: BTreeSet::new(),
            tokens: BTreeMap::new(),
            owners: BTreeMap::new(),
            vaults: BTreeMap::new(),
            held: BTreeMap::new(),
            paid: BTreeMap::new(),
            requested: BTreeMap::new(),
        };
        for place in &cast.places {
            for wallet in &cast.wallets {
                let account = place.tokens_of(wallet);
                audit.tokens.insert(account, chain.tokens(&account));
                audit.owners.insert(account, *wallet);
            }
            audit.tokens.insert(place.vault(), 0);
            audit.vaults.insert(place.vault(), Flow { escrow: place.escrow, ..Flow::default() });
        }
        audit
    }

    pub(crate) fn note_signature(&mut self, by: &Address, message: &Message) {
        self.signed.insert((*by, digest(message)));
    }

    /// Tokens that went past the program.
    pub(crate) fn note_transfer(&mut self, from: Address, vault: Address, amount: u64) {
        self.tokens.entry(from).and_modify(|tokens| *tokens -= amount);
        self.tokens.entry(vault).and_modify(|tokens| *tokens += amount);
        self.vaults.entry(vault).and_modify(|flow| flow.inward += amount);
    }

    /// Explains what a step moved by what was signed for it.
    pub(crate) fn check(&mut self, step: &Step, succeeded: bool, model: &Model, chain: &Chain) {
        let mut moves = self.look(chain);
        if succeeded {
            self.explain(step, &mut moves, model);
        }
        assert!(moves.0.is_empty(), "tokens moved that nobody signed for: {:?}", moves.0);
        for (vault, flow) in &self.vaults {
            let tokens = self.tokens[vault];
            assert_eq!(flow.inward - flow.outward, tokens, "{vault}: in less out, and what is there");
            // Lamports may be sent to an escrow's address before there is one.
            if let Some(data) = chain.data(&flow.escrow).filter(|data| !data.is_empty()) {
                let Escrow { balance, held, .. } = Escrow::decode(&data).unwrap();
                assert!(held <= balance && balance <= tokens, "{held} <= {balance} <= {tokens}");
            }
        }
    }

    fn look(&mut self, chain: &Chain) -> Moves {
        let mut moves = BTreeMap::new();
        for (account, tokens) in &mut self.tokens {
            let now = chain.tokens(account);
            if now != *tokens {
                let moved = i128::from(now) - i128::from(*tokens);
                moves.insert(*account, moved);
                if let Some(flow) = self.vaults.get_mut(account) {
                    flow.inward += u64::try_from(moved).unwrap_or(0);
                    flow.outward += u64::try_from(-moved).unwrap_or(0);
                }
            }
            *tokens = now;
        }
        Moves(moves)
    }

    fn explain(&mut self, step: &Step, moves: &mut Moves, model: &Model) {
        let account = |slot: usize| step.instruction.accounts[slot].pubkey;
        match &step.arguments {
            Arguments::Authorize { intent, .. } => {
                assert!(self.has_signed(&intent.session_key, &(*intent).into()), "an unsigned hold");
                self.held.insert(account(3), *intent);
            }
            Arguments::Deposit { amount } => {
                self.explain_inward(step, &account(1), &account(3), *amount, moves);
            }
            Arguments::Refund { amount } => {
                self.explain_inward(step, &account(1), &account(5), *amount, moves);
                let paid = self.paid.get_mut(&self.held[&account(4)].digest()).unwrap();
                paid.refunded += amount;
                assert!(paid.refunded <= paid.amount, "more was refunded than paid");
            }
            Arguments::RequestWithdrawal { amount } => {
                let escrow = account(1);
                assert!(signs(step, &model.escrows[&escrow].payer), "an unsigned request");
                self.requested.insert(escrow, *amount);
            }
            Arguments::CancelWithdrawal => {
                self.requested.remove(&account(1));
            }
            Arguments::Withdraw => {
                let escrow = account(1);
                assert!(signs(step, &model.escrows[&escrow].payer), "an unsigned withdrawal");
                let (out, to) = (-moves.take(&account(2)), moves.take(&account(3)));
                assert_eq!(out, to, "all that left the vault arrived");
                let requested = self.requested.get_mut(&escrow).unwrap();
                *requested = requested.checked_sub(u64::try_from(out).unwrap()).unwrap();
            }
            Arguments::Charge(charge) => self.explain_charge(step, charge, moves),
            Arguments::Capture { .. } => {
                let intent = self.held[&account(2)];
                assert!(model.now <= intent.capture_deadline, "captured after the deadline");
                let paid = self.pay(&intent, &account(3), &account(4), moves, step);
                let Paid { amount, fee, .. } = paid;
                let intent_digest = intent.digest();
                let captured = [true, false].iter().any(|&last| {
                    let capture = Capture { intent_digest, amount, fee, last };
                    self.consents(step, &intent.capture_authorizer, &capture.into())
                });
                assert!(captured, "no such capture was signed: {amount} of which {fee} fee");
            }
            Arguments::CloseEscrow => {
                self.requested.remove(&account(1));
                self.vaults.entry(account(2)).and_modify(|flow| (flow.inward, flow.outward) = (0, 0));
            }
            _ => {}
        }
    }

    fn explain_charge(&mut self, step: &Step, charge: &ChargeArguments, moves: &mut Moves) {
        let metas = &step.instruction.accounts;
        let intent = charge.intent;
        let intent_digest = intent.digest();
        assert!(self.has_signed(&intent.session_key, &intent.into()), "nobody signed the intent");
        assert!(!self.paid.contains_key(&intent_digest), "charged twice");
        let paid = self.pay(&intent, &metas[2].pubkey, &metas[3].pubkey, moves, step);
        let Paid { amount, fee, .. } = paid;
        let release = Release { intent_digest, amount };
        let whole = amount == intent.amount;
        assert!(
            whole || self.consents(step, &intent.receiver_authorizer, &release.into()),
            "the receiver did not consent to less"
        );
        let capture = Capture { intent_digest, amount, fee, last: true };
        assert!(
            fee == 0 || self.consents(step, &intent.capture_authorizer, &capture.into()),
            "the receiver did not consent to the fee"
        );
    }

    /// Explains what left a vault for an intent, and returns all that was paid for it so far.
    fn pay(
        &mut self,
        intent: &Intent,
        vault: &Address,
        receiver_account: &Address,
        moves: &mut Moves,
        step: &Step,
    ) -> Paid {
        let receiver_owns = self.owners.get(receiver_account) == Some(&intent.receiver);
        let (out, received) = (-moves.take(vault), moves.take(receiver_account));
        let fee_account = step.instruction.accounts.last().unwrap().pubkey;
        let fee = moves.take(&fee_account);
        let recipient_owns = self.owners.get(&fee_account) == Some(&intent.fee_recipient);
        assert!(received == 0 || receiver_owns, "another than the receiver was paid");
        assert!(fee == 0 || recipient_owns, "another than the fee recipient was paid");
        assert_eq!(out, received + fee, "all that left the vault arrived");
        let paid = self.paid.entry(intent.digest()).or_default();
        paid.amount += u64::try_from(out).unwrap();
        paid.fee += u64::try_from(fee).unwrap();
        assert!(paid.amount <= intent.amount, "more was paid than the intent's amount");
        let (fee, amount) = (u128::from(paid.fee), u128::from(paid.amount));
        let within = fee * 10_000 <= amount * u128::from(intent.maximum_fee_bps);
        assert!(within, "the fee is above the intent's maximum");
        *paid
    }

    /// Explains what its owner moved into a vault.
    fn explain_inward(&self, step: &Step, source: &Address, vault: &Address, amount: u64, moves: &mut Moves) {
        let owner = self.owners.get(source).expect("no vault gives to another");
        assert!(signs(step, owner), "{owner} did not sign");
        assert_eq!((-moves.take(source), moves.take(vault)), (amount.into(), amount.into()));
    }

    fn has_signed(&self, by: &Address, message: &Message) -> bool {
        self.signed.contains(&(*by, digest(message)))
    }

    /// By a message, or by signing the transaction.
    fn consents(&self, step: &Step, who: &Address, message: &Message) -> bool {
        self.has_signed(who, message) || signs(step, who)
    }
}

fn signs(step: &Step, who: &Address) -> bool {
    step.instruction.accounts.iter().any(|meta| meta.pubkey == *who && meta.is_signer)
}

fn digest(message: &Message) -> Digest {
    match message {
        Message::Intent(intent) => intent.digest(),
        Message::Capture(capture) => capture.digest(),
        Message::Release(release) => release.digest(),
    }
}
