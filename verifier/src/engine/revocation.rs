//! Relays revocations, so that an owner without SOL can stop an agent. Nothing is stored: a revocation moves no token, and
//! what is revoked stays revoked, so whoever got no answer asks again. It is relayed while nothing new is accepted, too.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use x402_escrow_domain::{
    signature,
    transaction::{self, Terms, Version},
};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address,
    error::EscrowError,
    instruction::{self, Consent, Signature},
};
use x402_escrow_wire::{
    auth_capture::Commitment,
    revocation::{Revocation, Scope},
};

use crate::{
    chain::{ChainError, SendError, views::Views},
    engine::{app::App, budget, not_accepted::NotAccepted},
};

/// How often to look whether the sessions are revoked.
const INTERVAL: Duration = Duration::from_millis(300);

/// Why a revocation was not relayed.
#[derive(Debug, thiserror::Error)]
pub enum NotRelayed {
    /// It can't take effect: a code, and why.
    #[error("{message}")]
    Refused {
        /// As the command line and the program call it.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// It was sent, and took no effect in time.
    #[error("the revocation was sent and is not confirmed yet; ask again")]
    Pending,
    /// As for everything that costs the operator.
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
}

impl From<ChainError> for NotRelayed {
    fn from(error: ChainError) -> Self {
        Self::NotAccepted(error.into())
    }
}

fn refused(code: &'static str, message: impl Into<String>) -> NotRelayed {
    NotRelayed::Refused { code, message: message.into() }
}

/// What is on chain of those that are to be revoked.
#[derive(Clone, PartialEq)]
struct Found {
    escrow: Option<Escrow>,
    session: Option<Session>,
}

/// Sends the revocation and waits until it is confirmed. `None` if it took effect before.
///
/// # Errors
/// If it is not signed by the escrow's payer or guardian, a budget is used up, or the node does not answer.
pub async fn relay(app: &App, revocation: &Revocation) -> Result<Option<Signature>, NotRelayed> {
    let Revocation { program, escrow: escrow_address, scope, revoker, signature } = *revocation;
    let (program, escrow_address, revoker): (Address, Address, Address) =
        (program.into(), escrow_address.into(), revoker.into());
    if program != app.rules.program {
        let message = format!("program: this verifier relays for {}, not for {program}", app.rules.program);
        return Err(refused("program_mismatch", message));
    }
    if !signature::is_valid(&revoker, &revocation.message().signed_bytes(), &signature.0) {
        let message = format!("signature: is not a strict Ed25519 signature of this revocation by {revoker}");
        return Err(refused("invalid_signature", message));
    }
    let (slot, found) = read(app, revocation).await?;
    let Some(escrow) = found.escrow else {
        return Err(refused("escrow_not_found", format!("escrow: there is no escrow {escrow_address}")));
    };
    if revoker != escrow.payer && (revoker != escrow.guardian || escrow.guardian == Address::default()) {
        return Err(refused("wrong_revoker", format!("revoker: {}", EscrowError::WrongRevoker)));
    }
    if is_revoked(scope, &found) {
        return Ok(None);
    }
    let consent = Consent::Signature(signature.0);
    let (instruction, charged) = match scope {
        Scope::Session { session_key, incarnation } => {
            let session = found.session.ok_or_else(|| {
                refused(
                    "session_not_found",
                    format!("sessionKey: the escrow has no session of {session_key}"),
                )
            })?;
            if session.incarnation != incarnation.0 {
                let message = "incarnation: the session was closed and opened again since";
                return Err(refused("incarnation_mismatch", message));
            }
            // Once each, and opening the session cost its payer more. So a stolen key that used up its payer's budget
            // can be stopped.
            (instruction::revoke_session(&program, &revoker, &session, consent), None)
        }
        Scope::All { opened_through_slot } => {
            if opened_through_slot.0 > slot {
                let message = format!("openedThroughSlot: {}", EscrowError::RevokedSlotInFuture);
                return Err(refused("revoked_slot_in_future", message));
            }
            let through = opened_through_slot.0;
            let revoke = instruction::revoke_sessions(&program, &revoker, &escrow_address, through, consent);
            (revoke, Some(escrow.payer))
        }
    };
    let part = transaction::revoke(instruction);
    let blockhash = app.chain.blockhash().await?;
    // Last, so that nothing is charged for what can't be sent.
    let charge = budget::charge_revocation(app, charged).await?;
    let terms = Terms {
        fee_payer: &app.fee_payer,
        compute_unit_price_micro_lamports: *app.settings.compute_unit_prices_micro_lamports.end(),
        blockhash,
    };
    let signed = transaction::sign(Version::Legacy, terms, &[&part])
        .map_err(|error| ChainError::answer("sendTransaction", error.to_string()))?;
    match app.chain.send(&signed.bytes, true).await {
        Ok(()) => wait(app, revocation, signed.signature).await.map(Some),
        Err(SendError::Simulation(error)) => {
            charge.take_back(app);
            Err(refused("transaction_refused", format!("the cluster refuses it: {error}")))
        }
        Err(SendError::Unknown(error)) => Err(error.into()),
    }
}

/// Waits until the revocation took effect, whoever's transaction did it.
async fn wait(app: &App, revocation: &Revocation, signature: Signature) -> Result<Signature, NotRelayed> {
    let until = Instant::now() + app.settings.settle_timeout;
    loop {
        let (_, found) = read(app, revocation).await?;
        if is_revoked(revocation.scope, &found) {
            return Ok(signature);
        }
        if Instant::now() >= until {
            return Err(NotRelayed::Pending);
        }
        sleep(INTERVAL).await;
    }
}

/// What enough nodes have alike, and as of which slot.
async fn read(app: &App, revocation: &Revocation) -> Result<(u64, Found), NotRelayed> {
    let escrow_address = revocation.escrow.into();
    let mut addresses = vec![escrow_address];
    if let Scope::Session { session_key, .. } = revocation.scope {
        addresses.push(address::session(&app.rules.program, &escrow_address, &session_key.into()));
    }
    let views = Views::read(app.chain.as_ref(), &addresses, Commitment::Confirmed).await?;
    let program = app.rules.program;
    let agreed = views.agreed(|accounts| {
        let data = |index: usize| {
            let account = accounts.get(index)?.as_ref()?;
            (account.owner == program).then_some(account.data.as_slice())
        };
        Found {
            escrow: data(0).and_then(|data| Escrow::decode(data).ok()),
            session: data(1).and_then(|data| Session::decode(data).ok()),
        }
    });
    Ok(agreed?)
}

fn is_revoked(scope: Scope, found: &Found) -> bool {
    let Some(escrow) = found.escrow else { return false };
    match scope {
        Scope::Session { incarnation, .. } => found
            .session
            .is_some_and(|session| session.incarnation == incarnation.0 && escrow.has_revoked(&session)),
        // Sessions opened before a slot are revoked.
        Scope::All { opened_through_slot } => escrow.revoked_before_slot > opened_through_slot.0,
    }
}
