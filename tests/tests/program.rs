//! The escrow program on LiteSVM: what each instruction does, and everything that it refuses.

mod program {
    mod cancel_withdrawal;
    mod close_escrow;
    mod close_session;
    mod deposit;
    mod open_escrow;
    mod open_session;
    mod request_withdrawal;
    mod revoke_session;
    mod sync;
    mod update_session;
    mod withdraw;
}
