use sqlx::AnyConnection;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{
    payment_identifier::PaymentIdentifier,
    text::{Base58, Decimal, Hex32},
};

use super::{Store, StoreError, identifiers, payments, row};
use crate::{
    identifier::Purchase,
    payment::{History, Voucher},
    verify::Rejection,
};

/// What became of a voucher that was to be kept.
#[derive(Clone, Debug, PartialEq)]
pub enum AcceptedVoucher {
    /// It is the payment's last; the payment as it was before.
    New(Box<History>),
    /// It buys nothing.
    Refused(Rejection),
    /// There is no such payment.
    UnknownPayment,
    /// Its id is another purchase's of the same session.
    IdentifierTaken(PaymentIdentifier),
}

impl Store {
    /// Keeps `voucher` as the last of a known payment, and binds its id, unless `check` (given all that is known then)
    /// refuses it, in one step. The payment is reviewed `margin_seconds` before its capture deadline: then its last
    /// voucher is captured, if nobody asked for that.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_voucher(
        &self,
        payment_id: &Digest,
        voucher: &Voucher,
        margin_seconds: i64,
        purchase: impl FnOnce(&History) -> Option<Purchase> + Send,
        check: impl FnOnce(&History) -> Result<(), Rejection> + Send,
    ) -> Result<AcceptedVoucher, StoreError> {
        let mut transaction = self.begin_write().await?;
        let Some(history) = payments::history(&mut transaction, payment_id).await? else {
            return Ok(AcceptedVoucher::UnknownPayment);
        };
        if let Err(rejection) = check(&history) {
            return Ok(AcceptedVoucher::Refused(rejection));
        }
        if let Some(purchase) = purchase(&history)
            && !identifiers::bind(&mut transaction, &purchase).await?
        {
            return Ok(AcceptedVoucher::IdentifierTaken(purchase.id.clone()));
        }
        sqlx::query(
            "INSERT INTO vouchers (payment_id, amount, fee, signature) VALUES ($1, $2, $3, $4)
             ON CONFLICT (payment_id)
             DO UPDATE SET amount = excluded.amount, fee = excluded.fee, signature = excluded.signature",
        )
        .bind(Hex32(*payment_id).to_string())
        .bind(Decimal(voucher.amount).to_string())
        .bind(Decimal(voucher.fee).to_string())
        .bind(Base58(voucher.signature).to_string())
        .execute(&mut *transaction)
        .await?;
        if history.voucher.is_none() {
            let review_at = history.payment.intent.capture_deadline.saturating_sub(margin_seconds);
            payments::set_review(&mut transaction, payment_id, Some(review_at)).await?;
        }
        transaction.commit().await?;
        Ok(AcceptedVoucher::New(Box::new(history)))
    }
}

/// Reads a payment's last voucher.
pub(super) async fn of_payment(
    connection: &mut AnyConnection,
    payment_id: &Digest,
) -> Result<Option<Voucher>, StoreError> {
    let row = sqlx::query("SELECT * FROM vouchers WHERE payment_id = $1")
        .bind(Hex32(*payment_id).to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(Voucher {
            amount: row::parse::<Decimal>(&row, "amount")?.0,
            fee: row::parse::<Decimal>(&row, "fee")?.0,
            signature: row::parse::<Base58<64>>(&row, "signature")?.0,
        })
    })
    .transpose()
}
