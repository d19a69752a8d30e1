use x402_escrow_interface::{Address, address, address::TOKEN_PROGRAM_ID, receivers::ReceiverList};
use x402_escrow_tests::{
    model::{Model, Rents, TokenAccount},
    program_id,
    svm::{Chain, ESCROW_BYTES, HOLD_BYTES, SESSION_BYTES, TOKEN_ACCOUNT_BYTES},
};

/// What payers and the thief own at the start of each mint, in base units.
const TOKENS: u64 = 1_000_000_000_000;

/// Everybody who takes part.
pub(crate) struct Cast {
    pub(crate) mints: Vec<Address>,
    /// Where escrows are or can be opened. The last one is often closed.
    pub(crate) places: Vec<Place>,
    pub(crate) receivers: Vec<Address>,
    /// Authorizers that are neither receiver nor session key.
    pub(crate) third_parties: Vec<Address>,
    /// The last one has no token account.
    pub(crate) fee_recipients: Vec<Address>,
    /// May become an escrow's guardian.
    pub(crate) guardians: Vec<Address>,
    /// Receivers that a session may be limited to, of one, of two, and of many.
    pub(crate) lists: Vec<ReceiverList>,
    pub(crate) relays: Vec<Address>,
    /// Has tokens, lamports and no rights.
    pub(crate) thief: Address,
    /// All of the above and the session keys.
    pub(crate) wallets: Vec<Address>,
}

/// A payer and a mint, and the keys that may get sessions there.
pub(crate) struct Place {
    pub(crate) payer: Address,
    pub(crate) mint: Address,
    pub(crate) escrow: Address,
    pub(crate) agents: Vec<Address>,
}

impl Cast {
    /// Makes everybody on `chain`, and tells the model.
    pub(crate) fn new(chain: &mut Chain) -> (Self, Model) {
        let mints = vec![chain.create_mint("USDC"), chain.create_mint("EURC")];
        let mut named = |name: &str, count: usize| -> Vec<Address> {
            (0..count).map(|index| chain.key(&format!("{name} {index}"))).collect()
        };
        let payers = named("payer", 4);
        let agents = named("agent", 4);
        let receivers = named("receiver", 3);
        let third_parties = named("third party", 2);
        let fee_recipients = named("fee recipient", 3);
        let guardians = named("guardian", 2);
        let relays = named("relay", 2);
        let thief = named("thief", 1)[0];
        let [usdc, eurc] = mints[..] else { unreachable!("two mints were made") };
        // The first payer has an escrow of each mint, and an agent works for two payers.
        let places = [
            (payers[0], usdc, &agents[..3]),
            (payers[0], eurc, &agents[..2]),
            (payers[1], usdc, &agents[1..]),
            (payers[2], usdc, &agents[2..]),
            (payers[3], usdc, &agents[..1]),
        ]
        .map(|(payer, mint, agents)| Place {
            payer,
            mint,
            escrow: address::escrow(&program_id(), &payer, &mint),
            agents: agents.to_vec(),
        })
        .into();
        let (without_tokens, paid_fees) = fee_recipients.split_last().unwrap();
        let poor = [&agents, &receivers, &third_parties, &relays].map(Clone::clone).concat();
        let poor = [poor, paid_fees.to_vec()].concat();
        let wallets =
            [payers.clone(), vec![thief, *without_tokens], guardians.clone(), poor.clone()].concat();
        let mut model = Model::new(program_id(), rents(chain));
        let lists = lists(&receivers);
        lists.iter().for_each(|list| model.add_list(list.clone()));
        for mint in &mints {
            model.add_mint(*mint, TOKEN_PROGRAM_ID);
        }
        for (owners, amount) in [(payers, TOKENS), (vec![thief], TOKENS), (poor, 0)] {
            for (owner, mint) in owners.iter().flat_map(|owner| mints.iter().map(move |mint| (owner, mint))) {
                let account = chain.fund(owner, mint, amount);
                model.add_tokens(account, TokenAccount { mint: *mint, owner: *owner, amount, frozen: false });
                model.add_wallet(account, chain.lamports(&account));
            }
        }
        for wallet in &wallets {
            model.add_wallet(*wallet, chain.lamports(wallet));
        }
        let cast = Self {
            mints,
            places,
            receivers,
            third_parties,
            fee_recipients,
            guardians,
            lists,
            relays,
            thief,
            wallets,
        };
        (cast, model)
    }

    /// The place of an escrow.
    pub(crate) fn place(&self, escrow: &Address) -> &Place {
        self.places.iter().find(|place| place.escrow == *escrow).unwrap()
    }
}

impl Place {
    /// Where the escrow's tokens are.
    pub(crate) fn vault(&self) -> Address {
        self.tokens_of(&self.escrow)
    }

    /// The token account of `owner` for this place's mint.
    pub(crate) fn tokens_of(&self, owner: &Address) -> Address {
        address::associated_token(owner, &self.mint, &TOKEN_PROGRAM_ID)
    }
}

fn lists(receivers: &[Address]) -> Vec<ReceiverList> {
    let strangers = (0..500_u64).map(|number| {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Address::new_from_array(bytes)
    });
    let many = strangers.chain(receivers.iter().copied()).collect();
    let lists = [receivers[..1].to_vec(), receivers[..2].to_vec(), many];
    lists.map(|receivers| ReceiverList::new(receivers).unwrap()).into()
}

fn rents(chain: &Chain) -> Rents {
    Rents {
        escrow: chain.rent(ESCROW_BYTES),
        session: chain.rent(SESSION_BYTES),
        hold: chain.rent(HOLD_BYTES),
        token_account: chain.rent(TOKEN_ACCOUNT_BYTES),
    }
}
