//! The servers of a fleet, and how much each has.

use std::{fs, time::SystemTime};

use prost::Message;

use super::{Fleet, questions::Answers, report};
use crate::{
    hub::{Holdings, Hub, NotFound},
    id::Incarnation,
    journal::stored::pb::{self, question::What as Asked},
};

/// A server, as the others of its fleet know it.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name; none where it stands alone.
    pub name: Option<Incarnation>,
    /// Of the program, such as 1.2.3.
    pub version: String,
    /// What its machine or its container is called; empty where that is not known.
    pub host: String,
    /// When it came to the fleet.
    pub started_at: SystemTime,
    /// Whether its lease holds. Of one whose lease is over the others give up the seats.
    pub live: bool,
    /// What it has; none where it did not answer.
    pub has: Option<Holdings>,
}

/// What a server says of itself to the fleet that it comes to.
pub(super) fn info() -> Vec<u8> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let info = pb::NodeInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host.trim().to_owned(),
        started_at: report::nanoseconds(SystemTime::now()),
    };
    info.encode_to_vec()
}

impl Hub {
    /// What this server is called in its fleet: another name after it lost its lease. None where it stands alone.
    pub fn node(&self) -> Option<Incarnation> {
        self.fleet.as_ref().map(Fleet::node)
    }

    /// Every server of the fleet, this one among them, in the order of their names.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`].
    pub async fn nodes(&self) -> Result<Vec<Node>, NotFound> {
        let Some(fleet) = &self.fleet else {
            let info = pb::NodeInfo::decode(&*info()).expect("just encoded");
            let started_at = self.started_at();
            return Ok(vec![Node { started_at, ..Node::new(None, info, Some(self.held())) }]);
        };
        let asked = self.ask_others(fleet, Asked::Counted(pb::Counted {}), |_| false);
        let Answers { given, .. } = Box::pin(asked).await?;
        let known = fleet.store.nodes().await?.into_iter();
        let own = fleet.node();
        let counts = |name: Incarnation| match given.iter().find(|(from, _)| *from == name) {
            Some((_, answer)) => answer.counts.map(holdings),
            None => (name == own).then(|| self.held()),
        };
        let mut nodes: Vec<_> = known
            .map(|node| {
                // One of another release may say nothing that is understood here.
                let info = pb::NodeInfo::decode(&*node.info).unwrap_or_default();
                let name = node.incarnation;
                Node { live: node.lease.is_some(), ..Node::new(Some(name), info, counts(name)) }
            })
            .collect();
        nodes.sort_unstable_by_key(|node| node.name);
        Ok(nodes)
    }

    /// How many rooms all servers have together.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`].
    pub async fn room_count(&self) -> Result<usize, NotFound> {
        match &self.fleet {
            None => Ok(self.held().rooms),
            Some(fleet) => Ok(fleet.store.room_count().await?),
        }
    }
}

impl Node {
    fn new(name: Option<Incarnation>, info: pb::NodeInfo, has: Option<Holdings>) -> Self {
        let pb::NodeInfo { version, host, started_at } = info;
        Self { name, version, host, started_at: report::time(started_at), live: true, has }
    }
}

fn holdings(pb::Counts { clients, rooms, members, draining }: pb::Counts) -> Holdings {
    let number = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let [clients, rooms, members] = [clients, rooms, members].map(number);
    Holdings { clients, rooms, members, draining }
}
