//! The escrow program on LiteSVM: what each instruction does, and everything that it refuses.

// One module an instruction.
mod authorize;
mod capture;
mod charge;
mod close_escrow;
mod close_session;
mod deposit;
mod open_escrow;
mod open_session;
mod reclaim;
mod revoke_session;
mod revoke_sessions;
mod set_guardian;
mod sync;
mod update_session;
mod void;
mod withdraw;

// What several instructions have in common, and what one instruction does in many ways.
mod already_done;
mod bounds;
mod charge_consents;
mod errors;
mod events;
mod fee_recipients;
mod fees;
mod indexer;
mod last_captures;
mod limits;
mod lingering_signers;
mod receivers;
mod replay;
mod signatures;
mod token_2022;
mod versions;
mod vouchers;

// What a thief takes, and can't.
mod all_keys_but_one;
mod attempts;
mod stolen_guardian;
mod stolen_keys;
mod stolen_messages;
mod stolen_session_key;
mod thief;
