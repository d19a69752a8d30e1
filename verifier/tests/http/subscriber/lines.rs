//! The lines that are logged on the threads that listen.

use std::{
    cell::RefCell,
    io::{self, Write},
};

use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, registry::LookupSpan};

thread_local! {
    /// What was logged on this thread, once somebody listens: a test and all that it starts have a thread.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Begins to write down what is logged on this thread.
pub(super) fn begin() {
    LOG.set(Some(Vec::new()));
}

/// Writes down what is logged on the threads that listen.
pub(super) fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_heard = dynamic_filter_fn(|_, _| LOG.with_borrow(Option::is_some));
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(|| Log).with_filter(is_heard)
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.get_or_insert_default().extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was logged on this thread since it listens.
pub(crate) fn logged() -> String {
    LOG.with_borrow(|log| String::from_utf8(log.clone().unwrap()).unwrap())
}
