//! Tokens of Token-2022: paid like others, unless the mint keeps something for itself.

use solana_sdk::{
    account::Account as SolanaAccount, program_option::COption, program_pack::Pack, signer::Signer,
};
use spl_token_2022_interface::{
    extension::{
        BaseStateWithExtensionsMut, ExtensionType, PodStateWithExtensionsMut, transfer_fee::TransferFeeConfig,
    },
    pod::{PodCOption, PodMint},
};
use spl_token_interface::state::{Account, AccountState};
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_2022_PROGRAM_ID},
};
use x402_escrow_wire::payment::PaymentRequirements;

use super::wallet::{Draft, assert_refused, body, buyer, draft, requirements, transfer_checked};
use crate::world::{Options, World, keypair};

const MINT: u8 = 50;

fn mint() -> Address {
    keypair(MINT).pubkey()
}

fn put(world: &World, address: Address, data: Vec<u8>) {
    let account = SolanaAccount {
        lamports: 10_000_000,
        data,
        owner: TOKEN_2022_PROGRAM_ID,
        executable: false,
        rent_epoch: 0,
    };
    world.cluster.state().svm.set_account(address, account).unwrap();
}

/// A mint that withholds this fee from transfers, now and from the next epoch on, if any.
fn put_mint(world: &World, fees: Option<[(u16, u64); 2]>) {
    let extensions = fees.map(|_| ExtensionType::TransferFeeConfig);
    let extensions = extensions.as_slice();
    let mut data = vec![0; ExtensionType::try_calculate_account_len::<PodMint>(extensions).unwrap()];
    let mut state = PodStateWithExtensionsMut::<PodMint>::unpack_uninitialized(&mut data).unwrap();
    if let Some([now, next]) = fees {
        let config = state.init_extension::<TransferFeeConfig>(true).unwrap();
        for (fee, (basis_points, maximum)) in
            [(&mut config.older_transfer_fee, now), (&mut config.newer_transfer_fee, next)]
        {
            fee.transfer_fee_basis_points = basis_points.into();
            fee.maximum_fee = maximum.into();
        }
        config.newer_transfer_fee.epoch = 2.into();
    }
    *state.base = PodMint {
        mint_authority: PodCOption::none(),
        decimals: 6,
        is_initialized: true.into(),
        ..*state.base
    };
    if !extensions.is_empty() {
        state.init_account_type().unwrap();
    }
    put(world, mint(), data);
}

fn token_account(owner: Address) -> Address {
    address::associated_token(&owner, &mint(), &TOKEN_2022_PROGRAM_ID)
}

fn put_tokens(world: &World, owner: Address, amount: u64) {
    let account = Account {
        mint: mint(),
        owner,
        amount,
        delegate: COption::None,
        state: AccountState::Initialized,
        is_native: COption::None,
        delegated_amount: 0,
        close_authority: COption::None,
    };
    let mut data = vec![0; Account::LEN];
    account.pack_into_slice(&mut data);
    put(world, token_account(owner), data);
}

fn tokens(world: &World, owner: Address) -> u64 {
    Account::unpack(&world.cluster.state().svm.get_account(&token_account(owner)).unwrap().data)
        .unwrap()
        .amount
}

fn payment(world: &World) -> (PaymentRequirements, Draft) {
    let mut asked = requirements(world, 1000);
    asked.asset = mint().into();
    let mut draft = draft(world, &asked, "nonce");
    let (buyer, merchant) = (buyer().pubkey(), world.merchant());
    let accounts = [token_account(buyer), mint(), token_account(merchant), buyer];
    draft.instructions[2] = transfer_checked(TOKEN_2022_PROGRAM_ID, accounts, 1000);
    (asked, draft)
}

#[tokio::test]
async fn a_token_without_a_fee_is_paid() {
    for fees in [None, Some([(0, 5), (5, 0)])] {
        let world = World::with(Options { mints: &[MINT], ..Options::default() }).await;
        put_mint(&world, fees);
        put_tokens(&world, buyer().pubkey(), 5000);
        put_tokens(&world, world.merchant(), 0);
        let (asked, draft) = payment(&world);
        world.settled(&body(&asked, &draft.signed(&world))).await;
        assert_eq!((tokens(&world, buyer().pubkey()), tokens(&world, world.merchant())), (4000, 1000));
    }
}

#[tokio::test]
async fn a_mint_that_withholds_a_fee_now_or_soon_is_refused() {
    let world = World::with(Options { mints: &[MINT], ..Options::default() }).await;
    put_tokens(&world, buyer().pubkey(), 5000);
    put_tokens(&world, world.merchant(), 0);
    for fees in [[(100, 5), (0, 0)], [(0, 0), (1, 1)]] {
        put_mint(&world, Some(fees));
        let (asked, draft) = payment(&world);
        let body = body(&asked, &draft.signed(&world));
        let code = "invalid_exact_svm_payload_amount_mismatch";
        assert_refused(&world, &body, code, "withholds a fee").await;
        assert_eq!((tokens(&world, buyer().pubkey()), tokens(&world, world.merchant())), (5000, 0));
    }
}

#[tokio::test]
async fn what_is_no_mint_is_named() {
    let world = World::with(Options { mints: &[MINT], ..Options::default() }).await;
    let (asked, draft) = payment(&world);
    let body = body(&asked, &draft.signed(&world));
    assert_refused(&world, &body, "invalid_exact_svm_payload_mint_mismatch", "is no mint").await;
}
