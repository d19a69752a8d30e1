//! What was measured.

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
