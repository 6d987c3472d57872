//! One connected client's own view: its names, its seat, and the requests it makes one after another.

mod hosting;
mod names;
mod seat;
mod wish;

use std::{mem, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{
    Client, Ending, Hub,
    cell::{Away, RoomCell, Unroutable},
    client::Names,
    fleet::Whom,
    outbox::Entry,
    rate::{Meter, Over, milliseconds},
};
use crate::{
    ban::Ban,
    id::ClientId,
    metrics::{Closing, Message},
    protocol::{self, Code, Json, Rejected, Reply, Request, RequestId, Sender, SignalKind},
    room::{Denied, LeaveReason},
};
use names::Register;
use wish::What;
pub use wish::Wish;

/// When to try again what the servers of a fleet cannot do now.
const RETRY_MILLISECONDS: u64 = 1000;

/// Ends with its value: whatever way the connection goes, dropping this frees the seat and the name.
#[derive(Debug)]
pub struct Session {
    client: Arc<Client>,
    /// Most clients that only wait have none.
    names: Option<Arc<Names>>,
    /// Where it sits, unless somebody freed the seat meanwhile: the room knows.
    seat: Option<Arc<RoomCell>>,
    meter: Meter,
    /// Whether it said a whole message since it last rested.
    spoke: bool,
    /// Whether it is not listened to.
    silenced: bool,
    /// Whether it is summoned in the next tick, for its rate.
    waits: bool,
}

impl Session {
    pub(super) fn new(client: Arc<Client>) -> Self {
        let hub = &client.outbox.hub;
        let meter = Meter::new(&hub.rates, hub.heartbeat.now());
        Self { client, names: None, seat: None, meter, spoke: false, silenced: false, waits: false }
    }

    fn hub(&self) -> &Arc<Hub> {
        &self.client.outbox.hub
    }

    /// The longest message that the client may send, in bytes.
    pub fn max_message_bytes(&self) -> usize {
        self.hub().config.max_message_bytes
    }

    /// Cuts the client's goodbye short.
    pub fn killed(&self) -> &CancellationToken {
        &self.hub().killed
    }

    /// Whose session it is.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Whether the client may be listened to now: it is within its rate, and nobody's outbox is half full of what
    /// it said. Otherwise its connection is summoned when that may have changed; meanwhile it cannot be silent for too
    /// long.
    pub fn may_speak(&mut self) -> bool {
        let Self { client, meter, .. } = self;
        let Hub { heartbeat, rates, .. } = &*client.outbox.hub;
        let now = heartbeat.now();
        self.waits &= !meter.fill(rates, now);
        let is_held = client.is_held();
        if !is_held && meter.allows_a_message() {
            if mem::take(&mut self.silenced) {
                client.listened_to_again(now, meter.silenced_since.into());
            }
            return true;
        }
        self.silence();
        let Self { client, meter, .. } = self;
        let Hub { heartbeat, rates, .. } = &*client.outbox.hub;
        if !is_held && !mem::replace(&mut self.waits, true) {
            heartbeat.summon_later(client);
            let ticks = meter.ticks_to_wait(rates);
            match meter.note_over() {
                Over::Tell => {
                    let text = "You say too much at once: the rest of it has to wait";
                    self.refuse(&Rejected::rate_limited(text, milliseconds(ticks)), None);
                }
                Over::Told => {}
                Over::End => client.outbox.end(Ending::RateLimited),
            }
        }
        false
    }

    /// From now on the client is not listened to, for no fault of its own, until it may speak.
    fn silence(&mut self) {
        if !mem::replace(&mut self.silenced, true) {
            self.meter.silenced_since = 0;
        }
        self.client.not_listened_to();
    }

    /// Takes one message out of the client's allowance, or a control frame. Returns false where that was the last one
    /// for now.
    pub fn count_message(&mut self) -> bool {
        self.meter.message(&self.client.outbox.hub.rates);
        self.meter.allows_a_message()
    }

    /// Notes how many bytes the client has sent in a turn, be they only a part of a message, and how many are kept of
    /// an unfinished one.
    pub fn heard(&mut self, bytes: usize, unfinished: usize) {
        let Hub { heartbeat, rates, metrics, .. } = &*self.client.outbox.hub;
        let now = heartbeat.now();
        if bytes > 0 {
            metrics.received(bytes);
            self.client.heard(now);
            self.client.bytes_in.add(bytes as u64);
            self.meter.bytes(rates, bytes);
        }
        self.client.note_unfinished(unfinished, mem::take(&mut self.spoke), now);
    }

    /// Notes the same of what was only read ahead, as the client may not speak.
    pub fn read_ahead(&mut self, bytes: usize, unhandled: usize) {
        let Hub { heartbeat, rates, metrics, .. } = &*self.client.outbox.hub;
        metrics.received(bytes);
        self.client.bytes_in.add(bytes as u64);
        self.meter.bytes(rates, bytes);
        self.client.note_unfinished(unhandled, false, heartbeat.now());
    }

    /// Notes a sign of life other than a message.
    pub fn is_alive(&self) {
        self.client.heard(self.hub().heartbeat.now());
    }

    /// Handles one message: whatever it leads to is in outboxes afterwards. Only a wish may have to be waited
    /// for: it is to be carried out before the next message.
    pub fn receive(&mut self, text: &str) -> Option<Box<Wish>> {
        self.spoke = true;
        self.client.messages_in.add(1);
        let (request_id, request) = protocol::parse(text);
        let message = Message::of(&request);
        let answer = match request {
            // What most of them are, and no wish.
            Ok(Request::Signal { kind, target, payload }) => {
                let answer = self.signal(kind, target, payload);
                self.conclude(message, &answer, request_id.as_ref());
                return None;
            }
            Ok(request) => self.wish(request, request_id.as_ref()),
            // One that cannot be read is no exception, unless anybody may ask that.
            Err(rejected) => Err(match self.authenticated() {
                Err(nobody) if !rejected.for_anybody => Rejected { join: rejected.join, ..nobody },
                _ => rejected,
            }),
        };
        let Ok(Some(what)) = answer else {
            self.conclude(message, &answer.map(drop), request_id.as_ref());
            return None;
        };
        Some(Box::new(Wish { what, message, request_id }))
    }

    /// Does what the client asks for, unless it is a signal, or says what of it may have to be waited for.
    fn wish(
        &mut self,
        request: Request<'_>,
        request_id: Option<&RequestId>,
    ) -> Result<Option<What>, Rejected> {
        Ok(Some(match request {
            Request::Signal { .. } => return Ok(None),
            Request::Join(request) => {
                let allowed = self.change().and_then(|()| self.admitted_to(&request.room_id));
                allowed.map_err(|rejected| Rejected { join: true, ..rejected })?;
                What::Join { request, since: Instant::now() }
            }
            Request::UpdateRoom(update) => {
                self.authenticated()?;
                self.change()?;
                What::Update(update)
            }
            Request::Order(order) => {
                self.authenticated()?;
                What::Order(order)
            }
            Request::Leave { room_id } => {
                self.authenticated()?;
                if self.seat.as_ref().is_none_or(|cell| *cell.id() != room_id) {
                    return Ok(None);
                }
                What::Leave
            }
            Request::Register { identity, token } => {
                self.change()?;
                let token = token.filter(|_| self.hub().authority().is_some());
                What::Register(Box::new(Register { identity, token }))
            }
            Request::Ping => {
                self.reply(&Reply::Pong { request_id });
                return Ok(None);
            }
        }))
    }

    /// Notes why the connection parts.
    pub fn parts(&self, closing: Closing) {
        self.hub().metrics.closing(closing);
    }

    /// Frees the seat, if there is one, and forgets the client.
    pub fn end(mut self, reason: LeaveReason) {
        self.forsake(reason);
    }

    /// Takes a change out of the client's allowance.
    fn change(&mut self) -> Result<(), Rejected> {
        self.meter.change(&self.client.outbox.hub.rates).map_err(|ticks| {
            if self.meter.note_over() == Over::End {
                self.client.outbox.end(Ending::RateLimited);
            }
            let text = "You join, register or change the room too often; try again shortly";
            Rejected::rate_limited(text, milliseconds(ticks))
        })
    }

    fn signal(
        &self,
        kind: SignalKind,
        target: Option<ClientId>,
        payload: Json<'_>,
    ) -> Result<(), Rejected> {
        let cell = self.seat.as_ref().ok_or_else(|| self.not_seated())?;
        let from = self.client.id;
        let user_id = self.names.as_ref().map(|names| &names.user_id);
        let frame = Sender { client_id: from, user_id }.signal(kind, payload);
        let routed = match target {
            Some(target) => cell.route(from, target, frame),
            None => cell.fan_out(from, frame),
        };
        match routed {
            Ok(None) => Ok(()),
            Ok(away) => self.forward(cell, away, target),
            Err(Unroutable::SenderNotSeated) => Err(not_in_room()),
            Err(Unroutable::TargetNotSeated) => Err(Rejected::peer_not_found()),
        }
    }

    /// Hands on what is for room-mates who are connected to other servers.
    fn forward(
        &self,
        cell: &RoomCell,
        away: Option<Away>,
        to: Option<ClientId>,
    ) -> Result<(), Rejected> {
        let Some(away) = away else { return Ok(()) };
        let whom = Whom { from: Some(self.client.id), to, but: None };
        self.hub().forward(cell.id(), &away, whom).map_err(Rejected::from)
    }

    /// Why somebody without a seat cannot do what takes one.
    fn not_seated(&self) -> Rejected {
        self.authenticated().err().unwrap_or_else(not_in_room)
    }

    /// What becomes of a message in the end: it is counted, and refused where it must be.
    fn conclude(
        &self,
        message: Message,
        answer: &Result<(), Rejected>,
        request_id: Option<&RequestId>,
    ) {
        self.hub().metrics.message(message, answer.is_ok());
        if let Err(rejected) = answer {
            self.refuse(rejected, request_id);
        }
    }

    fn refuse(&self, rejected: &Rejected, request_id: Option<&RequestId>) {
        self.hub().metrics.refusal(rejected.code);
        self.reply(&rejected.reply(request_id));
    }

    fn reply(&self, reply: &Reply<'_>) {
        self.client.push_from(&self.client, Entry::Frame(reply.encode()));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Unless it was ended: as when the connection's task panics.
        self.forsake(LeaveReason::InternalError);
        self.hub().clients.remove(self.client.id);
        // Once it is found no more: whoever keeps an appointment with it may make the next.
        self.hub().appointments.forget(self.client.id);
        self.hub().addresses.leave(self.client.network());
        self.client.outbox.let_go();
        self.client.note_unfinished(0, false, self.hub().heartbeat.now());
    }
}

fn banned(ban: &Ban) -> Rejected {
    let text = ban.reason.as_deref().map_or_else(|| Denied::Banned.to_string(), str::to_owned);
    Rejected::new(Code::Banned, text)
}

/// The servers of a fleet cannot do it now.
fn unavailable() -> Rejected {
    let retry_after_ms = Some(RETRY_MILLISECONDS);
    let text = "The servers cannot agree on anything now; try again shortly";
    Rejected { retry_after_ms, ..Rejected::new(Code::Unavailable, text) }
}

/// The same, and it may have been done.
fn unsettled() -> Rejected {
    let retry_after_ms = Some(RETRY_MILLISECONDS);
    let text =
        "It may or may not have been done, which the servers cannot tell now; look, and try again";
    Rejected { retry_after_ms, ..Rejected::new(Code::Unavailable, text) }
}

/// It was done, and may be lost, or some server may not know of it yet.
fn unsafe_yet() -> Rejected {
    let text = "It was done, but the servers cannot promise yet that it lasts";
    Rejected::new(Code::Unavailable, text)
}

/// The same, of what may be asked for again.
fn unsafe_until_asked_again() -> Rejected {
    let retry_after_ms = Some(RETRY_MILLISECONDS);
    let text =
        "It was done, but the servers cannot promise yet that it lasts; the same again promises it";
    Rejected { retry_after_ms, ..Rejected::new(Code::Unavailable, text) }
}

fn not_in_room() -> Rejected {
    Rejected::new(Code::NotInRoom, "You are in no room")
}

#[cfg(test)]
mod tests;
