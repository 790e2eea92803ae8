//! How much memory the process holds, and how much it may. Linux only; elsewhere nothing is known.

use std::fs;

/// Bytes in memory now.
pub fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The container's limit in bytes, when it has one.
pub fn limit() -> Option<u64> {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let text = files
        .iter()
        .find_map(|file| fs::read_to_string(file).ok())?;
    // `max`, and in the older form a number near 2^63: none.
    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 60)
}
