use x402_escrow_interface::{Address, error::EscrowError, message::Digest};

use super::{Call, Consent, Model, Slot, call::Message};

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A rule of the escrow program.
    Escrow(EscrowError),
    /// An account does not sign that must.
    MissingSignature,
    /// The account in a slot does not exist.
    MissingAccount,
    /// The account in a slot is not at the address that its seeds give.
    WrongSeeds,
    /// The account that would be created exists.
    AccountInUse,
    /// One account is in two slots, of which one may be written.
    Duplicate,
    /// The mint's issuer froze a token account of the transfer.
    FrozenTokens,
    /// The token account has less than the transfer moves.
    InsufficientTokens,
    /// The token account has another owner than who signs for it.
    WrongTokenOwner,
    /// The token accounts of a transfer are not both of the escrow's mint.
    OtherMint,
}

impl From<EscrowError> for Rule {
    fn from(error: EscrowError) -> Self {
        Self::Escrow(error)
    }
}

/// The rules that a call breaks, in the order in which the program comes to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broken(Vec<Rule>);

impl Broken {
    /// Notes `rule` as broken unless it is kept.
    pub(super) fn unless(&mut self, kept: bool, rule: impl Into<Rule>) {
        if !kept {
            self.0.push(rule.into());
        }
    }

    /// What was found, or all that is broken if it was not: there is nothing more to look at.
    pub(super) fn required<T>(&mut self, found: Result<T, Self>) -> Result<T, Self> {
        found.map_err(|missing| {
            self.0.extend(missing.0);
            self.clone()
        })
    }

    /// The error if anything was noted.
    pub(super) fn or_ok(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The first rule that the program comes to.
    ///
    /// # Panics
    /// Never: there is at least one where the model refuses a call.
    pub fn first(&self) -> Rule {
        self.0[0]
    }

    /// All of them.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// The account in `slot` must sign.
    pub(super) fn unless_signed(&mut self, call: &Call, slot: usize) {
        self.unless(call.signs(slot), Rule::MissingSignature);
    }

    /// No account may be in two of the named slots if one is in `exclusive`.
    pub(super) fn unless_distinct(&mut self, call: &Call, named: usize, exclusive: &[usize]) {
        let repeated = exclusive
            .iter()
            .any(|&slot| (0..named).any(|other| other != slot && call.address(other) == call.address(slot)));
        let remaining = call.accounts[named..].iter();
        let named_again = remaining
            .filter(|account| exclusive.iter().any(|&slot| call.address(slot) == account.address))
            .count();
        self.unless(!repeated && named_again == 0, Rule::Duplicate);
    }

    /// `authorizer` must have signed `message`; or sign the transaction, be among `remaining`, and
    /// name the right one of the subjects, which are what it named and what it must name.
    pub(super) fn unless_consented(
        &mut self,
        authorizer: &Address,
        consent: &Consent,
        (named, subject): (Digest, Digest),
        message: impl Into<Message>,
        remaining: &[Slot],
    ) {
        match consent {
            Consent::Signature(signature) => {
                self.unless(signature.is(authorizer, message), EscrowError::InvalidSignature);
            }
            Consent::Signer => {
                self.unless(named == subject, EscrowError::WrongConsent);
                let signs = remaining.iter().any(|slot| slot.address == *authorizer && slot.signer);
                self.unless(signs, EscrowError::MissingAuthorizer);
            }
        }
    }

    /// The token account `from`, of the given authority, must be able to send `amount` of `mint` to
    /// `to`.
    pub(super) fn unless_transferable(
        &mut self,
        model: &Model,
        transfer: &super::tokens::Transfer,
        authority: &Address,
    ) {
        let super::tokens::Transfer { from, to, mint, amount } = transfer;
        if *amount == 0 {
            return;
        }
        let (Some(from), Some(to)) = (model.tokens.get(from), model.tokens.get(to)) else {
            self.unless(false, Rule::MissingAccount);
            return;
        };
        self.unless(!from.frozen && !to.frozen, Rule::FrozenTokens);
        self.unless(from.amount >= *amount, Rule::InsufficientTokens);
        self.unless(from.mint == *mint && to.mint == *mint, Rule::OtherMint);
        self.unless(from.owner == *authority, Rule::WrongTokenOwner);
    }
}
