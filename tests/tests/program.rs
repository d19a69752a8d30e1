//! The escrow program on LiteSVM: what each instruction does, and everything that it refuses.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod program {
    // One module an instruction.
    mod authorize;
    mod cancel_withdrawal;
    mod capture;
    mod charge;
    mod close_escrow;
    mod close_hold;
    mod close_session;
    mod deposit;
    mod open_escrow;
    mod open_session;
    mod reclaim;
    mod refund;
    mod request_withdrawal;
    mod revoke_session;
    mod sync;
    mod update_session;
    mod void;
    mod withdraw;

    // What several instructions have in common.
    mod errors;
    mod fees;
    mod limits;
    mod replay;
    mod signatures;
    mod token_2022;
    mod vouchers;

    // What a thief takes, and can't.
    mod all_keys_but_one;
    mod attempts;
    mod stolen_keys;
    mod stolen_messages;
    mod stolen_session_key;
    mod thief;
}
