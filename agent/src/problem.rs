//! Why a command failed: a code, a sentence, the flag it is about, what to do, and whether the same command may work
//! later. `docs/owner.md` lists the codes.

use std::{error::Error, fmt};

use serde_json::{Value, json};

/// How a command ends: the exit code, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It is done; of `fetch`: the server served.
    Done = 0,
    /// It failed; of `fetch`: nothing was signed.
    Failed = 1,
    /// The arguments, or a file they name, can't be read.
    Usage = 2,
    /// A server answered and did not serve. What was signed can still settle for a while.
    Refused = 3,
    /// Something was sent, and nobody knows what became of it.
    Unknown = 4,
    /// The server served, and its answer was cut off.
    Truncated = 5,
    /// A node, a server or a verifier did not answer.
    Unreachable = 6,
    /// The cluster is not what the command needs: another cluster, no program, no escrow, no session.
    Missing = 7,
    /// A balance or a limit does not suffice.
    NotEnough = 8,
    /// It can't be done yet: something has to end first.
    NotYet = 9,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Nothing more is known.
    Failed,
    /// An argument can't be used.
    InvalidArgument,
    /// A file can't be read or written.
    File,
    /// The signer can't be used.
    Signer,
    /// The session file can't be used.
    SessionFile,
    /// A session file exists and is of another session.
    SessionFileExists,
    /// A node did not answer, or said that it can't.
    NodeUnreachable,
    /// A node contradicts itself.
    NodeLies,
    /// The node is of another cluster than a session file.
    WrongCluster,
    /// The cluster does not have the escrow program.
    ProgramMissing,
    /// The mint is none, or another one than the escrow's.
    WrongMint,
    /// The owner has no escrow of the mint.
    EscrowNotFound,
    /// The escrow is open already.
    EscrowExists,
    /// The escrow has sessions.
    EscrowHasSessions,
    /// There is no session of the key.
    SessionNotFound,
    /// The session was closed and opened again.
    IncarnationMismatch,
    /// The session has holds that are not over.
    SessionHasHolds,
    /// The SOL does not suffice for rent and fees.
    InsufficientSol,
    /// The tokens do not suffice.
    InsufficientFunds,
    /// A limit of the agent's own, or what the server wants, is above it.
    LimitReached,
    /// The session authorizes nothing any more.
    SessionExpired,
    /// A transaction was refused.
    TransactionRefused,
    /// A transaction was sent, and was not seen confirmed.
    NotConfirmed,
    /// A verifier did not answer.
    VerifierUnreachable,
    /// A verifier answered with an error.
    VerifierRefused,
    /// There is no such purchase.
    NoSuchPurchase,
}

impl Code {
    /// For machines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::InvalidArgument => "invalid_argument",
            Self::File => "file",
            Self::Signer => "signer",
            Self::SessionFile => "session_file",
            Self::SessionFileExists => "session_file_exists",
            Self::NodeUnreachable => "chain_unavailable",
            Self::NodeLies => "node_contradicts_itself",
            Self::WrongCluster => "wrong_cluster",
            Self::ProgramMissing => "program_missing",
            Self::WrongMint => "wrong_mint",
            Self::EscrowNotFound => "escrow_not_found",
            Self::EscrowExists => "escrow_exists",
            Self::EscrowHasSessions => "escrow_has_sessions",
            Self::SessionNotFound => "session_not_found",
            Self::IncarnationMismatch => "incarnation_mismatch",
            Self::SessionHasHolds => "session_has_holds",
            Self::InsufficientSol => "insufficient_sol",
            Self::InsufficientFunds => "insufficient_funds",
            Self::LimitReached => "limit_reached",
            Self::SessionExpired => "session_expired",
            Self::TransactionRefused => "transaction_refused",
            Self::NotConfirmed => "not_confirmed",
            Self::VerifierUnreachable => "unreachable",
            Self::VerifierRefused => "verifier_refused",
            Self::NoSuchPurchase => "no_such_key",
        }
    }

    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::InvalidArgument | Self::File | Self::SessionFileExists => Exit::Usage,
            Self::Failed
            | Self::Signer
            | Self::SessionFile
            | Self::EscrowExists
            | Self::NodeLies
            | Self::TransactionRefused
            | Self::NoSuchPurchase => Exit::Failed,
            Self::NodeUnreachable | Self::VerifierUnreachable => Exit::Unreachable,
            Self::VerifierRefused => Exit::Refused,
            Self::WrongCluster
            | Self::SessionExpired
            | Self::ProgramMissing
            | Self::WrongMint
            | Self::EscrowNotFound
            | Self::SessionNotFound
            | Self::IncarnationMismatch => Exit::Missing,
            Self::InsufficientSol | Self::InsufficientFunds | Self::LimitReached => Exit::NotEnough,
            Self::SessionHasHolds | Self::EscrowHasSessions => Exit::NotYet,
            Self::NotConfirmed => Exit::Unknown,
        }
    }

    /// Whether the same command may work later, without anything being changed.
    fn is_worth_retrying(self) -> bool {
        matches!(self, Self::NodeUnreachable | Self::VerifierUnreachable | Self::SessionHasHolds)
    }
}

/// A problem, as a person and a script are told of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    code: Code,
    /// A more exact code than that of the kind.
    name: Option<String>,
    message: String,
    field: Option<&'static str>,
    remedy: Option<String>,
    retry: bool,
    details: Option<Box<Value>>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let (name, field, remedy, details) = (None, None, None, None);
        Self { code, name, message: message.into(), field, remedy, retry: code.is_worth_retrying(), details }
    }

    /// An argument that can't be used.
    pub(crate) fn argument(field: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message).of(field)
    }

    /// Names the flag that it is about.
    #[must_use]
    pub(crate) fn of(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Says what to do.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Gives a more exact code.
    #[must_use]
    pub(crate) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says whether the same command may work later.
    #[must_use]
    pub(crate) fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// Adds members for machines.
    #[must_use]
    pub(crate) fn details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.code.exit()
    }

    /// For machines; the message is `told`, which may say where it happened.
    pub(crate) fn object(&self, told: &str) -> Value {
        let mut object = json!({
            "code": self.name.as_deref().unwrap_or(self.code.name()),
            "message": told,
            "field": self.field,
            "remedy": self.remedy,
            "retry": self.retry,
        });
        if let Some(Value::Object(details)) = self.details.as_deref() {
            for (name, value) in details {
                object[name] = value.clone();
            }
        }
        object
    }

    /// What to do, if anything is known.
    pub(crate) fn what_to_do(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(formatter, "{field}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

impl Error for Problem {}

/// `SessionHasHolds` as `session_has_holds`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests;
