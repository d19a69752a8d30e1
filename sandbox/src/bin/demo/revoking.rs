//! A session that may pay one merchant only, and a guardian that stops it.

use std::fs;

use anyhow::{Context, Result};
use solana_sdk::signature::Signer;
use x402_escrow_sandbox::{Agent, Local, Merchant, Verifier};

use crate::{
    finality::Finality,
    purchases::{Purchase, Refusal, Wanted},
};

/// What the agent buys.
const PATH: &str = "/quote?symbol=SOL";

/// Has the agent of a listed session buy from the first merchant and not from the second, and a guardian that has no SOL
/// sign a revocation, which the owner relays. Returns what was bought, and what was refused before and after.
pub(crate) fn show(
    local: &Local,
    owner: &Agent,
    verifier: &Verifier,
    merchants: &[Merchant; 2],
    finality: &Finality,
    tell: &dyn Fn(&str),
) -> Result<(Purchase, [Refusal; 2])> {
    let [listed, other] = merchants;
    tell(&format!("the owner opens a session that may only pay {}", listed.name));
    let session_file = local.folder().join("listed.json");
    let out = session_file.display().to_string();
    let receiver = listed.key.pubkey().to_string();
    owner.run(
        &[
            ["session", "open", "--max-payment", "0.25", "--max-total", "1"].as_slice(),
            &["--receiver", &receiver, "--out", &out],
        ]
        .concat(),
    )?;
    let agent = Agent::with_session(local, &session_file);
    let wanted = Wanted { merchant: listed, path: PATH, body: None };
    tell(&format!("its agent buys {}, and tries to buy from {}", wanted.label(), other.name));
    let bought = Purchase::make(&agent, finality, &wanted)?;
    let unlisted = Refusal::provoke(&agent, other, PATH, "not the one receiver that the session may pay")?;

    tell("the owner names a guardian, who signs a revocation without having SOL, and the owner relays it");
    let (guardian, guardian_file) = local.key_file("guardian")?;
    owner.run(&["escrow", "guardian", "set", &guardian.pubkey().to_string()])?;
    let guardian = Agent::owner(local, &guardian_file, verifier);
    let revocation = guardian.run(&["session", "revoke", "--session", &out, "--sign-only"])?;
    let file = local.folder().join("revocation.json");
    fs::write(&file, revocation.to_string()).context("writing the revocation")?;
    owner.run(&["session", "revoke", "--relay", &file.display().to_string()])?;
    tell("the agent tries to buy again");
    let revoked = Refusal::provoke(&agent, listed, PATH, "revoked")?;
    Ok((bought, [unlisted, revoked]))
}
