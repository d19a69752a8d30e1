use std::{
    io, process,
    sync::mpsc::{Receiver, channel},
    thread,
};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::{folder, process::kill_all};

/// The exit status of a program that an interruption ended.
const INTERRUPTED: i32 = 130;

/// Ends every process that was started here, and removes its files, where this one is interrupted (Ctrl-C) or told to
/// end: a program that a signal ends drops nothing.
///
/// # Errors
/// If signals can't be waited for.
pub fn clean_up_when_interrupted() -> Result<()> {
    let interrupted = interruptions()?;
    thread::spawn(move || {
        if interrupted.recv().is_ok() {
            end_everything();
            eprintln!("interrupted: everything that was started is ended");
            process::exit(INTERRUPTED)
        }
    });
    Ok(())
}

/// Tells of every SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is closed), which end the program no more.
///
/// # Errors
/// If signals can't be waited for.
pub fn interruptions() -> Result<Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let waiting = runtime.block_on(async {
        let signals = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        );
        Ok::<_, io::Error>(signals)
    });
    let (mut interrupt, mut terminate, mut hangup) = waiting.context("waiting for signals")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
    });
    Ok(receiver)
}

/// Kills every process that was started here and removes all files. Nothing can be started after that.
pub fn end_everything() {
    kill_all();
    folder::remove_all();
}
