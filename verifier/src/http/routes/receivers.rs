//! Whether somebody can be paid.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use x402_escrow_domain::facts::{self, RENT_ID, Receiver};
use x402_escrow_interface::Address;
use x402_escrow_wire::{
    auth_capture::Commitment,
    facilitator::ReceiverReport,
    field::FieldError,
    text::{Decimal, Key},
};

use crate::{chain::views::Views, engine::app::App, http::error::ApiError};

/// `GET /receivers/{receiver}/{asset}`: the token account of whoever is to be paid. For merchants, before they sell.
pub async fn receiver(
    State(app): State<Arc<App>>,
    Path((receiver, asset)): Path<(String, String)>,
) -> Result<Json<ReceiverReport>, ApiError> {
    let (receiver, mint) = (read("receiver", &receiver)?, read("asset", &asset)?);
    let (receiver, mint) = (Address::from(receiver), Address::from(mint));
    let [spl, token_2022] = facts::receiver_token_accounts(&receiver, &mint);
    let addresses = [mint, spl, token_2022, RENT_ID];
    let views = Views::read(app.chain.as_ref(), &addresses, Commitment::Confirmed).await?;
    let (_, found) = views.agreed(|accounts| facts::receiver(accounts, [spl, token_2022]))?;
    let Some(Receiver { token_account, can_receive, decimals, rent_lamports }) = found else {
        let message = format!("asset: {asset} is no mint of SPL Token or Token-2022 on this cluster");
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_mint", message));
    };
    Ok(Json(ReceiverReport {
        token_account: token_account.into(),
        can_receive,
        decimals,
        rent_lamports: Decimal(rent_lamports),
    }))
}

fn read(field: &str, text: &str) -> Result<Key, ApiError> {
    text.parse().map_err(|message| ApiError::bad_field(FieldError { field: field.to_owned(), message }))
}
