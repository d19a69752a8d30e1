//! Purchases out of the journal's lines, and back. No I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use x402_escrow_wire::{
    auth_capture::{Extra, SESSION_KEY},
    payment::PaymentPayload,
    purchase::buyer,
    text::{Decimal, Hex32, Key},
};

/// How long a key protects after its payment's capture deadline, in seconds: verifiers keep ids for as long.
const KEY_SECONDS: i64 = 24 * 60 * 60;

/// A purchase as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    /// [`purchase_id`] of it.
    pub id: String,
    /// The caller's own name for it.
    pub key: Option<String>,
    /// What is known of it.
    pub state: buyer::Purchase,
    /// What was signed.
    pub signed: Signed,
}

/// What a purchase is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// When it was written down, unix seconds.
    pub at: i64,
    /// Scheme, host and port of the server.
    pub origin: String,
    /// Hash of the request's method, URL and body.
    pub resource_hash: Hex32,
    /// Who is paid.
    pub pay_to: Key,
    /// What it adds to all that was signed before, in base units.
    pub amount: Decimal,
    /// Last second at which it can be put on chain, unix. Of a voucher the capture deadline.
    pub authorize_by: i64,
    /// Last second for captures, unix.
    pub capture_deadline: i64,
    /// Without signatures.
    pub payment: PaymentPayload,
}

impl Purchase {
    /// Whether nothing can become of it any more but what is known.
    pub fn is_finished(&self) -> bool {
        use buyer::Purchase::{Charged, Over, Served};
        matches!(self.state, Served | Charged | Over)
    }

    /// The payment's id.
    pub fn payment_id(&self) -> &str {
        self.id.split('_').next().unwrap_or_default()
    }

    /// Whether it is paid out of a hold for many requests, or opens one.
    pub(crate) fn is_out_of_stream(&self) -> bool {
        let authorizer = self.signed.payment.accepted.extra.get("captureAuthorizer");
        authorizer.is_some_and(|authorizer| authorizer == SESSION_KEY)
    }

    /// Of a voucher, all that was signed for, itself included, in base units.
    pub fn vouched(&self) -> Option<u64> {
        self.id.split_once('_')?.1.parse().ok()
    }

    /// Of a voucher, and of what opens a hold for many requests: how much of the hold was signed for, itself included,
    /// in base units.
    pub(crate) fn signed_of_hold(&self) -> Option<u64> {
        let price = || Extra::read(&self.signed.payment.accepted).ok()?.request_price;
        self.vouched().or_else(|| price().map(|price| price.0))
    }
}

/// What a purchase is called here: one intent is one purchase, and so is each voucher that comes without one, which is
/// for `vouched` base units.
pub fn purchase_id(payment_id: Hex32, vouched: Option<u64>) -> String {
    match vouched {
        None => payment_id.to_string(),
        Some(amount) => format!("{payment_id}_{amount}"),
    }
}

/// A change of one purchase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    purchase: String,
    state: buyer::Purchase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// In a purchase's first line.
    #[serde(flatten)]
    signed: Option<Signed>,
}

impl Line {
    pub(super) fn signed(purchase: &Purchase) -> Self {
        Self {
            purchase: purchase.id.clone(),
            state: purchase.state,
            key: purchase.key.clone(),
            signed: Some(purchase.signed.clone()),
        }
    }

    pub(super) fn became(id: &str, state: buyer::Purchase) -> Self {
        Self { purchase: id.to_owned(), state, key: None, signed: None }
    }
}

/// All purchases of a journal.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    all: BTreeMap<String, Purchase>,
    /// The last purchase of each key.
    of_key: BTreeMap<String, String>,
}

impl Entries {
    pub(super) fn apply(&mut self, line: Line) -> Result<(), String> {
        let Line { purchase: id, state, key, signed } = line;
        match (signed, self.all.get_mut(&id)) {
            (Some(signed), _) => {
                if let Some(key) = &key {
                    self.of_key.insert(key.clone(), id.clone());
                }
                self.all.insert(id.clone(), Purchase { id, key, state, signed });
            }
            (None, Some(purchase)) => purchase.state = state,
            (None, None) => return Err(format!("purchase {id} has no line that says what was signed")),
        }
        Ok(())
    }

    pub(super) fn of_key(&self, key: &str) -> Option<&Purchase> {
        let purchase = self.all.get(self.of_key.get(key)?)?;
        // Another purchase may go on with its payment.
        (purchase.key.as_deref() == Some(key)).then_some(purchase)
    }

    pub(super) fn find(&self, name: &str) -> Option<&Purchase> {
        let id = name.strip_prefix("pay_").unwrap_or(name);
        self.of_key(name).or_else(|| self.all.get(id))
    }

    pub(super) fn unfinished(&self) -> impl Iterator<Item = &Purchase> {
        self.all.values().filter(|purchase| !purchase.is_finished())
    }

    /// What is signed for by intents that are not over, and may lock that much at `now` (unix seconds), in base units.
    /// Those for which `is_counted` are left out.
    pub(crate) fn locked(&self, now: i64, is_counted: impl Fn(&str) -> bool) -> u64 {
        let locking = self.unfinished().filter(|purchase| {
            now <= purchase.signed.capture_deadline
                && purchase.vouched().is_none()
                && !is_counted(purchase.payment_id())
        });
        locking.fold(0, |sum, purchase| sum.saturating_add(purchase.signed.amount.0))
    }

    /// The lines that a file needs that is written anew at `now`, unix seconds.
    pub(super) fn needed(&self, now: i64) -> Vec<Line> {
        let is_needed = |purchase: &&Purchase| {
            let may_be_asked_for = purchase.key.is_some() || !purchase.is_finished();
            may_be_asked_for && now <= purchase.signed.capture_deadline.saturating_add(KEY_SECONDS)
        };
        // The last purchase of a key stays its last, also where two are of one second or the clock went back.
        let is_last = |purchase: &Purchase| {
            let last = purchase.key.as_ref().and_then(|key| self.of_key.get(key));
            last == Some(&purchase.id)
        };
        let mut needed: Vec<&Purchase> = self.all.values().filter(is_needed).collect();
        needed.sort_by_key(|purchase| (is_last(purchase), purchase.signed.at));
        needed.into_iter().map(Line::signed).collect()
    }
}
