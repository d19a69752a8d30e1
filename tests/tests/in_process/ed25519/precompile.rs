use solana_rpc_client::rpc_client::RpcClient;
use solana_rpc_client_api::config::RpcSimulateTransactionConfig;
use solana_sdk::{
    instruction::{Instruction, InstructionError},
    message::Message,
    signature::Signer,
    transaction::{Transaction, TransactionError},
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_tests::local::Local;

const ID: Address = Address::from_str_const("Ed25519SigVerify111111111111111111111111111");
/// What comes before the key, the signature and the message: their count, padding and one set of offsets.
const HEADER_BYTES: u16 = 16;
/// Stands for the instruction itself where an offset's instruction is named.
const THIS_INSTRUCTION: u16 = u16::MAX;
/// `PrecompileError::InvalidPublicKey` and `PrecompileError::InvalidSignature`; the others are about the layout.
const REFUSALS: [u32; 2] = [0, 2];

/// A validator, whose runtime is asked to simulate transactions of one instruction.
pub(crate) struct Precompile {
    local: Local,
    rpc: RpcClient,
}

impl Precompile {
    pub(crate) fn start() -> Self {
        let local = Local::start(&|_| {}).unwrap();
        let rpc = RpcClient::new(local.rpc_url().to_owned());
        Self { local, rpc }
    }

    pub(crate) fn accepts(&self, key: &Address, message: &[u8], signature: &Signature) -> bool {
        let faucet = self.local.chain.faucet.pubkey();
        let message = Message::new(&[instruction(key, message, signature)], Some(&faucet));
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            ..RpcSimulateTransactionConfig::default()
        };
        let transaction = Transaction::new_unsigned(message);
        let simulated = self.rpc.simulate_transaction_with_config(&transaction, config).unwrap().value;
        match simulated.err.map(TransactionError::from) {
            None => true,
            Some(TransactionError::InstructionError(0, InstructionError::Custom(code)))
                if REFUSALS.contains(&code) =>
            {
                false
            }
            Some(error) => panic!("the precompile was not asked about the signature: {error:?}"),
        }
    }
}

fn instruction(key: &Address, message: &[u8], signature: &Signature) -> Instruction {
    let key_offset = HEADER_BYTES;
    let signature_offset = key_offset + 32;
    let message_offset = signature_offset + 64;
    let message_bytes = u16::try_from(message.len()).unwrap();
    let mut data = vec![1, 0];
    for number in [
        signature_offset,
        THIS_INSTRUCTION,
        key_offset,
        THIS_INSTRUCTION,
        message_offset,
        message_bytes,
        THIS_INSTRUCTION,
    ] {
        data.extend(number.to_le_bytes());
    }
    data.extend(key.as_ref());
    data.extend(signature);
    data.extend(message);
    Instruction { program_id: ID, accounts: Vec::new(), data }
}
