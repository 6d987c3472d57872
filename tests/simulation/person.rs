//! A client of some node that does this and that: it believes what it hears, and what it hears must be a story.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;
use serde_json::{Value, json};
use signalpost::{
    hub::{Due, Ending, Entry, Session},
    room::LeaveReason,
};
use tokio::{
    sync::watch,
    time::{Instant, error::Elapsed, sleep, timeout},
};

use super::world::{Node, ROOMS, USERS};

/// Longer than anybody has to wait for an answer, whatever happens.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Person {
    pub(crate) node: Arc<Node>,
    random: Rng,
    connected: Option<Connected>,
}

/// One connection, and what it heard.
pub(crate) struct Connected {
    session: Session,
    pub(crate) id: String,
    /// Where it sits and with whom.
    pub(crate) room: Option<String>,
    pub(crate) roster: BTreeSet<String>,
    /// Where it waits for a seat, and by which request.
    pub(crate) waiting: Option<(String, Value)>,
    is_host: bool,
    knocking: BTreeSet<String>,
    /// How many it asked, and the request that has no answer yet.
    asked: u32,
    pending: Option<Value>,
    /// Since when.
    pub(crate) since: Instant,
    /// What it said there, and when, and who was to hear it.
    pub(crate) said: Vec<(u64, Instant, BTreeSet<String>)>,
    last_said: u64,
    /// The numbers that it heard since it sits there, of whom.
    pub(crate) heard: BTreeMap<String, Vec<u64>>,
    /// All that it asked and heard.
    told: Vec<String>,
    began: Instant,
}

impl Person {
    pub(crate) fn new(node: &Arc<Node>, random: Rng) -> Self {
        Self { node: Arc::clone(node), random, connected: None }
    }

    pub(crate) fn connected(&self) -> Option<&Connected> {
        self.connected.as_ref()
    }

    /// Does this and that until it is `over`.
    pub(crate) async fn live(mut self, over: watch::Receiver<bool>) -> Self {
        while !*over.borrow() {
            self.node.line.runs().await;
            self.step().await;
            sleep(Duration::from_millis(self.random.u64(0..400))).await;
        }
        self
    }

    async fn step(&mut self) {
        self.hear();
        let random = &mut self.random;
        let Some(connected) = &mut self.connected else {
            let address = IpAddr::from(Ipv4Addr::new(192, 0, 2, random.u8(..)));
            if let Ok(session) = self.node.hub.connect(address.into(), None) {
                self.connected = Some(Connected::new(session));
                self.hear();
            }
            return;
        };
        let room = ROOMS[random.usize(..ROOMS.len())];
        let patience = match random.u8(..20) {
            0 => Duration::from_millis(random.u64(..300)),
            _ => PATIENCE,
        };
        let asked = match random.u8(..16) {
            0 => return self.vanish(LeaveReason::Disconnected),
            1 => {
                let room = connected.room.clone().unwrap_or_else(|| room.to_owned());
                connected.ask(json!({"type": "leave", "roomId": room}), patience).await
            }
            2 => {
                let user = USERS[random.usize(..USERS.len())];
                connected.ask(json!({"type": "register", "userId": user}), patience).await
            }
            3 if connected.room.is_some() => {
                let lobby = random.u8(..3) == 0;
                connected.ask(json!({"type": "update-room", "lobby": lobby}), patience).await
            }
            4 if connected.is_host => {
                let knocks: Vec<_> = connected.knocking.iter().cloned().collect();
                let Some(target) = random.choice(knocks) else { return };
                let kind = if random.u8(..3) == 0 { "deny" } else { "admit" };
                connected.ask(json!({"type": kind, "targetId": target}), patience).await
            }
            5..=11 if connected.room.is_some() => {
                let others = connected.roster.iter().filter(|id| **id != connected.id).cloned();
                let one = random.choice(others.collect::<Vec<_>>()).filter(|_| random.bool());
                connected.say(one);
                Ok(())
            }
            _ => connected.ask(json!({"type": "join", "roomId": room}), patience).await,
        };
        match asked {
            Ok(()) => self.hear(),
            // Its connection breaks while it waits.
            Err(_) => self.vanish(LeaveReason::Disconnected),
        }
    }

    /// Hears what is due to it.
    pub(crate) fn hear(&mut self) {
        let Some(connected) = &mut self.connected else { return };
        let Err(ending) = connected.hear() else { return };
        self.vanish(ending.leave_reason());
    }

    /// Says something to all in its room.
    pub(crate) fn say_to_all(&mut self) {
        if let Some(connected) = self.connected.as_mut().filter(|one| one.room.is_some()) {
            connected.say(None);
        }
    }

    fn vanish(&mut self, reason: LeaveReason) {
        if let Some(Connected { session, .. }) = self.connected.take() {
            session.end(reason);
        }
    }
}

/// All that it asked and heard.
impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(&self.id).field(&self.told).finish()
    }
}

impl Connected {
    fn new(session: Session) -> Self {
        let id = session.client().id.to_string();
        Self {
            session,
            id,
            room: None,
            roster: BTreeSet::new(),
            waiting: None,
            is_host: false,
            knocking: BTreeSet::new(),
            asked: 0,
            pending: None,
            since: Instant::now(),
            said: Vec::new(),
            last_said: 0,
            heard: BTreeMap::new(),
            told: Vec::new(),
            began: Instant::now(),
        }
    }

    async fn ask(&mut self, mut request: Value, patience: Duration) -> Result<(), Elapsed> {
        self.asked += 1;
        let asked = json!(self.asked.to_string());
        request["requestId"] = asked.clone();
        self.trail(format!("asks {request}"));
        let is_join = request["type"] == "join";
        self.pending = is_join.then_some(asked);
        if let Some(wish) = self.session.receive(&request.to_string()) {
            let done = timeout(patience, self.session.carry_out(wish)).await;
            assert!(
                done.is_ok() || patience < PATIENCE,
                "no answer to {request}: {:#?}",
                self.told
            );
            done?;
        }
        let is_over = self.hear_all(&mut Vec::new());
        assert!(is_over.is_err() || self.pending.is_none(), "no answer: {:#?}", self.told);
        Ok(())
    }

    fn say(&mut self, to: Option<String>) {
        self.last_said += 1;
        let number = self.last_said;
        let mut message = json!({"type": "message", "content": number});
        let mut whom = self.roster.clone();
        whom.remove(&self.id);
        if let Some(to) = to {
            message["targetId"] = json!(to);
            whom = BTreeSet::from([to]);
        }
        self.trail(format!("says {message}"));
        assert!(self.session.receive(&message.to_string()).is_none());
        self.said.push((number, Instant::now(), whom));
    }

    fn hear(&mut self) -> Result<(), Ending> {
        self.hear_all(&mut Vec::new())
    }

    fn hear_all(&mut self, batch: &mut Vec<Entry>) -> Result<(), Ending> {
        loop {
            let outbox = &self.session.client().outbox;
            let due = outbox.take_due(batch, usize::MAX);
            outbox.acknowledge();
            for entry in batch.drain(..) {
                let message: Value = serde_json::from_str(entry.frame().as_str()).unwrap();
                self.trail(message.to_string());
                self.note(&message);
            }
            match due {
                Due::Nothing => return Ok(()),
                Due::Send { .. } => {}
                Due::End(ending) => return Err(ending),
            }
        }
    }

    fn trail(&mut self, what: String) {
        self.told.push(format!("{:?} {what}", self.began.elapsed()));
    }

    #[track_caller]
    fn holds(&self, holds: bool, message: &Value) {
        assert!(holds, "{} heard {message} after {:#?}", self.id, self.told);
    }

    fn note(&mut self, message: &Value) {
        let who = || text(&message["clientId"]);
        let room = || text(&message["roomId"]);
        if message["type"] == "join-error" || message["type"] == "waiting" {
            self.pending.take_if(|pending| *pending == message["requestId"]);
        }
        match message["type"].as_str().unwrap() {
            "joined" => {
                self.holds(self.room.is_none(), message);
                let waited = self.waiting.take();
                self.holds(waited.as_ref().is_none_or(|(waited, _)| *waited == room()), message);
                let asked = self.pending.take_if(|pending| *pending == message["requestId"]);
                let waited = waited.is_some_and(|(_, by)| by == message["requestId"]);
                self.holds(asked.is_some() || waited, message);
                self.room = Some(room());
                self.is_host = message["role"] == "host";
                self.knocking.clear();
                self.roster = message["members"].as_array().unwrap().iter().map(text).collect();
                self.holds(!self.roster.contains(&self.id), message);
                self.roster.insert(self.id.clone());
                self.since = Instant::now();
                self.said.clear();
                self.heard.clear();
            }
            "left" => {
                let waited = self.waiting.take().map(|(room, _)| room);
                let sat = self.room.take();
                self.holds(sat.or(waited) == Some(room()), message);
            }
            "waiting" => {
                let waited = self.waiting.take().map(|(waited, _)| waited);
                self.holds(waited.is_none_or(|waited| waited == room()), message);
                self.holds(self.room.is_none(), message);
                self.waiting = Some((room(), message["requestId"].clone()));
            }
            "join-error" => {
                self.waiting.take_if(|(_, request_id)| *request_id == message["requestId"]);
            }
            // Who is out of reach for others is told that they do not hear it.
            "error" if message["code"] == "unavailable" && message["requestId"].is_null() => {
                self.said.pop();
            }
            "removed" => (self.room, self.waiting) = (None, None),
            "user-joined" => {
                let is_new = self.roster.insert(who());
                self.holds(self.room.is_some() && is_new, message);
            }
            "user-left" => {
                let was_there = self.roster.remove(&who());
                self.holds(self.room.is_some() && was_there && who() != self.id, message);
            }
            "role-changed" => {
                self.holds(self.roster.contains(&who()), message);
                if who() == self.id {
                    self.is_host = message["role"] == "host";
                    if !self.is_host {
                        self.knocking.clear();
                    }
                }
            }
            "user-updated" => self.holds(self.roster.contains(&who()), message),
            "knock" => {
                self.holds(self.is_host && self.room.is_some(), message);
                self.knocking.insert(who());
            }
            "knock-ended" => {
                let knocked = self.knocking.remove(&who());
                self.holds(self.is_host && knocked, message);
            }
            "room-updated" => self.holds(self.room.is_some(), message),
            "message" => {
                let (from, number) =
                    (text(&message["fromId"]), message["content"].as_u64().unwrap());
                self.holds(self.room.is_some() && self.roster.contains(&from), message);
                let last = self.heard.get(&from).and_then(|heard| heard.last());
                self.holds(last.is_none_or(|last| *last < number), message);
                self.heard.entry(from).or_default().push(number);
            }
            _ => {}
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
