//! The nearest figures that others have published: Solana Foundation's payment-channels program (commit 3ffa4d6), as
//! its authors measured it on mainnet. None of them was measured here.

use crate::report::{Packing, Table};

pub(crate) fn instruction(instruction: &str, case: &str) -> &'static str {
    match instruction {
        _ if case.contains("changes nothing") => "",
        "authorize" => "open: 31,558",
        "capture" if case.contains("close") => "close and distribute: 18,557",
        "capture" => "settle 425 + distribute 11,328",
        "charge" => "settle 425 + distribute 11,328",
        "reclaim" => "8 reclaims: 2,536",
        _ => "",
    }
}

/// Computed from sizes: pairs of a settle and a signature that the cluster checks, which costs 5,000 lamports each.
pub(crate) fn packing(packing: &Packing) -> &'static str {
    let settles = packing.instruction == "capture, signed";
    match (settles, packing.version, packing.table) {
        (true, 0, Table::All) => "5, 6,000 lamports each",
        (true, 1, _) => "8, 5,625 lamports each",
        _ => "",
    }
}
