//! Checks before anything is sold whether the receiver can be paid. Uses an exchange and the configuration.

use tracing::{info, warn};
use x402_escrow_wire::{amount, facilitator::ReceiverReport, text::Key};

use crate::{
    config::{ConfigError, MerchantConfig},
    exchange::Exchange,
};

const SOL_DECIMALS: u8 = 9;

/// Why every payment would be refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The receiver has no token account, or it is frozen: nothing could be captured.
    #[error(
        "pay_to: {receiver} has no token account for {asset} that can receive ({token_account}), so every payment would be \
         refused. Create it, for {rent} SOL of rent: spl-token create-account {asset} --owner {receiver} --fee-payer \
         KEYPAIR.json"
    )]
    NoTokenAccount {
        /// Who is to be paid.
        receiver: Key,
        /// The token's mint.
        asset: Key,
        /// The account that is missing or frozen.
        token_account: Key,
        /// What it costs, in SOL.
        rent: String,
    },
    /// The token does not exist.
    #[error("asset: {asset} is no token on the facilitator's cluster; name the mint's address")]
    NoMint {
        /// What was named.
        asset: Key,
    },
    /// The token is another than the settings say.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Where a facilitator says whether `pay_to` can be paid.
pub(crate) fn address(facilitator: &str, config: &MerchantConfig) -> String {
    format!("{facilitator}/receivers/{}/{}", config.pay_to, config.asset)
}

/// Asks the facilitator, at [`address`], about the receiver's token account, and returns the token's decimals. Where it
/// can't tell, the log says so and sales begin: each payment is checked again.
///
/// # Errors
/// If every payment would be refused.
pub(crate) async fn check_receiver(
    exchange: Exchange,
    config: &MerchantConfig,
) -> Result<Option<u8>, NotReady> {
    let MerchantConfig { pay_to, asset, .. } = config;
    let unknown = |cause: String| {
        warn!(cause, "it is not known whether {pay_to} has a token account for {asset}: {cause}");
        Ok(None)
    };
    let (status, body) = match exchange(("", None)).await {
        Ok(answer) => answer,
        Err(cause) => return unknown(cause),
    };
    match (status, serde_json::from_slice::<ReceiverReport>(&body)) {
        (200, Ok(report)) => of_report(&report, config).map(Some),
        (422, _) => Err(NotReady::NoMint { asset: *asset }),
        (404, _) => {
            info!("the facilitator does not tell whether {pay_to} has a token account for {asset}");
            Ok(None)
        }
        (status, _) => unknown(format!("the facilitator answered with status {status}")),
    }
}

fn of_report(report: &ReceiverReport, config: &MerchantConfig) -> Result<u8, NotReady> {
    if let Some(set) = config.decimals.filter(|set| *set != report.decimals) {
        let message = format!("are {set}, and the mint has {}; leave the setting out", report.decimals);
        return Err(ConfigError { setting: "decimals", message }.into());
    }
    if report.can_receive {
        return Ok(report.decimals);
    }
    Err(NotReady::NoTokenAccount {
        receiver: config.pay_to,
        asset: config.asset,
        token_account: report.token_account,
        rent: amount::format(report.rent_lamports.0, SOL_DECIMALS),
    })
}
