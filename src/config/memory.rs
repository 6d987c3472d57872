//! How much memory there is to share.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Where the system does not tell.
const UNKNOWN_BYTES: u64 = 1 << 30;

/// What the process's cgroup may take, as in a container, or else what the machine has.
pub(super) fn machine_bytes() -> usize {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let bytes = System::new_with_specifics(memory).map_or(UNKNOWN_BYTES, |system| {
        let cgroup = system.cgroup_limits().map_or(u64::MAX, |cgroup| cgroup.total_memory);
        system.total_memory().min(cgroup)
    });
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_some() {
        let bytes = super::machine_bytes();
        assert!((64 << 20..1 << 50).contains(&bytes), "{bytes}");
    }
}
