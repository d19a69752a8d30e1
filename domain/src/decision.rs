//! What becomes of something that is asked for. Uses nothing of this crate.

/// What becomes of an operation that is asked for and sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is done, or under way, by the operation with this id.
    Before(i64),
    /// It is to be done; by the operation with this id, where one came to nothing that can be taken up again.
    New(Option<i64>),
}
