//! The connected clients as an administrator sees them: one, or a page of all, each as it is when it is looked at.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::IpAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Client, Hub, cell::Place, outbox::Depth};
use crate::{
    config::limits,
    id::{ClientId, RoomId},
    room::{Identity, Role},
};

/// What is known of a connected client. Its parts are read one after another, while it goes on.
#[derive(Debug, Clone)]
pub struct Report {
    /// The server's name for it.
    pub id: ClientId,
    /// The names that it goes by; none until it registered. See [`Report::authenticated`].
    pub identity: Identity,
    /// Whether a token vouches for its userId.
    pub authenticated: bool,
    /// When that token expires.
    pub token_expires_at: Option<SystemTime>,
    /// Where it sits, if anywhere.
    pub room_id: Option<RoomId>,
    /// Its role there.
    pub role: Option<Role>,
    /// Where it waits for a seat, if anywhere.
    pub waiting_room_id: Option<RoomId>,
    /// Where it comes from, as a trusted proxy says it where there is one.
    pub address: IpAddr,
    /// The User-Agent of its handshake (RFC 9110, section 10.1.5), cut off after [`limits::USER_AGENT_BYTES`]; none if
    /// it sent none.
    pub user_agent: Option<Arc<str>>,
    /// When it connected.
    pub connected_at: SystemTime,
    /// Messages that it sent, whatever came of them.
    pub messages_in: u64,
    /// Messages that its connection took as a whole.
    pub messages_out: u64,
    /// Bytes that were read from its connection since the handshake, frame heads included, without those of TLS.
    pub bytes_in: u64,
    /// Bytes that its connection took since the handshake, likewise.
    pub bytes_out: u64,
    /// Messages that wait in its outbox, or are on their way.
    pub queue_messages: usize,
    /// What they count there, in bytes: each with [`limits::OUTBOX_MESSAGE_OVERHEAD`] more.
    pub queue_bytes: usize,
    /// From its last ping to the answer, in microseconds; none until it has answered one.
    pub round_trip: Option<Duration>,
}

impl Hub {
    /// One client, if it is connected.
    pub fn client(&self, id: ClientId) -> Option<Report> {
        self.clients.find(id).map(|client| Report::of(&client))
    }

    /// At most `max` clients that `keep` holds of, with ids after `after`, in the order of their ids; and after which
    /// id to go on, unless all were looked at. Whoever is connected from the first page to the last is on exactly one.
    ///
    /// A page may be short, or empty, and not the last: no more than [`limits::CLIENTS_LOOKED_AT`] are looked at.
    pub fn clients(
        &self,
        after: Option<ClientId>,
        max: NonZeroUsize,
        keep: impl Fn(&Report) -> bool,
    ) -> (Vec<Report>, Option<ClientId>) {
        // A heap, since few of them are ever needed in order.
        let later = self.clients.ids().into_iter().filter(|id| Some(*id) > after);
        let mut later: BinaryHeap<_> = later.map(Reverse).collect();
        let mut reports = Vec::new();
        let mut last = None;
        for _ in 0..limits::CLIENTS_LOOKED_AT {
            if reports.len() == max.get() {
                break;
            }
            let Some(Reverse(id)) = later.pop() else { break };
            // Some may have gone since.
            reports.extend(self.client(id).filter(&keep));
            last = Some(id);
        }
        (reports, last.filter(|_| !later.is_empty()))
    }
}

impl Report {
    fn of(client: &Client) -> Self {
        let Depth { messages, bytes, acknowledged, .. } = client.outbox.depth();
        let place = client.seat().and_then(|cell| Some((cell.place_of(client.id)?, cell)));
        let (mut room_id, mut role, mut waiting_room_id) = (None, None, None);
        match place {
            Some((Place::Sits(its), cell)) => {
                (room_id, role) = (Some(cell.id().clone()), Some(its));
            }
            Some((Place::Waits, cell)) => waiting_room_id = Some(cell.id().clone()),
            None => {}
        }
        let names = client.names();
        let pass = names.as_ref().and_then(|names| names.pass.as_ref());
        Self {
            id: client.id,
            authenticated: pass.is_some(),
            token_expires_at: pass.map(|pass| pass.expires_at),
            role,
            waiting_room_id,
            identity: names.map_or_else(Identity::default, |names| names.identity.clone()),
            room_id,
            address: client.address,
            user_agent: client.user_agent.clone(),
            connected_at: client.connected_at(),
            messages_in: client.messages_in.get(),
            messages_out: acknowledged,
            bytes_in: client.bytes_in.get(),
            bytes_out: client.taken(),
            queue_messages: messages,
            queue_bytes: bytes,
            round_trip: client.round_trip(),
        }
    }
}
