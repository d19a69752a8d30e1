//! What PostgreSQL's write lock is busy with: all verifiers over a database share it, and every decision takes it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

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
    let mut psql = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting psql")?;
    let seen = look(&mut psql, time);
    // It may have ended already.
    _ = psql.kill();
    _ = psql.wait();
    seen
}

fn look(psql: &mut Child, time: Duration) -> Result<Seen> {
    let mut asks = psql.stdin.take().context("psql's standard input")?;
    let mut answers = BufReader::new(psql.stdout.take().context("psql's standard output")?);
    let (started, mut seen) = (Instant::now(), Seen::new());
    while started.elapsed() < time {
        writeln!(asks, "{QUERY}").context("asking psql")?;
        let mut line = String::new();
        answers.read_line(&mut line).context("waiting for psql")?;
        ensure!(!line.is_empty(), "psql ended without an answer");
        *seen.entry(line.trim().to_owned()).or_default() += 1;
        thread::sleep(INTERVAL);
    }
    Ok(seen)
}
