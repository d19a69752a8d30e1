//! Where a run is executed: all its threads on one processor. They take turns, and to wake one on
//! another processor costs more than what it does there.

/// Keeps this thread, and those that it will start, to the processor with this number among those that
/// may be used.
#[cfg(target_os = "linux")]
pub(crate) fn keep_to(number: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return };
    let processors: Vec<usize> =
        (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect();
    if let Some(processor) = number.checked_rem(processors.len()).map(|index| processors[index]) {
        let mut one = CpuSet::new();
        one.set(processor);
        // Where it may not, it is only slower.
        _ = sched_setaffinity(None, &one);
    }
}

/// Linux alone is known to gain by it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_to(_number: usize) {}
