//! States what a route asks for. Uses the configuration and the price; no I/O, time is a field.

use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{
        AUTHORIZATION_FLOW, CaptureAuthorizer, ESCROW_FLOW, Extra, Level, SCHEME, origin,
        stream_resource_hash,
    },
    bazaar::{self, DISCOVERABLE},
    payment::{PaymentRequired, PaymentRequirements, ResourceInfo},
    payment_identifier::{self, EXTENSION, EXTRA},
    text::{Decimal, Hex32},
};

use crate::{config::MerchantConfig, facilitator::Support, listing::Listing, price::Price};

/// Everything that the terms of one request follow from.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The merchant.
    pub(crate) config: &'a MerchantConfig,
    /// Its public URL, normalised.
    pub(crate) base: &'a str,
    /// What its facilitator supports.
    pub(crate) support: &'a Support,
    /// What the route costs.
    pub(crate) price: &'a Price,
    /// Absolute URL of the request.
    pub(crate) url: &'a str,
    /// What catalogues are told of the route, if anything.
    pub(crate) listing: Option<&'a Listing>,
    /// Hash of the request.
    pub(crate) resource_hash: [u8; 32],
    /// The present, in unix seconds.
    pub(crate) now: i64,
}

impl Terms<'_> {
    /// The way to pay for this request.
    pub(crate) fn requirements(&self) -> PaymentRequirements {
        let Terms { config, support, price, .. } = self;
        let authorizer = config.authorizer_key();
        let capture_deadline = self.now.saturating_add(config.capture_window_seconds);
        let refund_window_seconds = price.refund_window_seconds.unwrap_or(config.refund_window_seconds);
        let refund_deadline = match refund_window_seconds {
            0 => 0,
            seconds => capture_deadline.saturating_add(seconds.into()),
        };
        let extra = Extra {
            payment_flow: if price.is_charged() { AUTHORIZATION_FLOW } else { ESCROW_FLOW }.to_owned(),
            capture_mode: None,
            program: support.program,
            fee_payer: support.fee_payer,
            capture_authorizer: match price.hold {
                Some(_) => CaptureAuthorizer::SessionKey,
                None => CaptureAuthorizer::Key(authorizer),
            },
            request_price: price.hold.map(|_| Decimal(price.amount)),
            receiver_authorizer: authorizer,
            capture_deadline,
            refund_deadline,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32(match price.hold {
                Some(_) => stream_resource_hash(origin(self.base)),
                None => self.resource_hash,
            }),
            commitment: price.commitment.map(Level::from),
        };
        let mut extra = extra.to_map();
        if let Some(offer) = price.identified {
            extra.insert(EXTRA.to_owned(), json!(offer));
        }
        if !price.listed {
            extra.insert(DISCOVERABLE.to_owned(), json!(false));
        }
        PaymentRequirements {
            scheme: SCHEME.to_owned(),
            network: support.network.clone(),
            amount: Decimal(price.hold.unwrap_or(price.amount)),
            asset: config.asset,
            pay_to: config.pay_to,
            max_timeout_seconds: config.maximum_timeout_seconds,
            extra,
        }
    }

    /// The challenge for this request.
    pub(crate) fn challenge(&self, error: &str) -> PaymentRequired {
        PaymentRequired {
            x402_version: X402_VERSION,
            error: Some(error.to_owned()),
            resource: ResourceInfo {
                url: self.url.to_owned(),
                description: self.price.description.clone(),
                mime_type: self.price.mime_type.clone(),
                ..ResourceInfo::default()
            },
            accepts: vec![serde_json::to_value(self.requirements()).unwrap_or(Value::Null)],
            extensions: self.extensions(self.price.identified.map(|offer| {
                Map::from_iter([(EXTENSION.to_owned(), payment_identifier::declaration(offer))])
            })),
        }
    }

    /// What the facilitator is told of the route, if anything. Of the request it is told no more than the
    /// hash.
    pub(crate) fn listed(&self) -> Option<ResourceInfo> {
        self.listing.map(|listing| ResourceInfo {
            url: listing.url.clone(),
            description: self.price.description.clone(),
            mime_type: self.price.mime_type.clone(),
            ..ResourceInfo::default()
        })
    }

    /// `others`, and what is declared of the route.
    pub(crate) fn extensions(&self, others: Option<Map<String, Value>>) -> Option<Map<String, Value>> {
        let Some(listing) = self.listing else { return others };
        let mut extensions = others.unwrap_or_default();
        extensions.insert(bazaar::EXTENSION.to_owned(), listing.declaration.clone());
        Some(extensions)
    }
}
