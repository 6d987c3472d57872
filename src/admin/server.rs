//! The calls about the server itself.

use std::time::Duration;

use futures_util::{Stream, stream::unfold};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tonic::Status;

use super::{
    convert::{count, duration, span, timestamp},
    pb::{self, drain_response, server_info},
    problem::{Problem, Reason, going_away},
    service::Service,
};
use crate::{
    config::limits,
    hub::{Holdings, Node, Progress, Stage},
};

/// How often the progress of a drain is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

impl Service {
    pub(super) async fn info(&self) -> pb::ServerInfo {
        let fleet = self.fleet().await;
        let (limits, counts) = (self.hub.limits(), self.hub.counts());
        let stage = self.hub.draining().borrow().stage;
        let number = |number| u64::try_from(number).unwrap_or(u64::MAX);
        pb::ServerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_time: Some(timestamp(self.hub.started_at())),
            uptime: duration(self.hub.uptime()),
            epoch: format!("{:016x}", self.hub.journal().epoch()),
            state: state(stage).into(),
            limits: Some(server_info::Limits {
                max_connections: count(limits.clients),
                max_connections_per_address: limits.clients_of_an_address.map_or(0, count),
                max_rooms: count(limits.rooms),
                max_members: count(limits.members),
                max_room_members: count(limits.most_members),
                max_message_bytes: number(limits.message_bytes),
                rate_limit: limits.rate,
                outbox_messages: count(limits.outbox.messages),
                outbox_bytes: number(limits.outbox.bytes),
                log_events: count(limits.log.events),
                log_bytes: number(limits.log.bytes),
                kept_bytes: number(limits.kept_bytes),
                max_bans: count(limits::BANS),
                auth: limits.auth.as_str().to_owned(),
                room_passwords: limits.room_passwords,
                first_member_is_host: limits.first_is_host,
                max_waiting: count(limits::WAITING),
            }),
            counts: Some(server_info::Counts {
                clients: count(counts.clients),
                rooms: count(counts.rooms),
                members: count(counts.members),
                bans: count(counts.bans),
                watchers: count(self.watchers.taken()),
                events: counts.events,
            }),
            node: self.hub.node().map(|node| node.to_string()).unwrap_or_default(),
            fleet,
        }
    }

    /// None where the server stands alone, and where it is not known.
    async fn fleet(&self) -> Option<server_info::Fleet> {
        self.hub.node()?;
        let (nodes, rooms) = (self.hub.nodes().await.ok()?, self.hub.room_count().await.ok()?);
        let live = || nodes.iter().filter(|node| node.live);
        let sum =
            |of: fn(&Holdings) -> usize| count(live().flat_map(|node| &node.has).map(of).sum());
        let silent = live().filter(|node| node.has.is_none()).flat_map(|node| node.name);
        Some(server_info::Fleet {
            nodes: count(live().count()),
            clients: sum(|has| has.clients),
            rooms: count(rooms),
            members: sum(|has| has.members),
            unanswered_nodes: silent.map(|name| name.to_string()).collect(),
        })
    }

    pub(super) async fn list_of_nodes(&self) -> Result<pb::ListNodesResponse, Problem> {
        let nodes = self.hub.nodes().await?;
        Ok(pb::ListNodesResponse { nodes: nodes.into_iter().map(node).collect() })
    }

    pub(super) fn start_drain(
        &self,
        request: pb::DrainRequest,
    ) -> Result<impl Stream<Item = Result<pb::DrainResponse, Status>> + use<>, Status> {
        let window = request.window.map(|window| span("window", window, limits::LONGEST_DRAIN));
        let progress = self.hub.drain(window.transpose()?);
        Ok(told(progress))
    }

    pub(super) fn stop_drain(&self) -> Result<pb::CancelDrainResponse, Status> {
        let left = self.hub.cancel_drain();
        let left = left.map_err(|error| Problem::new(Reason::NotDraining, error.to_string()))?;
        Ok(pb::CancelDrainResponse { clients_left: count(left) })
    }
}

/// How far a drain is: at once, each second, and at its end.
fn told(
    progress: watch::Receiver<Progress>,
) -> impl Stream<Item = Result<pb::DrainResponse, Status>> {
    let mut seconds = interval(TOLD_EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = progress.borrow().begun;
    unfold(Some((progress, seconds, begun)), async |telling| {
        let (mut progress, mut seconds, begun) = telling?;
        let ended = |now: &Progress| now.stage != Stage::Draining || now.begun != begun;
        tokio::select! {
            // The hub outlives its calls.
            _ = progress.wait_for(ended) => {}
            _ = seconds.tick() => {}
        }
        let now = *progress.borrow();
        let state = match now.stage {
            Stage::Draining if now.begun == begun => drain_response::State::Draining,
            Stage::Drained => drain_response::State::Drained,
            Stage::Stopping => return Some((Err(going_away()), None)),
            Stage::Serving | Stage::Draining | Stage::Cancelled => drain_response::State::Cancelled,
        };
        let told = pb::DrainResponse {
            state: state.into(),
            clients_left: count(now.left),
            clients_gone: count(now.gone),
            remaining: duration(now.remaining()),
        };
        let goes_on = state == drain_response::State::Draining;
        Some((Ok(told), goes_on.then_some((progress, seconds, begun))))
    })
}

fn node(node: Node) -> pb::Node {
    let Node { name, version, host, started_at, live, has } = node;
    pb::Node {
        name: name.map(|name| name.to_string()).unwrap_or_default(),
        host,
        version,
        start_time: Some(timestamp(started_at)),
        live,
        draining: has.is_some_and(|has| has.draining),
        counts: has.map(|Holdings { clients, rooms, members, .. }| pb::node::Counts {
            clients: count(clients),
            rooms: count(rooms),
            members: count(members),
        }),
    }
}

fn state(stage: Stage) -> server_info::State {
    match stage {
        Stage::Serving | Stage::Cancelled => server_info::State::Serving,
        Stage::Draining => server_info::State::Draining,
        Stage::Drained | Stage::Stopping => server_info::State::Stopping,
    }
}
