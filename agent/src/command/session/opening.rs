//! One session that is to be opened: its key is on disk before.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address,
    instruction::{self as build, SessionLimits},
    receivers::ReceiverList,
};
use x402_escrow_wire::text::{Base58, Key};

use crate::{
    owner::{Owner, Plan},
    problem::{Code, Problem},
};

/// A session to open, and its file.
pub(super) struct Opening {
    pub(super) path: PathBuf,
    pub(super) file: SessionFile,
    limits: SessionLimits,
    is_on_disk: bool,
}

/// What all sessions that are opened at once have in common.
pub(super) struct Common<'a> {
    pub(super) owner: &'a Owner,
    pub(super) escrow: &'a Escrow,
    pub(super) network: String,
    pub(super) verifier: String,
}

impl Opening {
    /// Plans a session with a new key; or goes on with the file that an earlier try left, if it is of the same session.
    pub(super) fn plan(
        common: &Common<'_>,
        path: &Path,
        limits: SessionLimits,
        receivers: Option<&ReceiverList>,
    ) -> Result<Self> {
        let receivers = receivers.map_or(&[] as &[Address], ReceiverList::receivers);
        let key = SigningKey::generate(&mut OsRng);
        let planned = SessionFile {
            network: common.network.clone(),
            program: common.owner.program.into(),
            escrow: common.owner.escrow_address().into(),
            mint: common.owner.mint.into(),
            decimals: common.escrow.decimals,
            session_key: Base58(key.verifying_key().to_bytes()),
            incarnation: Base58([0; 32]),
            expires_at: limits.expires_at,
            verifier: common.verifier.clone(),
            receivers: receivers.iter().copied().map(Key::from).collect(),
            secret_key: Base58(key.to_bytes()),
        };
        let path = path.to_owned();
        if !path.exists() {
            return Ok(Self { path, file: planned, limits, is_on_disk: false });
        }
        let found = SessionFile::read_unopened(&path)?;
        let pinned = |file: &SessionFile| {
            let SessionFile { network, program, escrow, mint, receivers, verifier, .. } = file.clone();
            (network, program, escrow, mint, receivers, verifier)
        };
        if pinned(&found) != pinned(&planned) {
            return Err(taken(&path).into());
        }
        Ok(Self { path, file: found, limits, is_on_disk: true })
    }

    /// Whether an earlier try saw it open.
    pub(super) fn is_open(&self) -> bool {
        self.file.is_open()
    }

    pub(super) fn session_key(&self) -> Address {
        self.file.session_key.into()
    }

    pub(super) fn address(&self) -> Address {
        address::session(&self.file.program.into(), &self.file.escrow.into(), &self.session_key())
    }

    pub(super) fn instruction(&self, owner: &Owner) -> solana_sdk::instruction::Instruction {
        build::open_session(
            &owner.program,
            &owner.fee_payer().address(),
            &owner.address(),
            &owner.escrow_address(),
            &self.session_key(),
            &self.limits,
        )
    }

    pub(super) fn to_plan(&self, owner: &Owner) -> Plan {
        Plan::new("Opening the session", vec![self.instruction(owner)]).making(Session::ACCOUNT_BYTES)
    }

    /// Has the key on disk.
    pub(super) fn write(&mut self) -> Result<()> {
        if !self.is_on_disk {
            self.file.create(&self.path)?;
            self.is_on_disk = true;
        }
        Ok(())
    }

    /// Completes the file by what the chain has.
    pub(super) fn complete(&mut self, session: &Session) -> Result<()> {
        if session.receivers_root != self.limits.receivers_root {
            let message = format!("{}: its session is open with other receivers", self.path.display());
            return Err(Problem::new(Code::SessionFileExists, message)
                .of("--receiver")
                .remedy("close it with agent session close, and name another file")
                .into());
        }
        (self.file.incarnation, self.file.expires_at) = (Base58(session.incarnation), session.expires_at);
        Ok(self.file.replace(&self.path)?)
    }
}

/// A file that is of another session, or of one that is open.
pub(super) fn taken(path: &Path) -> Problem {
    let message = format!("{} exists and may hold the only copy of a key", path.display());
    Problem::new(Code::SessionFileExists, message).of("--out").remedy("name another file")
}
