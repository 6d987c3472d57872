//! What the process takes of the machine, under the names that every exporter has for it.

use std::fs;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};

use super::{Exposition, Source};

/// See the module. Figures that the system does not tell are left out.
#[derive(Debug)]
pub struct Process;

impl Source for Process {
    fn expose(&self, to: &mut Exposition) {
        to.gauges(
            "signalpost_build_info",
            "1, with the version as a label.",
            ["version"],
            [([env!("CARGO_PKG_VERSION")], 1)],
        );
        let Ok(own) = get_current_pid() else { return };
        let Ok(mut system) = System::new() else { return };
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, what);
        let Some(process) = system.process(own) else { return };
        to.fraction_counter(
            "process_cpu_seconds_total",
            "CPU time since the start, of all threads, in seconds.",
            process.accumulated_cpu_time() as f64 / 1000.0,
        );
        to.gauge(
            "process_resident_memory_bytes",
            "Memory that is resident, in bytes.",
            process.memory(),
        );
        to.gauge(
            "process_start_time_seconds",
            "When the process began, in seconds since 1970.",
            process.start_time(),
        );
        if let Some(files) = open_files(process) {
            to.gauge("process_open_fds", "Open files and sockets.", files);
        }
        if let Ok((soft, _)) = rlimit::Resource::NOFILE.get() {
            to.gauge("process_max_fds", "How many there may be.", soft);
        }
    }
}

/// From 6.2 on, Linux tells it as the size of a folder. Otherwise they are counted one after another, which takes
/// 14 ms for 19,000 of them.
fn open_files(process: &sysinfo::Process) -> Option<u64> {
    let told = fs::metadata("/proc/self/fd").map_or(0, |folder| folder.len());
    if told > 0 { Some(told) } else { process.open_files().map(|files| files as u64) }
}
