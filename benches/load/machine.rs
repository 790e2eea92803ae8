//! What processes use, read from `/proc`.

/// Microseconds of CPU a process has used; children that it waited for do not count.
pub(crate) fn cpu_micros(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<i64> = after_name
        .split_whitespace()
        .filter_map(|f| f.parse().ok())
        .collect();
    // utime and stime, in ticks of 10 ms; `state` is the only field before them that is no number.
    // Signed, because the terminal's group is -1 without a terminal: dropping it would shift the rest.
    let ticks = fields.get(10).unwrap_or(&0) + fields.get(11).unwrap_or(&0);
    u64::try_from(ticks).unwrap_or(0) * 10_000
}

/// Of a process and everything it has forked: Postgres is many processes.
pub(crate) fn family_micros(parent: u32) -> u64 {
    let mut total = cpu_micros(parent);
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of = stat
            .rsplit(')')
            .next()
            .and_then(|s| s.split_whitespace().nth(1)?.parse().ok());
        if of == Some(parent) {
            total += cpu_micros(pid);
        }
    }
    total
}

/// Megabytes: now, and the most since the process began.
pub(crate) fn memory_mb(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kb.unwrap_or(0) / 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

/// The cores, their model and the memory, for the head of the report.
pub(crate) fn describe() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model);
    let memory = read("/proc/meminfo");
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("?");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores ({model}), {} GB; load before the start {load}",
        total / 1_000_000
    )
}
