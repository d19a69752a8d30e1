//! What becomes of something that is asked for. Uses nothing of this crate.

/// What becomes of an operation that is asked for and sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is done, or under way, by the operation with this id.
    Before(i64),
    /// It is to be done.
    Begin(Begin),
    /// It is to be done, and not now: too much is to be done for its payment.
    Later {
        /// In how many seconds it may be asked for again.
        seconds: u64,
    },
}

/// By which operation something is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// By a new one.
    New,
    /// By the equal one with this id, which came to nothing and is taken up again.
    Again(i64),
    /// By the one with this id, of which nothing was sent: what it was to do is a part of this.
    Instead(i64),
}
