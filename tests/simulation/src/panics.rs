//! Panics during a run: each is a fault, also in a task that nobody waits for.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use crate::gate::Gate;

thread_local! {
    /// What panicked in the run on this thread, and the gate that knows how far it is.
    static RUN: RefCell<Option<(Gate, Vec<String>)>> = const { RefCell::new(None) };
}

/// Runs `work`. Returns `None` if it panicked itself, and what panicked on its thread. A crash that the
/// simulation makes is no panic.
pub(crate) fn gathered<T>(gate: &Gate, work: impl FnOnce() -> T) -> (Option<T>, Vec<String>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            let is_of_run = RUN.with_borrow_mut(|run| match run {
                Some((gate, panics)) => {
                    panics.push(format!("step {} of the store: {panicked}", gate.steps()));
                    true
                }
                None => false,
            });
            if !is_of_run {
                usual(panicked);
            }
        }));
    });
    RUN.set(Some((gate.clone(), Vec::new())));
    let done = panic::catch_unwind(AssertUnwindSafe(work)).ok();
    let panics = RUN.take().map(|(_, panics)| panics).unwrap_or_default();
    (done, panics)
}
