//! Ends what was started here if this process can't, because it was killed.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// Notes which processes run. When nobody can write to it any more, it kills those.
const SCRIPT: &str = r#"
while read -r change id; do
    if [ "$change" = started ]; then
        running="$running $id"
    else
        others=
        for one in $running; do [ "$one" = "$id" ] || others="$others $one"; done
        running=$others
    fi
done
for one in $running; do kill -KILL "$one"; done
"#;

/// What the watchdog reads. It ends with this process, however that ends.
static WATCHDOG: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// Notes a process that was started.
pub(crate) fn started(id: u32) {
    tell("started", id);
}

/// Notes that a process has ended: its id may soon be another's.
pub(crate) fn ended(id: u32) {
    tell("ended", id);
}

fn tell(change: &str, id: u32) {
    let mut watchdog = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    if watchdog.is_none() {
        *watchdog = start();
    }
    // It is the last resort: what goes on here needs it not.
    let _ = watchdog.as_mut().map(|watchdog| writeln!(watchdog, "{change} {id}"));
}

fn start() -> Option<ChildStdin> {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C must not end it before us.
    command.process_group(0).spawn().ok()?.stdin
}
