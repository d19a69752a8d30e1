//! Where an owner's signatures come from: everything that Solana's own command line knows.

use std::path::Path;

use anyhow::{Context, Result};
use clap_v3::{Arg, Command};
use solana_clap_v3_utils::{
    input_parsers::signer::SignerSource,
    keypair::{SKIP_SEED_PHRASE_VALIDATION_ARG, signer_from_source},
};
use solana_sdk::{
    message::Message,
    signature::{Signature, Signer},
};
use x402_escrow_interface::Address;

use crate::problem::{Code, Problem};

/// An owner's key, or its address alone.
pub(crate) enum OwnerKey {
    Signs(Box<dyn Signer>),
    /// It can be looked at, and its transactions can be printed for whoever signs.
    Named(Address),
}

impl OwnerKey {
    /// The signer that `source` names: a keypair file, `usb://ledger`, `prompt://`, `ASK`, `stdin://`, `-`, or an address.
    /// Without one, the keypair file that Solana's command line uses.
    pub(crate) fn open(source: Option<&str>) -> Result<Self> {
        let source = match source {
            Some(source) => source.to_owned(),
            None => default_keypair_file()?,
        };
        if let Ok(address) = source.parse() {
            return Ok(Self::Named(address));
        }
        let unusable = |reason: String| {
            let problem = Problem::new(Code::Signer, format!("{source}: {reason}")).of("--keypair");
            let remedy = if source.starts_with("usb:") {
                "plug the device in, unlock it and open its Solana application; on Linux, install its udev rules"
            } else {
                "name a keypair file, usb://ledger, prompt:// or an address with --keypair, or make a keypair file with \
                 solana-keygen new"
            };
            problem.remedy(remedy)
        };
        let parsed = SignerSource::parse(&source).map_err(|error| unusable(error.to_string()))?;
        // What it looks for among the arguments of a command line of the third clap.
        let skip = Arg::new(SKIP_SEED_PHRASE_VALIDATION_ARG.name).long(SKIP_SEED_PHRASE_VALIDATION_ARG.long);
        let matches = Command::new("agent").arg(skip).get_matches_from(["agent"]);
        let signer = signer_from_source(&matches, &parsed, "owner", &mut None);
        Ok(Self::Signs(signer.map_err(|error| unusable(error.to_string()))?))
    }

    pub(crate) fn address(&self) -> Address {
        match self {
            Self::Signs(signer) => signer.pubkey(),
            Self::Named(address) => *address,
        }
    }

    /// Signs a transaction's message.
    pub(crate) fn sign_transaction(&self, message: &Message) -> Result<Signature> {
        self.sign(&message.serialize())
    }

    /// Signs bytes that are no transaction, which devices don't.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Result<Signature> {
        if let Self::Signs(signer) = self
            && signer.is_interactive()
        {
            return Err(Problem::new(Code::Signer, "a hardware wallet signs transactions only")
                .of("--sign-only")
                .remedy("leave --sign-only and --through out, or name a guardian whose key is in a file")
                .into());
        }
        self.sign(bytes)
    }

    fn sign(&self, bytes: &[u8]) -> Result<Signature> {
        match self {
            Self::Signs(signer) => {
                let signature = signer.try_sign_message(bytes);
                Ok(signature.map_err(|error| {
                    Problem::new(Code::Signer, format!("the signer did not sign: {error}")).of("--keypair").remedy(
                        "a Ledger needs \"blind signing\" allowed in its Solana application: it does not know the escrow \
                         program",
                    )
                })?)
            }
            Self::Named(address) => Err(Problem::new(
                Code::Signer,
                format!("{address} is an address, which can be looked at and can't sign"),
            )
            .of("--keypair")
            .remedy("name its keypair file or usb://ledger; for a multisig, add --dump-transaction")
            .into()),
        }
    }
}

fn default_keypair_file() -> Result<String> {
    let home = std::env::var_os("HOME").context("HOME is not set: name a keypair file with --keypair")?;
    Ok(Path::new(&home).join(".config/solana/id.json").display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_named_and_does_not_sign() {
        let address = Address::new_from_array([7; 32]);
        let key = OwnerKey::open(Some(&address.to_string())).unwrap();
        assert_eq!(key.address(), address);
        let error = key.sign_bytes(b"anything").unwrap_err().to_string();
        assert!(error.contains("can't sign"), "{error}");
    }

    #[test]
    fn a_source_that_is_not_there_is_named_with_its_flag() {
        for source in ["/nowhere/id.json", "usb://ledger", "ftp://x"] {
            let error = OwnerKey::open(Some(source)).err().unwrap().to_string();
            assert!(error.starts_with(&format!("--keypair: {source}: ")), "{error}");
        }
    }
}
