//! Signatures at the edges of Ed25519, where libraries disagree (Chalkias, Garillot and Nikolaenko, "Taming the many
//! EdDSAs", 2020): the program, the verifier's own check and the runtime's Ed25519 precompile answer alike.

mod crafted;
mod forgery;
mod precompile;
mod published;
mod table;
