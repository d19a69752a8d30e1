use std::collections::BTreeMap;

use solana_system_interface::instruction::transfer;
use x402_escrow_interface::{Address, instruction};
use x402_escrow_tests::{
    model::{Arguments, Consent},
    program_id,
};

use super::{tally::Tally, trial::Trial};
use crate::property::{play::Play, step::Step};

impl Trial<'_> {
    /// After the last deadline a stranger's transactions free everything. Then the payer can close
    /// its sessions and its escrow, whatever strangers sent there, and gets the rest; and everybody
    /// has the rent back that they paid.
    pub(crate) fn all_that_is_left_comes_back(&mut self, tally: &mut Tally) {
        let program = program_id();
        let owed = self.owed();
        for (hold, payment) in std::mem::take(&mut self.payments) {
            let over = payment.intent.capture_deadline + 1;
            self.chain.set_time(self.chain.time().max(over));
            if payment.open() > 0 {
                let outcome = self.reclaim(hold);
                assert!(outcome.is_ok(), "payer: {hold} expired and does not come back: {outcome:?}");
                tally.reclaimed += 1;
            }
        }
        let payer = self.place.payer;
        let gifts = self.strangers_send_something();
        self.chain.next_slot();
        for (session, _) in self.sessions() {
            let rent_payer = owed.get(&session).map_or(payer, |(payer, _)| *payer);
            let close =
                instruction::close_session(&program, &payer, &self.place.escrow, &session, &rent_payer);
            let outcome = self.attempt(&close);
            assert!(outcome.is_ok(), "relayer: {session} can't be closed: {outcome:?}");
        }
        let had = self.tokens_of(&payer);
        let destination = self.place.tokens_of(&payer);
        let rest = self.chain.tokens(&self.place.vault());
        let close = instruction::close_escrow(&program, &self.place.escrow, &self.escrow(), &destination);
        let outcome = self.attempt(&close);
        assert!(outcome.is_ok(), "payer: the escrow can't be closed: {outcome:?}");
        assert_eq!(self.tokens_of(&payer) - had, rest, "payer: got the rest");
        assert_eq!(self.withdrawn + rest + self.paid, self.tokens + gifts, "nothing else left the vault");

        let mut due: BTreeMap<Address, u64> = BTreeMap::new();
        for (account, (payer, lamports)) in owed {
            assert_eq!(self.chain.lamports(&account), 0, "relayer: {account} still has rent");
            *due.entry(payer).or_default() += lamports;
        }
        for (wallet, lamports) in due {
            let before = self.play.chain.lamports(&wallet);
            let gained = self.chain.lamports(&wallet).saturating_sub(before);
            assert!(gained >= lamports, "relayer: {wallet} has {gained} of {lamports} lamports back");
        }
        tally.closed += 1;
    }

    /// The rents in this escrow's accounts.
    fn owed(&self) -> BTreeMap<Address, (Address, u64)> {
        let (escrow, vault) = (self.place.escrow, self.place.vault());
        let audit = &self.play.audit;
        let of_escrow = |account: &Address| {
            let held = audit.payments.held_at(account);
            let session = audit.grants.sessions.get(account);
            [escrow, vault].contains(account)
                || held.is_some_and(|payment| payment.intent.escrow == escrow)
                || session.is_some_and(|grant| grant.escrow == escrow)
        };
        audit
            .rents
            .owed
            .iter()
            .filter(|(account, _)| of_escrow(account))
            .map(|(key, owed)| (*key, *owed))
            .collect()
    }

    /// Tokens in the vault, and lamports in accounts. Returns the tokens.
    fn strangers_send_something(&mut self) -> u64 {
        const GIFT: u64 = 7;
        let thief = self.play.cast.thief;
        let from = self.place.tokens_of(&thief);
        self.chain.transfer(&from, &self.place.vault(), GIFT);
        let stranger = self.chain.key("stranger");
        let accounts = self.sessions().into_iter().map(|(session, _)| session).chain([self.place.escrow]);
        let gifts: Vec<_> = accounts.map(|account| transfer(&stranger, &account, GIFT)).collect();
        self.chain.succeed(&gifts);
        GIFT
    }
}

/// A relay that comes second learns that the work is done: what was carried out by signatures alone
/// is no error right afterwards, costs nobody anything and moves nothing, as long as what it is
/// about exists.
pub(crate) fn second_relay_has_nothing_to_do(play: &Play, step: &Step, tally: &mut Tally) {
    let slot_of_subject = match &step.arguments {
        Arguments::Authorize { .. } => 3,
        Arguments::Capture { consent: Consent::Signature(_), .. }
        | Arguments::Void { consent: Consent::Signature(_), .. }
        | Arguments::RevokeSession { consent: Consent::Signature(_), .. } => 2,
        Arguments::RevokeSessions { consent: Consent::Signature(_), .. } => 1,
        _ => return,
    };
    let subject = step.instruction.accounts[slot_of_subject].pubkey;
    if play.chain.data(&subject).is_none_or(|data| data.is_empty()) {
        return;
    }
    let mut again = step.instruction.clone();
    let second = play.cast.relays[1];
    if let Arguments::Authorize { .. } = step.arguments {
        again.accounts[0].pubkey = second;
    }
    let mut chain = play.chain.trial();
    let place = play.cast.place(&step.at.escrow);
    let state = |chain: &x402_escrow_tests::svm::Chain| {
        (chain.lamports(&second), chain.lamports(&subject), chain.tokens(&place.vault()))
    };
    let before = state(&chain);
    let outcome = chain.attempt(&again).map(drop);
    assert!(outcome.is_ok(), "relayer: came second and was refused: {outcome:?}");
    assert_eq!(state(&chain), before, "relayer: came second and something moved");
    tally.second += 1;
}
