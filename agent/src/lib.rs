//! Pays HTTP 402 challenges out of an x402 escrow.
//!
//! An agent needs a [`SessionFile`] that the escrow's owner made for it (`agent session open`) and nothing else: no
//! SOL, no RPC node, no wallet. [`AgentClient::fetch`] sends a request, and where the server asks for payment with
//! x402 version 2 and the scheme `auth-capture`, it has its verifier draft an intent, checks every field of the draft
//! against what it asked for itself, signs, and sends the request again.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use x402_escrow_agent::{AgentClient, Limits, Outcome, Request, SessionFile, StateFiles};
//!
//! let file = "session.json".as_ref();
//! let session = SessionFile::read(file)?;
//! let limits = Limits { maximum_amount: 100_000, spending_limit: Some(5_000_000), maximum_locked: None };
//! let agent = AgentClient::new(session, limits, StateFiles::beside(file))?;
//! // The key buys once, however often and in which process it is asked for.
//! let request = Request::get("https://api.example.com/report").keyed("order 7");
//! match agent.fetch(&request).await? {
//!     Outcome::Served(fetched) => println!("{} bytes for {:?}", fetched.body.len(), fetched.payment),
//!     Outcome::Refused { response, may_settle_until } => println!("{} {may_settle_until:?}", response.status),
//!     Outcome::Unknown { payment, until, .. } => println!("{} until {until}", payment.payment_id),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Modules: [`client`] does the requests, [`draft`] decides what may be signed, [`journal`] has every purchase before it
//! is signed, [`nonces`] and [`spending`] keep count, [`stream`] keeps the holds that many requests are paid out of,
//! [`files`] names all of these files, [`session_file`] holds the key.

pub mod client;
pub mod draft;
pub mod files;
pub mod journal;
pub mod nonces;
pub mod session_file;
pub mod spending;
mod state_file;
pub mod stream;

pub use client::{AgentClient, FetchError, Fetched, Lookup, Outcome, Receipt, Request};
pub use draft::Limits;
pub use files::StateFiles;
pub use session_file::SessionFile;
