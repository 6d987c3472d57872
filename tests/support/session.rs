//! Some clients and an administrator on one hub, whatever they do and in whatever order, beside a model that
//! is too simple to be wrong. Each client must hear what the model says it hears, message for message.

#![allow(dead_code, unreachable_pub, reason = "each test and fuzz target uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "session_admin.rs"]
mod admin;
#[path = "session_bans.rs"]
mod bans;
#[path = "session_hosts.rs"]
mod hosts;
#[path = "session_look.rs"]
mod look;
#[path = "session_seats.rs"]
mod seats;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bans::ModelledBan;
use clap::Parser;
use seats::Modelled;
use serde_json::{Value, json};
use signalpost::{
    config::Config,
    hub::{Ending, Hub, Session},
    id::RoomId,
    journal::Follower,
    protocol::{Request, parse},
    room::{LeaveReason, Room},
};

const SLOTS: u8 = 5;
const MAX_CLIENTS: usize = 4;
const MAX_ROOMS: usize = 2;
const MAX_MEMBERS: usize = 3;

/// One more than there may be.
const ROOMS: [&str; 3] = ["a", "b", "語"];

const METADATA: [Value; 2] = [Value::Null, Value::Bool(true)];

/// Does what the bytes say, three for each step, and compares all that can be seen.
pub fn play(bytes: &[u8]) {
    let mut play = Play::new();
    let (mut steps, mut text) = (bytes, "");
    // Behind the steps there may be a text for a client to say.
    if let Some(at) = bytes.iter().position(|byte| *byte == b'{')
        && let Ok(rest) = std::str::from_utf8(&bytes[at..])
    {
        (steps, text) = (&bytes[..at], rest);
    }
    for step in steps.as_chunks::<3>().0 {
        play.step(*step, text);
    }
    play.look();
}

struct Play {
    hub: Arc<Hub>,
    clients: [Option<Client>; SLOTS as usize],
    rooms: BTreeMap<&'static str, Modelled>,
    events: Follower,
    replayed: BTreeMap<RoomId, Room>,
    bans: Vec<ModelledBan>,
}

struct Client {
    session: Session,
    id: String,
    names: Option<(String, Option<String>)>,
    room: Option<&'static str>,
    /// Where it waits for a seat, if it has none.
    waits: Option<&'static str>,
    role: Role,
    /// What it returns by to the room that it sits in, once it was looked at.
    token: Value,
    metadata: Value,
    due: Vec<Value>,
}

/// What somebody is in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Member,
    Host,
    /// For want of another host.
    ActingHost,
}

impl Play {
    fn new() -> Self {
        let flags = format!(
            "signalpost --max-connections {MAX_CLIENTS} --max-rooms {MAX_ROOMS} \
             --max-members {MAX_MEMBERS} --outbox-bytes 100000000 --outbox-messages 100000 --rate-limit 0"
        );
        let config = Config::try_parse_from(flags.split_whitespace()).unwrap();
        let hub = Arc::new(Hub::new(Arc::new(config)));
        let events = hub.journal().follow(Some(ROOMS.map(|name| name.parse().unwrap()).into()));
        Self {
            hub,
            clients: Default::default(),
            rooms: BTreeMap::new(),
            events,
            replayed: BTreeMap::new(),
            bans: Vec::new(),
        }
    }

    fn step(&mut self, [what, who, which]: [u8; 3], text: &str) {
        let (slot, room) = (who % SLOTS, ROOMS[usize::from(which) % ROOMS.len()]);
        match what {
            240 => self.come_back(slot, room, usize::from(which / 4)),
            241 | 242 => self.order_room(slot, which),
            243 | 244 => self.order_role(slot, which % SLOTS, (which / SLOTS).is_multiple_of(2)),
            245 => self.order_removal(slot, which % SLOTS, (which / SLOTS).is_multiple_of(2)),
            246 => self.ask_to_mute(slot, which % SLOTS),
            247 => self.deny(slot, which % SLOTS),
            248.. => self.admit(slot, (which % (SLOTS + 1) < SLOTS).then_some(which % SLOTS)),
            _ => match what % 24 {
                0 | 1 => self.connect(slot),
                2 => self.disconnect(slot, which),
                3 | 4 => self.join(slot, room, METADATA[usize::from(which / 4) % 2].clone()),
                5 => self.leave(slot, room),
                6 => self.register(slot, which),
                7 => self.signal(
                    slot,
                    which % SLOTS,
                    ["offer", "answer", "candidate"][usize::from(what / 24) % 3],
                ),
                8 => self.message(slot, (which % (SLOTS + 1) < SLOTS).then_some(which % SLOTS)),
                9 => self.lock(room, who % 2 == 0),
                10 => self.broadcast(slot, room, which),
                12 | 13 => self.create_room(room, who),
                14 => self.update_room(room, who, what / 24),
                15 => self.delete_room(room),
                16 => self.remove_client(slot, (which % 2 == 0).then_some(room)),
                17 | 18 => self.disconnect_client(slot, which),
                19 | 20 => self.ban(room, who, which),
                21 | 22 => self.lift_ban(which),
                23 => self.broadcast_to_rooms(slot, which),
                _ if which % 2 == 0 => self.look(),
                _ => self.babble(slot, text),
            },
        }
    }

    fn connect(&mut self, slot: u8) {
        let connected = self.clients.iter().flatten().count();
        let Some(client @ None) = self.clients.get_mut(usize::from(slot)) else { return };
        let session = self.hub.connect(bans::address(slot).into(), None);
        assert_eq!(session.is_ok(), connected < MAX_CLIENTS);
        let Ok(session) = session else { return };
        let id = session.client().id.to_string();
        let due = vec![json!({"type": "welcome", "clientId": id})];
        *client = Some(Client {
            session,
            id,
            names: None,
            room: None,
            waits: None,
            role: Role::Member,
            token: Value::Null,
            metadata: Value::Null,
            due,
        });
        if self.is_banned(None, None, slot) {
            self.hears(slot, json!({"type": "removed", "code": "banned", "roomId": null}));
            self.goes(slot, Ending::Banned);
        }
    }

    fn disconnect(&mut self, slot: u8, how: u8) {
        self.look();
        if self.clients[usize::from(slot)].is_none() {
            return;
        }
        // What others bring about is another step.
        let reasons: Vec<_> =
            LeaveReason::ALL.into_iter().filter(|reason| !reason.is_others()).collect();
        let reason = reasons[usize::from(how) % reasons.len()];
        self.depart(slot, reason);
        let client = self.clients[usize::from(slot)].take().unwrap();
        if reason == LeaveReason::InternalError {
            drop(client.session);
        } else {
            client.session.end(reason);
        }
    }

    fn leave(&mut self, slot: u8, name: &'static str) {
        if !self.say(slot, json!({"type": "leave", "roomId": name})) {
            return;
        }
        let client = self.client(slot);
        if client.room == Some(name) || client.waits == Some(name) {
            self.depart(slot, LeaveReason::Left);
            self.hears(slot, json!({"type": "left", "roomId": name}));
        }
    }

    fn register(&mut self, slot: u8, which: u8) {
        let user_id = [None, Some("ann"), Some("bob"), Some("語")][usize::from(which) % 4];
        let display_name = [None, Some("Ann \u{1f600}")][usize::from(which / 4) % 2];
        let request = json!({"type": "register", "userId": user_id, "displayName": display_name});
        if !self.say(slot, request) {
            return;
        }
        let client = self.client(slot);
        let names = (user_id.unwrap_or(&client.id).to_owned(), display_name.map(str::to_owned));
        let names = Some(names);
        let (room, waits) = (client.room, client.waits);
        let user_id = names.as_ref().unwrap().0.clone();
        let is_banned = match room.or(waits) {
            // Where it comes from is no matter of names.
            Some(_) => self.is_banned_by_name(room.or(waits), &user_id),
            None => self.is_banned(None, Some(&user_id), slot),
        };
        if is_banned {
            return self.hears(slot, json!({"type": "error", "code": "banned"}));
        }
        let client = self.client(slot);
        let has_changed = client.names != names;
        client.names = names;
        let (user_id, mut updated) = (client.user_id(), client.shown());
        self.hears(slot, json!({"type": "registered", "userId": user_id}));
        if let Some(name) = room.filter(|_| has_changed) {
            updated["type"] = json!("user-updated");
            updated.as_object_mut().unwrap().remove("metadata");
            self.tell(name, slot, &updated);
        } else if let Some(name) = waits.filter(|_| has_changed) {
            let knock = self.knock(slot);
            self.tell_hosts(name, &knock);
        }
    }

    fn signal(&mut self, from: u8, to: u8, kind: &'static str) {
        let field = if kind == "candidate" { "candidate" } else { "sdp" };
        let mut request = json!({"type": kind, "targetId": self.id(to)});
        request[field] = json!({"by": from});
        if self.say(from, request) {
            let client = self.client(from);
            let mut heard =
                json!({"type": kind, "fromId": client.id, "fromUserId": client.user_id()});
            heard[field] = json!({"by": from});
            if kind == "candidate" {
                heard.as_object_mut().unwrap().remove("fromUserId");
            }
            self.route(from, Some(to), &heard);
        }
    }

    fn message(&mut self, from: u8, to: Option<u8>) {
        let target = to.map(|to| self.id(to));
        if self.say(from, json!({"type": "message", "targetId": target, "content": [from]})) {
            let client = self.client(from);
            let (id, user_id) = (client.id.clone(), client.user_id());
            let heard =
                json!({"type": "message", "fromId": id, "fromUserId": user_id, "content": [from]});
            self.route(from, to, &heard);
        }
    }

    fn route(&mut self, from: u8, to: Option<u8>, heard: &Value) {
        let room = self.client(from).room;
        let Some(name) = room else {
            return self.hears(from, json!({"type": "error", "code": "not-in-room"}));
        };
        match to {
            None => self.tell(name, from, heard),
            Some(to) if self.rooms[name].members.contains(&to) => self.hears(to, heard.clone()),
            Some(_) => self.hears(from, json!({"type": "error", "code": "peer-not-found"})),
        }
    }

    /// Something that is no request, or a ping: what else a fuzzer may say is said by the other steps.
    fn babble(&mut self, slot: u8, text: &str) {
        let Some(client) = &mut self.clients[usize::from(slot)] else { return };
        let (id, request) = parse(text);
        let mut answer = match request {
            Ok(Request::Ping) => json!({"type": "pong"}),
            Ok(_) => return,
            Err(rejected) if rejected.join => json!({"type": "join-error", "code": rejected.code}),
            Err(rejected) => json!({"type": "error", "code": rejected.code}),
        };
        if let Some(id) = id {
            answer["requestId"] = json!(id);
        }
        assert!(client.session.receive(text).is_none());
        client.due.push(answer);
    }

    /// Whether there is such a client to say it.
    fn say(&mut self, slot: u8, mut request: Value) -> bool {
        request.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.say_as_it_is(slot, &request)
    }

    fn say_as_it_is(&mut self, slot: u8, request: &Value) -> bool {
        let Some(client) = &mut self.clients[usize::from(slot)] else { return false };
        if let Some(wish) = client.session.receive(&request.to_string()) {
            ready(client.session.carry_out(wish));
        }
        true
    }

    fn hears(&mut self, slot: u8, message: Value) {
        self.client(slot).due.push(message);
    }

    fn client(&mut self, slot: u8) -> &mut Client {
        self.clients[usize::from(slot)].as_mut().unwrap()
    }

    /// A client's id, or one of nobody's.
    fn id(&self, slot: u8) -> String {
        let nobody = || "0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10".to_owned();
        self.clients[usize::from(slot)].as_ref().map_or_else(nobody, |client| client.id.clone())
    }
}

impl Client {
    fn user_id(&self) -> Value {
        json!(self.names.as_ref().map(|(user_id, _)| user_id))
    }

    fn shown(&self) -> Value {
        let display_name = self.names.as_ref().and_then(|(_, name)| name.clone());
        json!({
            "clientId": self.id, "userId": self.user_id(), "displayName": display_name,
            "metadata": self.metadata, "role": self.role.shown(),
        })
    }

    /// What somebody must go by to return to its seat: the id of its connection is no name.
    fn own_name(&self) -> Option<String> {
        let (user_id, _) = self.names.as_ref()?;
        (*user_id != self.id).then(|| user_id.clone())
    }
}

impl Role {
    fn is_host(self) -> bool {
        self != Self::Member
    }

    fn shown(self) -> &'static str {
        if self.is_host() { "host" } else { "member" }
    }
}

/// In one server, nothing waits.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
