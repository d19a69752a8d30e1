//! Checks whether the receiver can be paid: before anything is sold, and every minute from then on. Uses an
//! exchange, and of a merchant its configuration.

use std::sync::Weak;

use tracing::{error, info, warn};
use x402_escrow_wire::{amount, facilitator::ReceiverReport, text::Key};

use crate::{
    config::{ConfigError, MerchantConfig},
    exchange::Exchange,
    shared::{SUPPORT_INTERVAL, Shared},
};

const SOL_DECIMALS: u8 = 9;

/// Why every payment would be refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The receiver has no token account, or it is frozen: nothing could be captured.
    #[error(
        "pay_to: {receiver} has no token account for {asset} that can receive ({token_account}), so every payment would be \
         refused. Create it, for {rent} SOL of rent: spl-token create-account {asset} --owner {receiver} --fee-payer \
         KEYPAIR.json. If it exists, it is frozen: ask the token's issuer to thaw it"
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

/// A facilitator's answer about a receiver that it doesn't refuse.
enum Told {
    /// It can be paid, in a token with these decimals.
    Ready(u8),
    /// The facilitator has no such route: others have none.
    Nothing,
    /// Why it is not known.
    Unknown(String),
}

/// Asks the facilitator, at [`address`], about the receiver's token account, and returns the token's decimals. Where it
/// can't tell, the log says so and sales begin: each payment is checked again.
///
/// # Errors
/// If every payment would be refused.
pub(crate) async fn check_receiver(
    exchange: &Exchange,
    config: &MerchantConfig,
) -> Result<Option<u8>, NotReady> {
    let MerchantConfig { pay_to, asset, .. } = config;
    match ask(exchange, config).await? {
        Told::Ready(decimals) => return Ok(Some(decimals)),
        Told::Nothing => {
            info!("the facilitator does not tell whether {pay_to} has a token account for {asset}");
        }
        Told::Unknown(cause) => {
            warn!(cause, "it is not known whether {pay_to} has a token account for {asset}: {cause}");
        }
    }
    Ok(None)
}

/// Asks the same from time to time, for as long as the merchant lives: a token account can be closed or frozen. The
/// log has each change once.
pub(crate) async fn follow_receiver(merchant: Weak<Shared>, exchange: Exchange) {
    let mut hindrance = None;
    loop {
        tokio::time::sleep(SUPPORT_INTERVAL).await;
        let Some(merchant) = merchant.upgrade() else { return };
        let now = match ask(&exchange, &merchant.config).await {
            Ok(Told::Ready(_)) => None,
            // A silent facilitator is logged where it is asked what it supports.
            Ok(Told::Nothing | Told::Unknown(_)) => continue,
            Err(not_ready) => Some(not_ready),
        };
        if now == hindrance {
            continue;
        }
        let MerchantConfig { pay_to, asset, .. } = &merchant.config;
        match &now {
            Some(not_ready) => {
                error!("nothing can be sold, and nothing that is held be captured: {not_ready}")
            }
            None => info!("{pay_to} can be paid in {asset} again"),
        }
        hindrance = now;
    }
}

async fn ask(exchange: &Exchange, config: &MerchantConfig) -> Result<Told, NotReady> {
    let (status, body) = match exchange(("", None)).await {
        Ok(answer) => answer,
        Err(cause) => return Ok(Told::Unknown(cause)),
    };
    match (status, serde_json::from_slice::<ReceiverReport>(&body)) {
        (200, Ok(report)) => of_report(&report, config).map(Told::Ready),
        (422, _) => Err(NotReady::NoMint { asset: config.asset }),
        (404, _) => Ok(Told::Nothing),
        (status, _) => Ok(Told::Unknown(format!("the facilitator answered with status {status}"))),
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use x402_escrow_wire::text::Base58;

    use super::*;
    use crate::{
        exchange::Answered,
        fixture::{self, Log},
        shared::lock,
    };

    fn report(can_receive: bool) -> Answered {
        let told = json!({
            "tokenAccount": Base58([9; 32]),
            "canReceive": can_receive,
            "decimals": 6,
            "rentLamports": "2039280",
        });
        Ok((200, told.to_string().into_bytes()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_account_that_is_lost_is_logged_once_and_so_is_its_return() {
        let (log, _guard) = Log::of_this_thread();
        let said = Arc::new(Mutex::new(report(true)));
        let exchange: Exchange = {
            let said = Arc::clone(&said);
            Arc::new(move |_| {
                let answer = lock(&said).clone();
                Box::pin(async move { answer })
            })
        };
        let folder = tempfile::tempdir().unwrap();
        let merchant = fixture::merchant(
            fixture::config(),
            &folder.path().join("state"),
            Arc::new(|_| Box::pin(async { Err("nothing else is asked".to_owned()) })),
            Arc::new(|| 0),
        );
        let following = tokio::spawn(follow_receiver(Arc::downgrade(&merchant), exchange));
        // The task looks first, then the test.
        tokio::time::sleep(SUPPORT_INTERVAL / 2).await;
        let lost = || log.text().matches("nothing can be sold").count();
        let found = || log.text().matches("can be paid").count();
        for (answer, lost_so_far, found_so_far) in [
            (report(true), 0, 0),
            (report(false), 1, 0),
            // No answer is no change.
            (Err("no connection".to_owned()), 1, 0),
            (Ok((404, Vec::new())), 1, 0),
            (report(false), 1, 0),
            (report(true), 1, 1),
            (report(true), 1, 1),
            (report(false), 2, 1),
        ] {
            *lock(&said) = answer;
            tokio::time::sleep(SUPPORT_INTERVAL).await;
            assert_eq!((lost(), found()), (lost_so_far, found_so_far), "{}", log.text());
        }
        let mint = merchant.config.asset;
        assert!(log.text().contains(&format!("spl-token create-account {mint} --owner")), "{}", log.text());
        assert!(log.text().contains("ask the token's issuer to thaw it"), "{}", log.text());
        drop(merchant);
        following.await.unwrap();
    }
}
