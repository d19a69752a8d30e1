use x402_escrow_interface::instruction;
use x402_escrow_tests::program_id;

use super::{tally::Tally, trial::Trial};

impl Trial<'_> {
    /// Free balance can be withdrawn at once, and money that nobody captured comes back by anyone's
    /// transaction: all but what is promised to receivers. A stranger's hand in it takes nothing
    /// away from them.
    pub(crate) fn payer_takes_all_that_is_free(&mut self, tally: &mut Tally) {
        let now = self.chain.time();
        let all = std::mem::take(&mut self.payments);
        for (hold, payment) in all {
            let expired = now > payment.intent.capture_deadline;
            let outcome = self.reclaim(hold);
            if expired {
                assert!(outcome.is_ok(), "payer: {hold} expired and does not come back: {outcome:?}");
                tally.reclaimed += 1;
            } else {
                self.payments.push((hold, payment));
            }
        }
        self.sync();
        let promised: u64 = self.payments.iter().map(|(_, payment)| payment.open()).sum();
        let free = self.tokens.checked_sub(promised).expect("what is promised is there");
        let payer = self.place.payer;
        let before = self.tokens_of(&payer);
        let outcome = self.withdraw(None);
        // It would take what is promised too.
        let _ = self.withdraw(Some(promised));
        let got = self.tokens_of(&payer) - before;
        assert_eq!(got, free, "payer: took all that is free, but for {promised} promised: {outcome:?}");
        self.withdrawn = got;
        tally.withdrawn += u64::from(got > 0);
    }

    fn withdraw(&mut self, amount: Option<u64>) -> Result<(), String> {
        let (escrow, destination) = (self.escrow(), self.place.tokens_of(&self.place.payer));
        let place = &self.place.escrow;
        self.attempt(&instruction::withdraw(&program_id(), place, &escrow, &destination, amount))
    }
}
