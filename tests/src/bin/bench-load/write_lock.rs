//! What PostgreSQL's write lock is busy with: all verifiers over a database share it, and every decision takes it.

use std::{
    collections::BTreeMap,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::parts::Part;

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(20);

/// Who keeps the lock from being free, as far as PostgreSQL knows. In one line: it is sent again and again.
const QUERY: &str = "SELECT coalesce((SELECT CASE \
    WHEN a.state LIKE 'idle in transaction%' THEN 'held while a verifier works' \
    WHEN a.wait_event_type IN ('IO', 'LWLock') THEN 'held while the disk writes' \
    ELSE 'held while PostgreSQL works' END \
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
    WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() LIMIT 1), 'free');";

/// How often the lock was seen so.
pub(crate) type Seen = BTreeMap<String, usize>;

/// Looks at the lock of the database with this URL for so long.
pub(crate) fn watch(url: &str, time: Duration) -> Result<Seen> {
    let options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"];
    let mut psql = Part::spawn(Command::new("psql").args(options).arg(url))?;
    let (started, mut seen) = (Instant::now(), Seen::new());
    while started.elapsed() < time {
        psql.tell(QUERY)?;
        let answer = psql.line().context("asking psql")?;
        *seen.entry(answer.trim().to_owned()).or_default() += 1;
        thread::sleep(INTERVAL);
    }
    Ok(seen)
}
