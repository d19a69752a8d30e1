//! Mints of Token-2022: those that behave like USDC's are served, those that would break the accounting are refused.

use solana_sdk::instruction::Instruction;
use spl_token_2022_interface::{
    extension::{
        ExtensionType::{self, *},
        confidential_mint_burn, confidential_transfer, confidential_transfer_fee, default_account_state,
        group_member_pointer, group_pointer, interest_bearing_mint, metadata_pointer, pausable,
        scaled_ui_amount, transfer_fee, transfer_hook,
    },
    instruction as token,
    state::AccountState,
};
use x402_escrow_interface::{
    Address,
    address::TOKEN_2022_PROGRAM_ID as TOKEN_2022,
    error::EscrowError,
    instruction,
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::{
    program_id,
    svm::{Chain, World, usdc},
};

/// Where Token-2022 puts a mint's first extension: behind the token account's length and the account's type.
const FIRST_EXTENSION: usize = 166;

#[test]
fn every_movement_of_tokens_works_with_a_plain_mint() {
    let mut world = world_with(&[]).and_escrow().and_session_of(World::limits());
    every_movement(&mut world);
}

#[test]
fn every_movement_of_tokens_works_with_harmless_extensions() {
    let harmless = [MetadataPointer, GroupPointer, GroupMemberPointer, InterestBearingConfig, ScaledUiAmount];
    // Interest and scale exclude each other.
    for left_out in [InterestBearingConfig, ScaledUiAmount] {
        let extensions: Vec<_> = harmless.into_iter().filter(|extension| *extension != left_out).collect();
        let mut world = world_with(&extensions).and_escrow().and_session_of(World::limits());
        every_movement(&mut world);
    }
}

#[test]
fn extensions_that_would_break_the_accounting_are_refused_by_name() {
    for (extensions, error) in [
        (&[TransferFeeConfig][..], EscrowError::MintHasTransferFee),
        (&[TransferHook], EscrowError::MintHasTransferHook),
        (&[PermanentDelegate], EscrowError::MintHasPermanentDelegate),
        (&[DefaultAccountState], EscrowError::MintFreezesNewAccounts),
        (&[NonTransferable], EscrowError::MintIsNonTransferable),
        (&[ConfidentialTransferMint], EscrowError::MintIsConfidential),
        (&[ConfidentialTransferMint, ConfidentialMintBurn], EscrowError::MintIsConfidential),
        (&[MintCloseAuthority], EscrowError::MintCanBeClosed),
        (&[Pausable], EscrowError::MintIsPausable),
    ] {
        refused_at_opening(extensions, error);
    }
}

#[test]
fn refused_extension_behind_harmless_ones_is_found() {
    let extensions = [MetadataPointer, GroupPointer, ScaledUiAmount, PermanentDelegate];
    refused_at_opening(&extensions, EscrowError::MintHasPermanentDelegate);
}

#[test]
fn confidential_fees_are_refused() {
    // A mint needs two other refused extensions for these, which come first: they are cut out of the account.
    let extensions = [TransferFeeConfig, ConfidentialTransferMint, ConfidentialTransferFeeConfig];
    refused_at_opening_after(&extensions, EscrowError::MintIsConfidential, |data| {
        let mut extension = FIRST_EXTENSION;
        for _ in 0..2 {
            extension += 4 + usize::from(u16::from_le_bytes([data[extension + 2], data[extension + 3]]));
        }
        data.drain(FIRST_EXTENSION..extension);
    });
}

#[test]
fn unknown_extension_is_refused() {
    for kind in [28_u16, 29, 0x7FFF, u16::MAX] {
        refused_at_opening_after(&[MetadataPointer], EscrowError::UnsupportedMintExtension, |data| {
            data[FIRST_EXTENSION..][..2].copy_from_slice(&kind.to_le_bytes());
        });
    }
}

/// PayPal USD as it is on mainnet: `2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo`.
#[test]
fn pyusd_is_refused() {
    let pyusd = [
        MintCloseAuthority,
        PermanentDelegate,
        TransferFeeConfig,
        ConfidentialTransferMint,
        ConfidentialTransferFeeConfig,
        TransferHook,
        MetadataPointer,
    ];
    refused_at_opening(&pyusd, EscrowError::MintCanBeClosed);
}

/// Deposits, syncs, captures with a fee, releases, refunds, charges, withdraws and closes the escrow, which pays the rest.
#[track_caller]
fn every_movement(world: &mut World) {
    let vault = world.escrow().vault;
    world.chain.transfer(&world.token_account(&world.stranger), &vault, usdc(5));
    world.succeed(&[world.sync()]);

    let held = world.intent();
    world.succeed(&[world.authorize(&held)]);
    let capture = Capture { fee: 40_000, ..world.capture_message(&held, usdc(4)) };
    world.succeed(&[world.capture_as(&held, &capture)]);
    world.succeed(&[world.void(&held, usdc(4))]);
    world.succeed(&[world.refund(&held, usdc(1))]);

    let charged = Intent { nonce: 2, flow: PaymentFlow::Authorization, ..world.intent() };
    world.succeed(&[world.charge(&charged)]);
    assert_eq!(world.tokens(&world.receiver), usdc(4) - 40_000 - usdc(1) + usdc(10));
    assert_eq!(world.tokens(&world.fee_recipient), 40_000);

    let balance = world.escrow().balance;
    assert_eq!(balance, World::DEPOSIT + usdc(5) - usdc(4) + usdc(1) - usdc(10));
    let before = world.tokens(&world.payer);
    world.succeed(&[world.withdraw(Some(usdc(30))), world.close_session(), world.close_escrow()]);
    assert_eq!(world.tokens(&world.payer), before + balance);
    assert_eq!(world.chain.data(&vault), None);
}

#[track_caller]
fn refused_at_opening(extensions: &[ExtensionType], error: EscrowError) {
    refused_at_opening_after(extensions, error, |_| ());
}

/// The mint's data is changed after the vault was made, which Token-2022 makes of no mint that it can't read.
#[track_caller]
fn refused_at_opening_after(
    extensions: &[ExtensionType],
    error: EscrowError,
    change: impl FnOnce(&mut Vec<u8>),
) {
    let mut chain = Chain::new("the cluster");
    let mint = extended_mint(&mut chain, extensions);
    let (relay, payer) = (chain.key("relay"), chain.key("payer"));
    let mut instructions = instruction::open_escrow(&program_id(), &relay, &payer, &mint, &TOKEN_2022);
    let open = instructions.pop().expect("the vault's creation and the opening");
    chain.succeed(&instructions);
    chain.rewrite(&mint, change);
    chain.refuse(&[open], error);
}

fn world_with(extensions: &[ExtensionType]) -> World {
    let mut chain = Chain::new("the cluster");
    let mint = extended_mint(&mut chain, extensions);
    World::of(chain, mint)
}

fn extended_mint(chain: &mut Chain, extensions: &[ExtensionType]) -> Address {
    chain.create_extended_mint("mint", extensions, |mint| {
        extensions.iter().map(|extension| initialize(*extension, mint)).collect()
    })
}

/// As PYUSD's issuer set its extensions up: no transfer fee, no hook's program, accounts that start thawed.
fn initialize(extension: ExtensionType, mint: &Address) -> Instruction {
    let authority = Address::new_from_array([7; 32]);
    let some = Some(authority);
    let instruction = match extension {
        TransferFeeConfig => transfer_fee::instruction::initialize_transfer_fee_config(
            &TOKEN_2022,
            mint,
            Some(&authority),
            Some(&authority),
            0,
            0,
        ),
        TransferHook => transfer_hook::instruction::initialize(&TOKEN_2022, mint, some, None),
        PermanentDelegate => token::initialize_permanent_delegate(&TOKEN_2022, mint, &authority),
        DefaultAccountState => default_account_state::instruction::initialize_default_account_state(
            &TOKEN_2022,
            mint,
            &AccountState::Initialized,
        ),
        NonTransferable => token::initialize_non_transferable_mint(&TOKEN_2022, mint),
        ConfidentialTransferMint => {
            confidential_transfer::instruction::initialize_mint(&TOKEN_2022, mint, some, false, None)
        }
        ConfidentialTransferFeeConfig => {
            confidential_transfer_fee::instruction::initialize_confidential_transfer_fee_config(
                &TOKEN_2022,
                mint,
                some,
                &Default::default(),
            )
        }
        ConfidentialMintBurn => confidential_mint_burn::instruction::initialize_mint(
            &TOKEN_2022,
            mint,
            &Default::default(),
            &Default::default(),
        ),
        MintCloseAuthority => token::initialize_mint_close_authority(&TOKEN_2022, mint, Some(&authority)),
        Pausable => pausable::instruction::initialize(&TOKEN_2022, mint, &authority),
        MetadataPointer => metadata_pointer::instruction::initialize(&TOKEN_2022, mint, some, Some(*mint)),
        GroupPointer => group_pointer::instruction::initialize(&TOKEN_2022, mint, some, Some(*mint)),
        GroupMemberPointer => {
            group_member_pointer::instruction::initialize(&TOKEN_2022, mint, some, Some(*mint))
        }
        InterestBearingConfig => interest_bearing_mint::instruction::initialize(&TOKEN_2022, mint, some, 500),
        ScaledUiAmount => scaled_ui_amount::instruction::initialize(&TOKEN_2022, mint, some, 1.5),
        other => panic!("{other:?} is not an extension of these tests"),
    };
    instruction.expect("the builders only check the program's address")
}
