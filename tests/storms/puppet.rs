//! A client in a thread's hands: it believes what it hears, and goes when its connection would.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Weak},
};

use serde_json::{Value, json};
use signalpost::{
    hub::{Client, Due, Ending, Hub, NotLetIn, Session},
    room::LeaveReason,
};

use super::ready;

pub(crate) struct Puppet {
    pub(crate) session: Session,
    pub(crate) id: String,
    /// Where it sits and with whom, by what it heard.
    pub(crate) room: Option<String>,
    pub(crate) roster: BTreeSet<String>,
    /// Where it waits for a seat, and by which request.
    pub(crate) waiting: Option<(String, Value)>,
    /// Whether it is host there, and who waits by what it heard as one.
    host: bool,
    pub(crate) knocking: BTreeSet<String>,
    asked: u32,
    /// Codes of `removed` since it last joined.
    removed: Vec<String>,
}

impl Puppet {
    pub(crate) fn connect(hub: &Arc<Hub>, address: IpAddr) -> Result<Self, NotLetIn> {
        let session = hub.connect(address.into(), None)?;
        let id = session.client().id.to_string();
        Ok(Self {
            session,
            id,
            room: None,
            roster: BTreeSet::new(),
            waiting: None,
            host: false,
            knocking: BTreeSet::new(),
            asked: 0,
            removed: Vec::new(),
        })
    }

    pub(crate) fn client(&self) -> Weak<Client> {
        Arc::downgrade(self.session.client())
    }

    /// Says it, and hears what is due. Returns the answer's type and code, unless that is the end.
    pub(crate) fn ask(&mut self, mut request: Value) -> Result<(String, Value), Ending> {
        self.asked += 1;
        let asked = json!(self.asked.to_string());
        request["requestId"] = asked.clone();
        if let Some(wish) = self.session.receive(&request.to_string()) {
            ready(self.session.carry_out(wish));
        }
        let mut answer = None;
        self.hear(|message| {
            if answer.is_none() && message["requestId"] == asked {
                answer = Some((text(&message["type"]), message["code"].clone()));
            }
        })?;
        // A `leave` of a room that it does not sit in has none.
        Ok(answer.unwrap_or_default())
    }

    pub(crate) fn join(&mut self, room: &str) -> Result<(String, Value), Ending> {
        self.ask(json!({"type": "join", "roomId": room}))
    }

    pub(crate) fn leave(&mut self, room: &str) -> Result<(String, Value), Ending> {
        self.ask(json!({"type": "leave", "roomId": room}))
    }

    pub(crate) fn register(&mut self, user_id: &str) -> Result<(String, Value), Ending> {
        self.ask(json!({"type": "register", "userId": user_id}))
    }

    /// Takes note of what is due, up to the end if that is near.
    pub(crate) fn hear(&mut self, mut also: impl FnMut(&Value)) -> Result<(), Ending> {
        loop {
            let mut batch = Vec::new();
            let due = self.session.client().outbox.take_due(&mut batch, usize::MAX);
            self.session.client().outbox.acknowledge();
            for entry in batch {
                let message = serde_json::from_str(entry.frame().as_str()).unwrap();
                self.note(&message);
                also(&message);
            }
            match due {
                Due::Nothing => return Ok(()),
                Due::Send { .. } => {}
                Due::End(ending) => {
                    // Nothing comes after the word that it ends, and that is said once.
                    let code = match ending {
                        Ending::Removed => "removed",
                        Ending::Banned => "banned",
                        Ending::RoomClosed => "room-closed",
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(self.removed.last().map(String::as_str), Some(code));
                    assert_eq!((&self.room, &self.waiting), (&None, &None));
                    return Err(ending);
                }
            }
        }
    }

    fn note(&mut self, message: &Value) {
        let who = || text(&message["clientId"]);
        let ends = |code: &String| code == "room-closed";
        assert!(!self.removed.iter().any(ends), "{message} after the end");
        match &*text(&message["type"]) {
            "joined" => {
                assert_eq!(self.room, None, "its old seat is given up before: {message}");
                self.room = Some(text(&message["roomId"]));
                if let Some((room, request_id)) = self.waiting.take() {
                    assert_eq!(
                        (Some(room), request_id),
                        (self.room.clone(), message["requestId"].clone())
                    );
                }
                self.host = message["role"] == "host";
                self.knocking.clear();
                self.roster = message["members"].as_array().unwrap().iter().map(text).collect();
                assert!(self.roster.insert(self.id.clone()));
                self.removed.clear();
            }
            "left" => {
                let waited = self.waiting.take().map(|(room, _)| room);
                assert!(waited.is_none() || self.room.is_none());
                assert_eq!(self.room.take().or(waited), Some(text(&message["roomId"])));
            }
            "waiting" => {
                let room = text(&message["roomId"]);
                // Asking again begins anew.
                let waited = self.waiting.take().map(|(waited, _)| waited);
                assert!(waited.is_none_or(|waited| waited == room), "{message}");
                assert_eq!(self.room, None, "{message}");
                self.waiting = Some((room, message["requestId"].clone()));
                self.removed.clear();
            }
            "join-error" => {
                self.waiting.take_if(|(_, request_id)| *request_id == message["requestId"]);
            }
            "removed" => {
                let room = message["roomId"].as_str().map(str::to_owned);
                assert!(room.is_none() || self.room == room || self.room.is_none(), "{message}");
                (self.room, self.waiting) = (None, None);
                self.removed.push(text(&message["code"]));
            }
            "user-joined" => assert!(self.room.is_some() && self.roster.insert(who())),
            "user-left" => assert!(self.room.is_some() && self.roster.remove(&who()), "{message}"),
            "role-changed" => {
                assert!(who() == self.id || self.roster.contains(&who()), "{message}");
                if who() == self.id {
                    self.host = message["role"] == "host";
                    if !self.host {
                        self.knocking.clear();
                    }
                }
            }
            "knock" => {
                assert!(self.host && self.room.is_some(), "{message}");
                self.knocking.insert(who());
            }
            "knock-ended" => {
                assert!(self.host && self.knocking.remove(&who()), "{message}");
            }
            "user-updated" | "room-updated" => assert!(self.room.is_some(), "{message}"),
            _ => {}
        }
    }

    /// As its connection would, when its outbox says so.
    pub(crate) fn end(self, ending: Ending) {
        self.session.end(ending.leave_reason());
    }

    pub(crate) fn vanish(self) {
        self.session.end(LeaveReason::Disconnected);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
