//! The escrow program on LiteSVM: what each instruction does, and everything that it refuses.

mod program {
    mod open_escrow;
}
