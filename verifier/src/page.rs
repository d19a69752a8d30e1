//! What pages for people share: how they look, how amounts and names are written, lists of payments, charts. Pure: data in,
//! HTML out. Uses `domain`.

mod chart;
mod explorer;
mod form;
mod list;
mod merchant;
mod payment;
mod state;
mod style;
mod sums;
pub mod text;
mod view;

pub use form::{Choice, choices};
pub use list::{Line, found};
pub use merchant::{MerchantPage, merchant};
pub use payment::payment;
pub use style::{content_security_policy, document, refusal};
pub use sums::days;
pub use view::View;
