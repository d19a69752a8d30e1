//! What a reconciliation found, for people and as JSON.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use x402_escrow_domain::{books::Of, reconcile::Held};
use x402_escrow_wire::text::{Decimal, Hex32, Key};

use crate::store::WrongSum;

/// What books and chain come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// How many holds were looked at.
    pub holds: usize,
    /// Those of which something is on its way; look again later.
    pub under_way: usize,
    /// Those whose books were wrong and are right now.
    pub repaired: Vec<Hex32>,
    /// Where books and chain differ.
    pub differences: Vec<Difference>,
    /// Escrows of which the chain holds less than the books say.
    pub short: Vec<Short>,
    /// Payments of which a refund that the receiver sent itself is missing in the books.
    pub refunded: Vec<Hex32>,
    /// Payments that are kept as promised for longer or shorter than their operations say; at most a hundred.
    pub promised: Vec<Hex32>,
    /// Payments whose books say that they hold something else than their operations say.
    pub held: Vec<Hex32>,
    /// Stored sums of what is held that differ from what the payments add up to.
    pub sums: Vec<Sum>,
    /// How many such sums were corrected.
    pub repaired_sums: usize,
    /// Payments that can't be read, by their ids, with what is wrong with each.
    pub unreadable: BTreeMap<String, String>,
}

/// A hold of which books and chain say different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The payment.
    pub payment_id: Hex32,
    /// Its hold.
    pub hold: Key,
    /// What the books say; `None` for nothing.
    pub books: Option<Held>,
    /// What the chain says; `None` for nothing.
    pub chain: Option<Held>,
}

/// An escrow that holds less than the books say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Short {
    /// The escrow.
    pub escrow: Key,
    /// What its holds come to by the books, in base units.
    pub books: Decimal,
    /// What it holds, in base units.
    pub chain: Decimal,
}

/// A sum of what is held that differs from what the payments add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sum {
    /// Whose payments; `None` for everybody's.
    pub receiver: Option<Key>,
    /// The minute in which they were accepted, counted from 1970-01-01; `None` for any.
    pub minute: Option<i64>,
    /// The token.
    pub asset: Key,
    /// What is stored, in base units.
    pub kept: String,
    /// What the payments hold by their books, in base units.
    pub held: String,
}

impl From<WrongSum> for Sum {
    fn from(WrongSum { sum, kept, held }: WrongSum) -> Self {
        let (receiver, minute) = match sum.of {
            Of::All => (None, None),
            Of::Receiver(receiver) => (Some(receiver.into()), None),
            Of::Minute(minute) => (None, Some(minute)),
        };
        Self { receiver, minute, asset: sum.mint.into(), kept: kept.to_string(), held: held.to_string() }
    }
}

impl Reconciliation {
    /// Whether books and chain say the same.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
            && self.short.is_empty()
            && self.refunded.is_empty()
            && self.promised.is_empty()
            && self.held.is_empty()
            && self.sums.is_empty()
            && self.unreadable.is_empty()
    }
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = |held: Option<Held>| match held {
            Some(Held { captured, left }) => format!("{captured} captured and {left} left"),
            None => "nothing held".to_owned(),
        };
        for Difference { payment_id, hold, books, chain } in &self.differences {
            let (books, chain) = (held(*books), held(*chain));
            writeln!(
                formatter,
                "payment {payment_id}, hold {hold}: the books say {books}, the chain {chain}"
            )?;
        }
        for Short { escrow, books, chain } in &self.short {
            writeln!(formatter, "escrow {escrow}: the books say {books} held, the chain {chain}")?;
        }
        for payment_id in &self.refunded {
            writeln!(
                formatter,
                "payment {payment_id}: the books lack a refund that the receiver sent itself"
            )?;
        }
        for payment_id in &self.promised {
            writeln!(formatter, "payment {payment_id}: its promised amount differs from its operations")?;
        }
        for payment_id in &self.held {
            writeln!(formatter, "payment {payment_id}: its held amount differs from its operations")?;
        }
        for Sum { receiver, minute, asset, kept, held } in &self.sums {
            let receiver = receiver.map_or_else(String::new, |receiver| format!(" for {receiver}"));
            let minute = minute.map_or_else(String::new, |minute| format!(" of minute {minute}"));
            writeln!(
                formatter,
                "token {asset}{receiver}{minute}: the sum of what is held is stored as {kept}, and the payments hold {held}"
            )?;
        }
        if self.repaired_sums > 0 {
            writeln!(formatter, "{} sums of what is held were wrong: corrected", self.repaired_sums)?;
        }
        for (payment_id, cause) in &self.unreadable {
            writeln!(formatter, "payment {payment_id}: can't be read: {cause}")?;
        }
        for payment_id in &self.repaired {
            writeln!(formatter, "payment {payment_id}: repaired")?;
        }
        let Self { holds, under_way, differences, short, .. } = self;
        writeln!(
            formatter,
            "{holds} holds, {under_way} of them under way; {} differ, {} escrows hold too little (all in base units)",
            differences.len(),
            short.len()
        )
    }
}
