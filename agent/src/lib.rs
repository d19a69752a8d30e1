//! Pays HTTP 402 challenges out of an x402 escrow.
//!
//! An agent needs a [`SessionFile`] that the escrow's owner made for it (`agent session open`) and nothing else: no
//! SOL, no RPC node, no wallet. [`AgentClient::fetch`] sends a request, and where the server asks for payment with
//! x402 version 2 and the scheme `auth-capture`, it has its verifier draft an intent, checks every field of the draft
//! against what it asked for itself, signs, and sends the request again.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use x402_escrow_agent::{
//!     AgentClient, Limits, Request, SessionFile, nonces::NoncesFile, spending::SpendingFile,
//! };
//!
//! let file = "session.json".as_ref();
//! let session = SessionFile::read(file)?;
//! let limits = Limits { maximum_amount: 100_000, spending_limit: Some(5_000_000) };
//! let (nonces, spending) = (NoncesFile::beside(file), SpendingFile::beside(file));
//! let agent = AgentClient::with_spending(session, limits, &nonces, spending)?;
//! let fetched = agent.fetch(&Request::get("https://api.example.com/report")).await?;
//! println!("{} for {:?}", fetched.status, fetched.payment);
//! # Ok(())
//! # }
//! ```
//!
//! Modules: [`client`] does the requests, [`draft`] decides what may be signed, [`nonces`] and [`spending`] keep count of
//! it on disk, [`stream`] keeps the holds that many requests are paid out of, [`session_file`] holds the key.

pub mod client;
pub mod draft;
pub mod nonces;
pub mod session_file;
pub mod spending;
mod state_file;
pub mod stream;

pub use client::{AgentClient, FetchError, Fetched, Receipt, Request};
pub use draft::Limits;
pub use session_file::SessionFile;
