//! How many connections fit: by the flags, by the files that the process may open, by the memory it may take.

use super::{Config, limits};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// WebSockets.
    pub clients: usize,
    /// Connections that speak HTTP, or are about to.
    pub visitors: usize,
    /// Connections that are told that they do not fit.
    pub refusals: usize,
    /// WebSockets and visitors together, of one address; none where there is no limit.
    pub per_address: Option<usize>,
    /// Connections to the admin API.
    pub administrators: usize,
}

impl Capacity {
    /// Visitors of one address: where few fit at all, it shall not take the places of all the others.
    pub fn visitors_per_address(&self) -> usize {
        self.per_address.map_or(self.visitors, |most| most.min(self.visitors.div_ceil(2)))
    }
}

impl Config {
    /// What fits, as many files as the process may open.
    pub fn capacity(&self) -> Capacity {
        let files = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        self.capacity_of(files)
    }

    fn capacity_of(&self, files: u64) -> Capacity {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        // For administrators, who shall get in when nobody else does.
        let administrators = (files / 64).clamp(8, limits::ADMIN_CONNECTIONS);
        let left = files.saturating_sub(limits::OWN_FILES + administrators);
        let by_memory = self.kept_bytes() / limits::VISITOR_BYTES / 16;
        let visitors = (left / 32).max(limits::FEW_VISITORS.min(left / 4));
        let visitors = visitors.min(limits::VISITORS).min(by_memory).max(limits::LEAST_VISITORS);
        let clients = self.max_connections.min(left.saturating_sub(visitors)).max(1);
        let fair = || limits::CONNECTIONS_PER_ADDRESS.min((clients + visitors) / 2).max(1);
        let per_address = self.max_connections_per_address.unwrap_or_else(fair);
        let refusals = (visitors / 4).min(limits::REFUSALS);
        let per_address = (self.rate_limit > 0).then_some(per_address);
        Capacity { clients, visitors, refusals, per_address, administrators }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn what_fits() {
        for (flags, files, clients, visitors, per_address) in [
            ("", 1 << 20, 100_000, 4096, Some(1000)),
            ("", 1024, 912, 64, Some(488)),
            ("", 20_000, 19_042, 614, Some(1000)),
            ("", 64, 16, 8, Some(12)),
            ("--max-connections 10", 1024, 10, 64, Some(37)),
            ("--max-connections-per-address 7", 1024, 912, 64, Some(7)),
            ("--rate-limit 0", 1024, 912, 64, None),
            ("--memory-budget 134217728", 1 << 20, 100_000, 32, Some(1000)),
        ] {
            let words = ["signalpost"].into_iter().chain(flags.split_whitespace());
            let capacity = Config::try_parse_from(words).unwrap().capacity_of(files);
            let refusals = 64.min(visitors / 4);
            let administrators = usize::try_from(files / 64).unwrap().clamp(8, 1000);
            let expected = Capacity { clients, visitors, refusals, per_address, administrators };
            assert_eq!(capacity, expected, "{flags} {files}");
        }
    }
}
