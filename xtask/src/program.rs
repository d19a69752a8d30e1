//! What compiles the on-chain program: the toolchain, the build with its stated hash, and the IDL. The everyday commands
//! call only `build::run` and `idl::run`.

pub(crate) mod build;
pub(crate) mod idl;
pub(crate) mod toolchain;
