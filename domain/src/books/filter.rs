//! Which entries are wanted, and where in a list they begin.

use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::Hex32;

use super::Entry;
use crate::payment::Outcome;

/// A place in a list of payments: by when they were accepted (unix seconds), then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the payment was accepted, unix seconds.
    pub accepted_at: i64,
    /// Its id.
    pub id: Digest,
}

impl Place {
    /// Behind every payment.
    pub const END: Self = Self { accepted_at: i64::MAX, id: [0xff; 32] };

    /// Where `entry` is in the list.
    pub fn of(entry: &Entry) -> Self {
        Self { accepted_at: entry.accepted_at, id: entry.id }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}", self.accepted_at, Hex32(self.id))
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = || {
            let (accepted_at, id) = text.split_once('-')?;
            Some(Self { accepted_at: accepted_at.parse().ok()?, id: id.parse::<Hex32>().ok()?.0 })
        };
        place().ok_or_else(|| format!("must be a payment's unix second, a hyphen and its id, is {text:?}"))
    }
}

/// Which payments are wanted. `None` for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Who may sign for the receiver.
    pub receiver_authorizer: Option<Address>,
    /// What they came to.
    pub outcome: Option<Outcome>,
    /// Accepted at or after this, unix seconds.
    pub from: Option<i64>,
    /// Accepted before this, unix seconds.
    pub to: Option<i64>,
    /// The token.
    pub asset: Option<Address>,
    /// Who paid.
    pub payer: Option<Address>,
    /// The resource that the payer signed for.
    pub resource_hash: Option<Digest>,
    /// How the URL starts.
    pub url: Option<String>,
    /// What URL or product contain, whatever the case.
    pub text: Option<String>,
}

impl Filter {
    /// Whether no index finds what is wanted.
    pub fn needs_scan(&self) -> bool {
        let Self { asset, payer, resource_hash, url, text, .. } = self;
        asset.is_some() || payer.is_some() || resource_hash.is_some() || url.is_some() || text.is_some()
    }

    /// Whether `entry` is wanted.
    pub fn matches(&self, entry: &Entry) -> bool {
        let contains = |told: Option<&str>, text: &str| {
            told.is_some_and(|told| told.to_lowercase().contains(&text.to_lowercase()))
        };
        let resource = &entry.resource;
        self.receiver_authorizer.is_none_or(|wanted| wanted == entry.receiver_authorizer)
            && self.outcome.is_none_or(|wanted| wanted == entry.booked.outcome)
            && self.from.is_none_or(|from| entry.accepted_at >= from)
            && self.to.is_none_or(|to| entry.accepted_at < to)
            && self.asset.is_none_or(|wanted| wanted == entry.mint)
            && self.payer.is_none_or(|wanted| wanted == entry.payer)
            && self.resource_hash.is_none_or(|wanted| Some(wanted) == entry.resource_hash)
            && self
                .url
                .as_deref()
                .is_none_or(|start| resource.url.as_deref().is_some_and(|url| url.starts_with(start)))
            && self.text.as_deref().is_none_or(|text| {
                contains(resource.url.as_deref(), text) || contains(resource.product.as_deref(), text)
            })
    }
}
