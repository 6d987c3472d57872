//! Which server of a Redis Cluster has which keys.

use std::collections::{HashMap, HashSet};

use redis::{Value, cluster_routing::Slot, from_redis_value};

/// A server's name or address, and its port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
}

/// See the module. Empty until they have been asked for.
#[derive(Debug, Default)]
pub(super) struct Slots {
    of: HashMap<Slot, Server>,
    masters: HashSet<Server>,
    /// Those and their replicas.
    servers: HashSet<Server>,
    /// What servers of the Cluster call themselves, wherever they are.
    ids: HashSet<String>,
}

impl Server {
    /// Reads `HOST:PORT`, as redirections have it. Without a host it is that of the one that was asked.
    pub(super) fn read(text: &str, asked: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(Self::of(host, port.parse().ok()?, asked))
    }

    fn of(host: &str, port: u16, asked: &Self) -> Self {
        let host = if matches!(host, "" | "?") { &asked.host } else { host };
        Self { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port }
    }
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS`: for each range its first, its last, its master and the replicas, of which
    /// each begins with a host, nil where it does not know its own, a port and a name.
    pub(super) fn read(answer: Value, asked: &Server) -> Option<Self> {
        let ranges: Vec<Vec<Value>> = from_redis_value(answer).ok()?;
        let mut slots = Self::default();
        for range in ranges {
            let mut parts = range.into_iter();
            let mut number = || from_redis_value::<u16>(parts.next()?).ok();
            let (first, last) = (number()?, number()?);
            let master = slots.read_server(parts.next()?, asked)?;
            slots
                .of
                .extend((first..=last).filter_map(Slot::new).map(|slot| (slot, master.clone())));
            slots.masters.insert(master);
            for replica in parts {
                slots.read_server(replica, asked)?;
            }
        }
        // As of a server that was taken out of its cluster.
        (!slots.masters.is_empty()).then_some(slots)
    }

    fn read_server(&mut self, told: Value, asked: &Server) -> Option<Server> {
        let mut told = from_redis_value::<Vec<Value>>(told).ok()?.into_iter();
        let host: Option<String> = from_redis_value(told.next()?).ok()?;
        let port = from_redis_value(told.next()?).ok()?;
        let server = Server::of(&host.unwrap_or_default(), port, asked);
        self.ids.insert(from_redis_value(told.next()?).ok()?);
        self.servers.insert(server.clone());
        Some(server)
    }

    /// The server that has a key, as far as is known.
    pub(super) fn master_of(&self, key: &str) -> Option<&Server> {
        self.of.get(&Slot::for_key(key))
    }

    /// All that were named, be it as one that may take another's place.
    pub(super) fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter()
    }

    /// Whether they are of one Cluster, as far as is known.
    pub(super) fn is_of_the_cluster_of(&self, known: &Self) -> bool {
        known.ids.is_empty() || !self.ids.is_disjoint(&known.ids)
    }

    /// Whether a server has any keys.
    pub(super) fn has(&self, server: &Server) -> bool {
        self.masters.contains(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_looked_for_where_its_slot_is() {
        let text = |text: &str| Value::BulkString(text.into());
        let server = |host: Value, port| {
            let id = text(&format!("of {port}"));
            Value::Array(vec![host, Value::Int(port), id, Value::Array(vec![])])
        };
        let range = |first, last, host: Value, port| {
            let (master, replica) = (server(host.clone(), port), server(host, 10 * port));
            Value::Array(vec![Value::Int(first), Value::Int(last), master, replica])
        };
        let answer = Value::Array(vec![
            range(0, 12_181, text("10.0.0.1"), 1),
            range(12_182, 12_182, Value::Nil, 2),
            range(12_183, 16_383, text("::1"), 3),
        ]);
        let asked = Server { host: "10.0.0.9".into(), port: 7 };
        let slots = Slots::read(answer, &asked).unwrap();
        // CLUSTER KEYSLOT says 12182 of foo, and 5061 of bar.
        let at = |key| slots.master_of(key).map(|server| (&*server.host, server.port));
        assert_eq!(at("foo"), Some(("10.0.0.9", 2)));
        assert_eq!((at("{foo}:x"), at("a:{foo}:y")), (at("foo"), at("foo")));
        assert_eq!(at("bar"), Some(("10.0.0.1", 1)));
        let mut ports: Vec<_> = slots.servers().map(|server| server.port).collect();
        ports.sort_unstable();
        assert_eq!(ports, [1, 2, 3, 10, 20, 30]);
        let replica = Server { host: "10.0.0.1".into(), port: 10 };
        assert!(!slots.has(&replica));
        let part = |port| {
            let answer = Value::Array(vec![range(0, 16_383, text("10.0.0.1"), port)]);
            Slots::read(answer, &asked).unwrap()
        };
        assert!(part(2).is_of_the_cluster_of(&slots) && slots.is_of_the_cluster_of(&part(2)));
        assert!(!part(4).is_of_the_cluster_of(&slots));
        assert!(slots.is_of_the_cluster_of(&Slots::default()));
        assert_eq!(Slots::default().master_of("foo"), None);
        assert!(Slots::read(text("OK"), &asked).is_none());
        assert!(Slots::read(Value::Array(vec![]), &asked).is_none());
        for (redirection, host, port) in
            [(":5", "10.0.0.9", 5), ("::1:6", "::1", 6), ("a:7", "a", 7)]
        {
            let expected = Some(Server { host: host.into(), port });
            assert_eq!(Server::read(redirection, &asked), expected);
        }
        assert_eq!(Server::read("nowhere", &asked), None);
    }
}
