use std::{
    fs, io,
    path::PathBuf,
    process,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::process::{RUNNING, kill};

/// Folders that are to be removed.
pub(super) static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The exit status of a program that an interruption ended.
const INTERRUPTED: i32 = 130;

/// Ends every process that was started here, and removes its files, where this one is interrupted (Ctrl-C) or told to
/// end: a program that a signal ends drops nothing.
///
/// # Errors
/// If signals can't be waited for.
pub fn clean_up_when_interrupted() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = runtime
        .block_on(async {
            Ok::<_, io::Error>((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
        })
        .context("waiting for signals")?;
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // Kept locked until the end, so that nothing is started any more.
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().for_each(|id| kill(*id));
        for folder in FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // Most were removed by those who made them.
            let _ = fs::remove_dir_all(folder);
        }
        eprintln!("interrupted: everything that was started is ended");
        process::exit(INTERRUPTED)
    });
    Ok(())
}
