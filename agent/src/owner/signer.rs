//! Where an owner's signatures come from: everything that Solana's own command line knows.

use anyhow::Result;
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

use super::Defaults;
use crate::problem::{Code, Problem};

/// An owner's key, or a fee payer's; or its address alone.
pub(crate) struct OwnerKey {
    /// The flag that names it.
    pub(crate) flag: &'static str,
    address: Address,
    /// Without one it can be looked at, and its transactions can be printed for whoever signs.
    signer: Option<Box<dyn Signer>>,
}

impl OwnerKey {
    /// The owner's signer; by default the one that Solana's own command line uses.
    pub(crate) fn of_owner(source: Option<&str>) -> Result<Self> {
        match source {
            Some(source) => Self::open("--keypair", source),
            None => Self::open("--keypair", &Defaults::read()?.keypair),
        }
    }

    /// The signer that `source` names: a keypair file, `usb://ledger`, `prompt://`, `ASK`, `stdin://`, `-`, or an address.
    pub(crate) fn open(flag: &'static str, source: &str) -> Result<Self> {
        if let Ok(address) = source.parse() {
            return Ok(Self { flag, address, signer: None });
        }
        let unusable = |reason: String| {
            let problem = Problem::new(Code::Signer, format!("{source}: {reason}")).of(flag);
            problem.remedy(if source.starts_with("usb:") {
                "plug the device in, unlock it and open its Solana application; on Linux, install its udev rules".into()
            } else {
                format!(
                    "name a keypair file, usb://ledger, prompt:// or an address with {flag}, or make a keypair file with \
                     solana-keygen new"
                )
            })
        };
        let parsed = SignerSource::parse(source).map_err(|error| unusable(error.to_string()))?;
        // What it looks for among the arguments of a command line of the third clap.
        let skip = Arg::new(SKIP_SEED_PHRASE_VALIDATION_ARG.name).long(SKIP_SEED_PHRASE_VALIDATION_ARG.long);
        let matches = Command::new("agent").arg(skip).get_matches_from(["agent"]);
        let name = flag.trim_start_matches('-');
        let signer = signer_from_source(&matches, &parsed, name, &mut None);
        let signer = signer.map_err(|error| unusable(error.to_string()))?;
        Ok(Self { flag, address: signer.pubkey(), signer: Some(signer) })
    }

    pub(crate) const fn address(&self) -> Address {
        self.address
    }

    /// Signs a transaction's message.
    pub(crate) fn sign_transaction(&self, message: &Message) -> Result<Signature> {
        self.sign(&message.serialize())
    }

    /// Signs bytes that are no transaction, which devices don't.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Result<Signature> {
        if self.signer.as_ref().is_some_and(|signer| signer.is_interactive()) {
            return Err(Problem::new(Code::Signer, "a hardware wallet signs transactions only")
                .of("--sign-only")
                .remedy("leave --sign-only and --through out, or name a guardian whose key is in a file")
                .into());
        }
        self.sign(bytes)
    }

    fn sign(&self, bytes: &[u8]) -> Result<Signature> {
        let problem =
            |message: String, remedy: &str| Problem::new(Code::Signer, message).of(self.flag).remedy(remedy);
        let Some(signer) = &self.signer else {
            let message = format!("{} is only an address, which can't sign", self.address);
            let remedy = "name its keypair file or usb://ledger; for a multisig, add --dump-transaction";
            return Err(problem(message, remedy).into());
        };
        Ok(signer.try_sign_message(bytes).map_err(|error| {
            let remedy = "a Ledger needs \"blind signing\" allowed in its Solana application: it does not know the escrow \
                          program";
            problem(format!("the signer did not sign: {error}"), remedy)
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_named_and_does_not_sign() {
        let address = Address::new_from_array([7; 32]);
        let key = OwnerKey::of_owner(Some(&address.to_string())).unwrap();
        assert_eq!(key.address(), address);
        let error = key.sign_bytes(b"anything").unwrap_err().to_string();
        assert!(error.contains("can't sign"), "{error}");
    }

    #[test]
    fn a_source_that_is_not_there_is_named_with_its_flag() {
        for source in ["/nowhere/id.json", "usb://ledger", "ftp://x"] {
            let error = OwnerKey::of_owner(Some(source)).err().unwrap().to_string();
            assert!(error.starts_with(&format!("--keypair: {source}: ")), "{error}");
        }
    }
}
