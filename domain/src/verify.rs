//! Decides whether a payment would settle: payload, requirements, chain facts and policy in, verdict out. Uses
//! `decision`, `derived`, `facts`, `identifier`, `payment`, `policy`, `promises`, `signature`, `stream`, `tokens`.
//!
//! - [`requirements`]: what a merchant asks, and whether this facilitator can settle it
//! - [`intent`]: what a payer signed, against the requirements and the chain
//! - [`charge`]: how an intent is charged at once
//! - [`lifecycle`]: what a merchant signed, against the payment
//! - [`voucher`]: what a payer signed for one more request on a streamed hold

pub mod charge;
pub mod intent;
pub mod lifecycle;
pub mod request;
pub mod requirements;
pub mod voucher;

use x402_escrow_interface::{Address, deployment};
use x402_escrow_wire::error_code::ErrorCode;

use crate::{payment::Problem, policy::Policy, tokens::Tokens};

/// Who decides: what the pure checks need to know of this verifier.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The cluster, as a CAIP-2 id.
    pub network: String,
    /// The escrow program.
    pub program: Address,
    /// Pays fees and rent.
    pub fee_payer: Address,
    /// Those that paid them before.
    pub former_fee_payers: FormerFeePayers,
    /// What it serves.
    pub tokens: Tokens,
    /// Its bounds.
    pub policy: Policy,
}

/// Fee payers that are not announced any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormerFeePayers {
    /// A payment that names one of these is still served.
    pub retiring: Vec<Address>,
    /// Nothing is signed with these. What was held while one of them paid goes on.
    pub cut_off: Vec<Address>,
}

impl Rules {
    /// Whether a new payment may name `fee_payer`.
    pub fn serves_fee_payer(&self, fee_payer: &Address) -> bool {
        self.fee_payer == *fee_payer || self.former_fee_payers.retiring.contains(fee_payer)
    }

    /// Whether `fee_payer` is or was this verifier's.
    pub fn knows_fee_payer(&self, fee_payer: &Address) -> bool {
        self.fee_payers().any(|known| known == fee_payer)
    }

    /// All that are or were this verifier's.
    pub fn fee_payers(&self) -> impl Iterator<Item = &Address> {
        let FormerFeePayers { retiring, cut_off } = &self.former_fee_payers;
        [&self.fee_payer].into_iter().chain(retiring).chain(cut_off)
    }
}

/// Why the escrow program is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the escrow program has no known address on {network}; set the address that it was deployed at")]
pub struct NoProgram {
    /// The cluster, as a CAIP-2 id.
    pub network: String,
}

/// The escrow program on `network`: `configured`, else where it is known to be.
///
/// # Errors
/// If neither is there.
pub fn program(network: &str, configured: Option<Address>) -> Result<Address, NoProgram> {
    let program = configured.or_else(|| deployment::program_id(network));
    program.ok_or_else(|| NoProgram { network: network.to_owned() })
}

/// Why the verdict is no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// x402's code.
    pub code: ErrorCode,
    /// What is wrong, where, and what would be right.
    pub message: String,
}

impl Rejection {
    /// A rejection.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<Problem> for Rejection {
    fn from(Problem { code, message }: Problem) -> Self {
        Self { code, message }
    }
}

impl From<Rejection> for Problem {
    fn from(Rejection { code, message }: Rejection) -> Self {
        Self { code, message }
    }
}

/// Rejects with `code` and the message unless `condition` holds.
pub(crate) fn require(
    condition: bool,
    code: ErrorCode,
    message: impl FnOnce() -> String,
) -> Result<(), Rejection> {
    if condition { Ok(()) } else { Err(Rejection::new(code, message())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_configured_one_or_the_known_one() {
        let (configured, devnet) =
            (Address::new_from_array([7; 32]), "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1");
        for network in [devnet, "solana:local"] {
            assert_eq!(program(network, Some(configured)), Ok(configured));
        }
        assert_eq!(program("solana:local", None), Ok(deployment::LOCAL_PROGRAM_ID));
        assert_eq!(program(devnet, None), Err(NoProgram { network: devnet.to_owned() }));
    }
}
