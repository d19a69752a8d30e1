//! What was measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One measurement: more is better.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// How many a second.
    pub per_second: f64,
    /// How long half of the answers took at most, in milliseconds; none where nothing answers.
    pub median_milliseconds: Option<f64>,
    /// The same of 99 in 100.
    pub slowest_of_hundred_milliseconds: Option<f64>,
}

impl Measured {
    /// A rate of something that nothing answers.
    pub fn rate(per_second: f64) -> Self {
        Self { per_second, median_milliseconds: None, slowest_of_hundred_milliseconds: None }
    }

    /// Summarises answers: how long each took, and in how much time all of them came.
    pub fn of(mut answered: Vec<Duration>, elapsed: Duration) -> Self {
        answered.sort();
        let milliseconds = |share: usize| {
            let last = answered.len().checked_sub(1)?;
            Some(answered[last * share / 100].as_secs_f64() * 1000.0)
        };
        Self {
            per_second: answered.len() as f64 / elapsed.as_secs_f64(),
            median_milliseconds: milliseconds(50),
            slowest_of_hundred_milliseconds: milliseconds(99),
        }
    }
}

/// Two measurements of the same length, one after the other: a round.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// What is measured.
    pub subject: Measured,
    /// What it is compared with.
    pub compared: Measured,
}

impl Round {
    /// How much of what it is compared with the subject reaches.
    pub fn ratio(&self) -> f64 {
        self.subject.per_second / self.compared.per_second
    }
}
