//! Buyers and sellers of several tokens.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use solana_sdk::signer::{Signer as _, keypair::Keypair};
use spl_token_interface::state::AccountState;
use x402_escrow_interface::{Address, account::Session, address};
use x402_escrow_wire::{
    auth_capture::{
        CaptureAuthorizer, ChargeCapture, Extra, IntentPayload, LifecyclePayload, stream_resource_hash,
    },
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use crate::{
    gather::{short, store_all},
    stream::signed as voucher,
    world::{FUNDS, Options, World, envelope, keypair, program, signing_key},
};

pub(super) const HOLD: u64 = 1000;
/// A tenth of what is captured may go to the fee recipient.
pub(super) const MAXIMUM_FEE_BPS: u16 = 1000;

/// An escrow, and the session that spends it.
pub(super) struct Buyer {
    pub(super) payer: Keypair,
    pub(super) mint: Address,
    pub(super) escrow: Address,
    /// Seed of the session's key.
    pub(super) session: u8,
}

/// Who is paid, who signs captures and releases, and who gets the fee.
pub(super) struct Seller {
    pub(super) key: SigningKey,
    pub(super) address: Address,
    pub(super) fee_recipient: Address,
}

/// How a payment ends.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// All but what is captured is released.
    Captured {
        amount: u64,
    },
    /// The session key's voucher is captured, a fee is taken, and the receiver releases the rest: the longest that there is.
    Closed {
        amount: u64,
        fee: u64,
    },
    Voided,
    /// It is no hold: the seller has this charged at once.
    Charged {
        amount: u64,
    },
}

pub(super) struct Sale {
    pub(super) buyer: usize,
    pub(super) seller: usize,
    pub(super) ending: Ending,
    pub(super) id: Hex32,
}

pub(super) struct Market {
    pub(super) world: World,
    pub(super) buyers: Vec<Buyer>,
    pub(super) sellers: Vec<Seller>,
    pub(super) sales: Vec<Sale>,
}

/// Seeds of the tokens there can be.
pub(super) const MINTS: [u8; 12] = [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111];

impl Market {
    /// Each buyer has an escrow of [`FUNDS`]; they share `mints` tokens. Everybody can be paid in each.
    pub(super) async fn open(buyers: u8, mints: u8, sellers: u8) -> Self {
        Self::with(Options::default(), buyers, mints, sellers).await
    }

    pub(super) async fn with(options: Options, buyers: u8, mints: u8, sellers: u8) -> Self {
        let world = World::with(Options { mints: &MINTS, ..options }).await;
        let mint = |index: u8| keypair(100 + index % mints).pubkey();
        let sellers: Vec<_> = (0..sellers)
            .map(|index| Seller {
                key: signing_key(140 + index),
                address: keypair(140 + index).pubkey(),
                fee_recipient: keypair(180 + index).pubkey(),
            })
            .collect();
        for mint in (0..mints).map(mint) {
            world.create_mint(mint);
            for owner in sellers.iter().flat_map(|seller| [seller.address, seller.fee_recipient]) {
                world.set_token_account_of(mint, owner, AccountState::Initialized, 0);
            }
        }
        let buyers = (0..buyers).map(|index| {
            let (payer, mint) = (keypair(20 + index), mint(index));
            let escrow = address::escrow(&program(), &payer.pubkey(), &mint);
            world.open_escrow(&payer, mint);
            let session = 60 + index;
            world.open_session_of(&payer, &escrow, &keypair(session).pubkey(), world.wide_limits());
            Buyer { payer, mint, escrow, session }
        });
        let buyers = buyers.collect();
        Self { world, buyers, sellers, sales: Vec::new() }
    }

    /// What `sale`'s seller asks for.
    pub(super) fn terms(&self, sale: &Sale) -> PaymentRequirements {
        let seller = &self.sellers[sale.seller];
        let mut terms = self.world.requirements(HOLD);
        terms.asset = self.buyers[sale.buyer].mint.into();
        terms.pay_to = seller.address.into();
        let mut extra = Extra::read(&terms).unwrap();
        extra.capture_authorizer = CaptureAuthorizer::Key(seller.address.into());
        extra.receiver_authorizer = seller.address.into();
        extra.fee_recipient = Some(seller.fee_recipient.into());
        extra.max_fee_bps = MAXIMUM_FEE_BPS;
        if let Ending::Charged { .. } = sale.ending {
            extra.payment_flow = "authorization".to_owned();
        }
        if let Ending::Closed { amount, .. } = sale.ending {
            extra.capture_authorizer = CaptureAuthorizer::SessionKey;
            extra.request_price = Some(Decimal(amount));
            extra.resource_hash = Hex32(stream_resource_hash("https://shop.test"));
        }
        terms.extra = extra.to_map();
        terms
    }

    /// Has a payment held that is going to end so.
    pub(super) async fn hold(&mut self, buyer: usize, seller: usize, ending: Ending) {
        let body = self.order(buyer, seller, ending);
        self.world.settled(&body).await;
    }

    /// The request for a payment that is going to end so.
    pub(super) fn order(&mut self, buyer: usize, seller: usize, ending: Ending) -> Value {
        let mut sale = Sale { buyer, seller, ending, id: Hex32([0; 32]) };
        let (terms, Buyer { escrow, session, .. }) = (self.terms(&sale), &self.buyers[buyer]);
        let key = keypair(*session).pubkey();
        let mut payload = IntentPayload {
            escrow: (*escrow).into(),
            session_key: key.into(),
            incarnation: Base58(self.session(escrow, &key).incarnation),
            nonce: Decimal(self.sales.len() as u64 + 1),
            authorize_by: self.world.cluster.now() + 60,
            receiver_proof: Vec::new(),
            signature: None,
            voucher: None,
            capture: None,
        };
        let intent = payload.intent(&terms, &Extra::read(&terms).unwrap());
        payload.signature = Some(Base58(signing_key(*session).sign(&intent.signed_bytes()).to_bytes()));
        sale.id = Hex32(intent.digest());
        if let Ending::Closed { amount, fee } = ending {
            payload.voucher = Some(voucher(sale.id, amount, fee, *session));
        }
        if let Ending::Charged { amount } = ending {
            let unsigned = Base58([0; 64]);
            let capture =
                ChargeCapture { amount: Decimal(amount), fee: Decimal(0), last: true, signature: unsigned };
            let signed = capture.capture(sale.id.0).signed_bytes();
            let signature = Base58(self.sellers[seller].key.sign(&signed).to_bytes());
            payload.capture = Some(ChargeCapture { signature, ..capture });
        }
        self.sales.push(sale);
        envelope(&terms, json!(payload))
    }

    pub(super) fn session(&self, escrow: &Address, key: &Address) -> Session {
        let address = address::session(&program(), escrow, key);
        Session::decode(&self.world.cluster.state().svm.get_account(&address).unwrap().data).unwrap()
    }

    /// The seller's request that ends the payment.
    pub(super) fn ending(&self, sale: &Sale) -> Value {
        let (payment_id, empty) = (sale.id, Base58([0; 64]));
        let payload = match sale.ending {
            Ending::Captured { amount } => LifecyclePayload::Capture {
                payment_id,
                amount: Decimal(amount),
                fee: Decimal(0),
                last: true,
                signature: empty,
            },
            Ending::Closed { amount, .. } => {
                LifecyclePayload::Close { payment_id, amount: Decimal(amount), signature: empty }
            }
            Ending::Voided => LifecyclePayload::Void { payment_id, amount: Decimal(0), signature: empty },
            Ending::Charged { .. } => panic!("a charge is over at once"),
        };
        let by = Base58(self.sellers[sale.seller].key.sign(&payload.signed_bytes()).to_bytes());
        envelope(&self.terms(sale), json!(payload.with_signature(by)))
    }

    /// Has all payments end at once: all of that is stored while nothing is sent, and then goes. Returns, by transaction,
    /// how many it ended.
    pub(super) async fn end_all(&mut self) -> BTreeMap<String, usize> {
        let endings: Vec<_> = self.sales.iter().map(|sale| self.ending(sale)).collect();
        store_all(&mut self.world, &endings).await;
        self.world.restart(short()).await;
        let mut carried = BTreeMap::new();
        for sale in &self.sales {
            let payment = self.world.until(sale.id, |payment| payment["state"] == "ended").await;
            let transactions = payment["transactions"].as_array().unwrap();
            assert_eq!(transactions.len(), 2, "{payment}");
            *carried.entry(transactions[1]["signature"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        carried
    }

    /// Every base unit is where the endings say.
    #[track_caller]
    pub(super) fn assert_books(&self) {
        let mut expected: BTreeMap<(Address, Address), u64> = BTreeMap::new();
        let mut spent = vec![0; self.buyers.len()];
        for Sale { buyer, seller, ending, .. } in &self.sales {
            let (amount, fee) = match *ending {
                Ending::Captured { amount } | Ending::Charged { amount } => (amount, 0),
                Ending::Closed { amount, fee } => (amount, fee),
                Ending::Voided => (0, 0),
            };
            let (mint, seller) = (self.buyers[*buyer].mint, &self.sellers[*seller]);
            *expected.entry((mint, seller.address)).or_default() += amount - fee;
            *expected.entry((mint, seller.fee_recipient)).or_default() += fee;
            spent[*buyer] += amount;
        }
        for ((mint, owner), amount) in expected {
            assert_eq!(self.world.tokens_of(mint, owner), amount, "{owner} in {mint}");
        }
        for (Buyer { payer, mint, escrow, .. }, spent) in self.buyers.iter().zip(spent) {
            let account = self.world.escrow_account_at(escrow);
            assert_eq!((account.balance, account.held), (FUNDS - spent, 0), "of {}", payer.pubkey());
            assert_eq!(self.world.tokens_of(*mint, *escrow), FUNDS - spent, "vault");
        }
    }

    /// The longest transaction since `sent` were sent, in bytes.
    pub(super) fn longest(&self, sent: usize) -> usize {
        self.world.cluster.state().lengths[sent..].iter().copied().max().unwrap()
    }
}
