//! Writes the golden vectors of the signed messages to `docs/messages-vectors.json`.

use anyhow::{Context, Result};
use x402_escrow_tests::vectors;

fn main() -> Result<()> {
    let file = vectors::file();
    std::fs::write(&file, vectors::render()).with_context(|| format!("writing {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}
