//! What payments came to.

use std::collections::BTreeMap;

use x402_escrow_domain::payment::{OperationState, Sums};

use crate::store::{Outstanding, Turnover};

/// What a token's payments came to, in base units: sums of any number of 64-bit amounts fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TokenSums {
    /// Held or paid at once, in a block, in the time that was asked for.
    pub(super) came_in: u128,
    /// The part of it that the receiver was paid, fees included.
    pub(super) captured: u128,
    /// The part of that which went back.
    pub(super) refunded: u128,
    /// Accepted, and not in a block: now, whenever it was accepted. As are the next two.
    pub(super) promised: u128,
    /// In a block, and neither captured nor released.
    pub(super) held: u128,
    /// Captures that were accepted and are not in a block.
    pub(super) uncaptured: u128,
}

/// Sums up `turnover` of the time that was asked for, what is under way now, and what is `held` now by token.
pub(super) fn sum_up(
    turnover: &[Turnover],
    outstanding: &[Outstanding],
    held: &BTreeMap<String, i128>,
) -> BTreeMap<String, TokenSums> {
    let mut tokens: BTreeMap<String, TokenSums> = BTreeMap::new();
    for payment in turnover {
        let token = tokens.entry(payment.asset.clone()).or_default();
        let has_landed = payment.operations.first().is_some_and(|first| first.state.has_landed());
        if has_landed {
            let sums = Sums::of(payment.amount, &payment.operations, OperationState::has_landed);
            token.came_in += u128::from(payment.amount);
            token.captured += u128::from(sums.captured);
            token.refunded += u128::from(sums.refunded);
        }
    }
    for payment in outstanding {
        let token = tokens.entry(payment.asset.clone()).or_default();
        token.promised += u128::from(payment.promised);
        token.uncaptured += payment.uncaptured.map_or(0, |captures| u128::from(captures.amount));
    }
    for (asset, held) in held {
        tokens.entry(asset.clone()).or_default().held += u128::try_from(*held).unwrap_or_default();
    }
    tokens
}
