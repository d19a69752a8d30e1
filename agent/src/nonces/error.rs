use std::{io, path::PathBuf};

use super::state::DRAFT_SECONDS;

/// Why nothing may be signed.
#[derive(Debug, thiserror::Error)]
pub enum NoncesError {
    /// As many payments as may be are signed, and neither held nor expired.
    #[error(
        "the next nonce would be above {bound}, more than 1,024 above the last that is known to be used: payments that \
         were signed before are neither held nor expired. Wait {} s, until the first of them expires, and try again",
        free_at.saturating_sub(*now)
    )]
    Outstanding {
        /// The highest nonce that may be signed now.
        bound: u64,
        /// When a nonce is free again, in unix seconds.
        free_at: i64,
        /// The present, in unix seconds.
        now: i64,
    },
    /// The verifier refused every nonce that the agent may sign.
    #[error(
        "the verifier refuses every nonce that may be signed, up to {bound}: the session file was probably used \
         elsewhere. Set the next nonce with agent session nonces --session FILE --from-chain; the file of nonces \
         is {}",
        path.display()
    )]
    Refused {
        /// The highest nonce that may be signed now.
        bound: u64,
        /// The file of nonces.
        path: PathBuf,
    },
    /// The draft came so late that the nonce went to another request.
    #[error(
        "the draft came more than {DRAFT_SECONDS} s after it was asked for and was not signed: try again"
    )]
    Late,
    /// The file can't be read or written, so nothing is signed.
    #[error(
        "the file of nonces {}: {source}; nothing was signed. If it is damaged, move it away and set the next nonce \
         with agent session nonces --session FILE --from-chain",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
