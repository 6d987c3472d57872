//! What a process costs, as Linux accounts for it.

use std::{fs, io, time::Duration};

/// Clock ticks in `/proc` are this long, on every processor that Rust's Linux targets name.
const TICK: Duration = Duration::from_millis(10);

/// CPU time since the start of a process, of all its threads, in its own code and in the kernel's for it.
pub(super) fn cpu(process: &str) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th after it.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u32 = after.split_whitespace().skip(11).take(2).flat_map(str::parse::<u32>).sum();
    Ok(TICK * ticks)
}

/// Memory that is resident, in bytes.
pub(super) fn resident(process: &str) -> io::Result<u64> {
    // smaps_rollup is exact where status counts in batches, but not every process may be read so.
    let exact = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
        .map(|text| field(&text, "Rss:"));
    match exact {
        Ok(Some(bytes)) => Ok(bytes),
        _ => {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            field(&status, "VmRSS:").ok_or_else(|| io::Error::other("it has no memory"))
        }
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}
