//! A receiver's books: what its payments came to, which of them somebody asks for, and what they come to by token and
//! day. Uses `payment` and `signature`.

mod access;
mod csv;
mod entry;
mod filter;
mod held;
mod query;
mod search;
mod session;
mod totals;

pub use access::{Access, SignedRequest};
pub use csv::{HEADER, line};
pub use entry::{Booked, Entry, EntryReport};
pub use filter::{Filter, Place};
pub use held::{HeldSum, Of, last_second_of, minute_of};
pub use query::{Page, PageParameters, Period, parameters, webhook_url};
pub use search::Search;
pub use session::{COOKIE, SESSION_SECONDS, SessionKey};
pub use totals::{DAY_SECONDS, DayTotal, Total, Totals, TotalsReport, day_of};
