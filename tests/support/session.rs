//! Some clients and an administrator on one hub, whatever they do and in whatever order, beside a model that
//! is too simple to be wrong. Each client must hear what the model says it hears, message for message.

#![allow(dead_code, unreachable_pub, reason = "each test and fuzz target uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "session_admin.rs"]
mod admin;
#[path = "session_bans.rs"]
mod bans;
#[path = "session_look.rs"]
mod look;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bans::ModelledBan;
use clap::Parser;
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
    metadata: Value,
    due: Vec<Value>,
}

struct Modelled {
    /// Slots, in join order.
    members: Vec<u8>,
    locked: bool,
    max_members: usize,
    /// Also while it is empty.
    stays: bool,
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
        match what % 24 {
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
            14 => self.update_room(room, who),
            15 => self.delete_room(room),
            16 => self.remove_client(slot, (which % 2 == 0).then_some(room)),
            17 | 18 => self.disconnect_client(slot, which),
            19 | 20 => self.ban(room, who, which),
            21 | 22 => self.lift_ban(which),
            23 => self.broadcast_to_rooms(slot, which),
            _ if which % 2 == 0 => self.look(),
            _ => self.babble(slot, text),
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
        *client = Some(Client { session, id, names: None, room: None, metadata: Value::Null, due });
        if self.is_banned(None, None, slot) {
            self.hears(slot, json!({"type": "removed", "code": "banned", "roomId": null}));
            self.goes(slot, Ending::Banned);
        }
    }

    fn disconnect(&mut self, slot: u8, how: u8) {
        self.look();
        let Some(client) = self.clients[usize::from(slot)].take() else { return };
        let reason = LeaveReason::ALL[usize::from(how) % LeaveReason::ALL.len()];
        if let Some(room) = client.room {
            self.unseat(slot, &client.user_id(), &client.id, room, reason.as_str());
        }
        if reason == LeaveReason::InternalError {
            drop(client.session);
        } else {
            client.session.end(reason);
        }
    }

    fn join(&mut self, slot: u8, name: &'static str, metadata: Value) {
        if !self.say(slot, json!({"type": "join", "roomId": name, "metadata": metadata})) {
            return;
        }
        let current = self.client(slot).room;
        let user_id = self.client(slot).names.as_ref().map(|(user_id, _)| user_id.clone());
        let is_banned = self.is_banned(Some(name), user_id.as_deref(), slot);
        let refusal = match self.rooms.get(name) {
            _ if current == Some(name) => None,
            _ if is_banned => Some("banned"),
            Some(room) if room.members.len() >= room.max_members => Some("room-full"),
            Some(room) if room.locked => Some("room-locked"),
            None if self.rooms.len() >= MAX_ROOMS => Some("unavailable"),
            _ => None,
        };
        if let Some(code) = refusal {
            return self.hears(slot, json!({"type": "join-error", "code": code}));
        }
        if let Some(current) = current {
            let (id, user_id) = (self.client(slot).id.clone(), self.client(slot).user_id());
            self.hears(slot, json!({"type": "left", "roomId": current}));
            if current == name {
                self.rooms.get_mut(name).unwrap().members.retain(|member| *member != slot);
                self.tell(name, slot, &left(&user_id, &id, "rejoined"));
            } else {
                self.unseat(slot, &user_id, &id, current, "moved");
            }
        }
        let client = self.client(slot);
        (client.room, client.metadata) = (Some(name), metadata);
        let mut joined = self.client(slot).shown();
        joined["type"] = json!("user-joined");
        self.tell(name, slot, &joined);
        let room = self.rooms.entry(name).or_insert(Modelled {
            members: Vec::new(),
            locked: false,
            max_members: MAX_MEMBERS,
            stays: false,
        });
        let (others, info) = (room.members.clone(), room.shown());
        room.members.push(slot);
        let peers: Vec<_> = others.iter().map(|other| self.client(*other).shown()).collect();
        let members: Vec<_> = peers.iter().map(|peer| peer["clientId"].clone()).collect();
        self.hears(
            slot,
            json!({
                "type": "joined", "roomId": name, "members": members, "peers": peers, "room": info,
            }),
        );
    }

    fn leave(&mut self, slot: u8, name: &'static str) {
        if !self.say(slot, json!({"type": "leave", "roomId": name}))
            || self.client(slot).room != Some(name)
        {
            return;
        }
        let client = self.client(slot);
        let (id, user_id) = (client.id.clone(), client.user_id());
        client.room = None;
        self.unseat(slot, &user_id, &id, name, "left");
        self.hears(slot, json!({"type": "left", "roomId": name}));
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
        let room = client.room;
        let user_id = &names.as_ref().unwrap().0;
        if self.is_banned(room, Some(user_id), slot) {
            return self.hears(slot, json!({"type": "error", "code": "banned"}));
        }
        let client = self.client(slot);
        let has_changed = client.names != names;
        client.names = names;
        let (user_id, mut updated) = (client.user_id(), client.shown());
        self.hears(slot, json!({"type": "registered", "userId": user_id}));
        if let Some(name) = self.client(slot).room.filter(|_| has_changed) {
            updated["type"] = json!("user-updated");
            updated.as_object_mut().unwrap().remove("metadata");
            self.tell(name, slot, &updated);
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
        let Some(client) = &mut self.clients[usize::from(slot)] else { return false };
        request.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        if let Some(wish) = client.session.receive(&request.to_string()) {
            ready(client.session.carry_out(wish));
        }
        true
    }

    fn unseat(&mut self, slot: u8, user_id: &Value, id: &str, name: &'static str, reason: &str) {
        let room = self.rooms.get_mut(name).unwrap();
        room.members.retain(|member| *member != slot);
        if room.members.is_empty() && !room.stays {
            self.rooms.remove(name);
        }
        self.tell(name, slot, &left(user_id, id, reason));
    }

    /// To everyone in a room but one.
    fn tell(&mut self, name: &str, but: u8, message: &Value) {
        let room = self.rooms.get(name);
        let members = room.map_or_else(Vec::new, |room| room.members.clone());
        for slot in members.into_iter().filter(|slot| *slot != but) {
            self.hears(slot, message.clone());
        }
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
            "metadata": self.metadata,
        })
    }
}

impl Modelled {
    fn shown(&self) -> Value {
        json!({"locked": self.locked, "maxMembers": self.max_members, "metadata": {}})
    }
}

fn left(user_id: &Value, id: &str, reason: &str) -> Value {
    json!({"type": "user-left", "userId": user_id, "clientId": id, "reason": reason})
}

/// In one server, nothing waits.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
