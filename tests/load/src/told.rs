//! What callers were told.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use crate::connection::is_yes;

/// The answers to callers, each with what it was about.
pub(crate) struct Told<T> {
    /// What was answered yes.
    pub(crate) accepted: Vec<T>,
    /// How long each yes took that came while it was measured.
    pub(crate) answered: Vec<Duration>,
    refused: Vec<String>,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self { accepted: Vec::new(), answered: Vec::new(), refused: Vec::new() }
    }
}

impl<T> Told<T> {
    /// Notes an answer that came now to what was asked at `asked`. `measured` is when answers count.
    pub(crate) fn note(&mut self, about: T, answer: &[u8], asked: Instant, measured: &Range<Instant>) {
        let now = Instant::now();
        if !is_yes(answer) {
            return self.refused.push(String::from_utf8_lossy(answer).into_owned());
        }
        self.accepted.push(about);
        if measured.contains(&now) {
            self.answered.push(now - asked);
        }
    }

    /// Adds what another caller was told.
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.answered.extend(other.answered);
        self.refused.extend(other.refused);
    }

    /// How many were answered no, with one of the answers.
    pub(crate) fn refused(&self) -> (usize, Option<String>) {
        (self.refused.len(), self.refused.last().cloned())
    }
}
