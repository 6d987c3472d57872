//! Signalpost, a WebRTC signaling server: browsers meet in rooms over WebSocket, administrators watch and
//! steer the same rooms over gRPC.
//!
//! # The one idea
//!
//! Every change to a room is an event: decided once, sequenced once, applied, and shown to everyone concerned.
//!
//! ```text
//! command ──▶ Room::decide(&self, command, now) ──▶ changes or Denied      pure
//!                │
//!                ▼
//!            Journal::append(room, position decided on, changes) ──▶ events  the sequencer
//!                │
//!                ▼
//!            Room::apply(&mut self, event)                                   pure
//!                ├──▶ outboxes of the members: joined, user-joined, user-left, room-updated
//!                └──▶ WatchEvents: a cursor on the log, no queue for each caller
//! ```
//!
//! Signals change nothing, so they never enter the journal: the sender's session asks the room for the
//! target's outbox and puts the encoded message there.
//!
//! # One `offer`, from A to B
//!
//! ```text
//! socket ─▶ ws/connection      A's task; one poll of it is one turn, if A may speak (hub/rate, hub/outbox)
//!           ws/reader          frames to texts, each where it lies in the thread's buffer; size first
//!           hub/session        whose names and seat count
//!           protocol/request   one pass over a flat envelope; the payload stays as it is
//!           protocol/signal    encoded once
//!           hub/cell           lock the room: do both sit in it?
//!           hub/outbox         B's queue; does somebody flush it already?
//!           hub/client         in a turn: flush at its end; outside of one: wake B's own task
//!           hub/turn           at the end of A's turn, without the room's lock: flush B
//!           ws/wire            B's queue to frames, in one system call ─▶ socket
//! ```
//!
//! B's own task is summoned only where the socket takes no more, or where the message came outside of a turn.
//!
//! # One connection, from the door to its seat
//!
//! ```text
//! server/entrance    PROXY protocol and TLS, where asked for
//! http/visitors      a place among those that speak HTTP; hub/addresses: one of its address's
//! http/pace          a deadline for every state, by progress
//! ws/handshake       the upgrade; hub: a client, unless there are as many as fit (config/capacity)
//! auth               its token, with the upgrade or in `register`: who it is, what it may, where and until when
//! hub/appointments   what is due to it at a time of its own: word that its token is about to expire, its end
//! hub/keep           what is kept for it counts, and who does not take or finish it goes
//! ```
//!
//! # What an administrator asks for
//!
//! ```text
//! server/admin_stream    TLS, where asked for
//! admin/door         who makes the call, and whether they may
//! admin/gate         a place for the call, and bounds on what it takes
//! admin/service      which file deals with it; admin/request_ids: a retry acts once
//! admin/convert      protobuf to our own types, with every field at fault named
//! hub/rooms, bans, removal, broadcast, drain     what it is for
//! hub/cell           a command like any other; hub/bans: the same for who is kept out
//! journal            the event, with its cause ─▶ admin/watch: each watcher a position in the log
//! ```
//!
//! Bans are not a part of a room: they stand whether it exists or not, and some are for all. They are one more thing
//! that is decided, sequenced and applied. A ban stands before those are looked for whom it meets, and whoever comes
//! shows who it is before it asks for bans: one of the two always finds the other.
//!
//! # Who may know whom
//!
//! `main → {server, bench, gen_token, check_token} → {http, admin} → ws → hub → metrics →
//! {protocol, journal, turn, auth} → {room, ban} → {event, password} → id → config`. Nothing names what stands left of
//! it; a test holds this.
//!
//! # Invariants
//!
//! 1. A room is the unit of consistency: what changes in it is totally ordered; rooms do not know of each
//!    other. Signals are ordered per sender and target.
//! 2. No lock is held across an `.await`, and nothing is parsed or encoded under a room's. Announcements
//!    enter outboxes under the room's lock, in order, so nobody hears of a member before its own `joined`.
//! 3. A payload is never parsed past its JSON syntax, never rewritten, never logged.
//! 4. A message is encoded once, however many receive it.
//! 5. A signal passes only between members of one room.
//! 6. Nothing waits for a slow browser but who speaks to it: writing to another's socket never blocks, and who
//!    fills half of an outbox is not read from until that has drained. Only who then takes nearly nothing for
//!    long is closed. Never is one message left out.
//! 7. Everything has a limit, and each stands in `config/limits.rs` or has a flag.
//! 8. Whatever way a connection ends, its seat is freed exactly once, by dropping its `Session` or, in its own name, by
//!    whoever ends it, and everyone concerned is told, with the reason.
//! 9. A signal touches no map or lock shared by all rooms: a seated session holds its room's cell.
//! 10. A cell that closed stays closed; whoever finds one in the directory replaces it. So `closed` always
//!     precedes the next `created`.
//! 11. No task outlives [`server::Server::run`]; where that is cut short, each ends at its next poll.
//!
//! # Where the code departs from its design
//!
//! - An announcement is put together from its event under the room's lock and encoded outside of it, by
//!   whoever first sends it ([`protocol::Announcement`]). The design had every announcement
//!   encoded before the lock, which cannot be for `room-updated`: what it says is known only under the lock.
//! - `http` is a module of its own beside `ws`: files and health are no WebSocket's business.
//! - A snapshot for watchers is of one moment: the rooms are copied one by one, then the log's events are applied to
//!   the copies until both are as far. The design left that to the watchers, whose cursor would not have been good
//!   for coming back before they were through.
//! - A full outbox does not end its connection: any member could have a slower one closed. It holds back who
//!   fills it (`hub/outbox`), and `hub/keep` ends who does not read. What many say in the same moment may
//!   overfill it, by one message each.
//! - Rates are counted by buckets of our own (`hub/rate`): a connection's task alone uses them, in the heartbeat's
//!   ticks. The crates ask a clock, or share a cell, for every message.
//! - An outbox hands its entries over when they are taken and counts them until they are acknowledged; it
//!   keeps none. Resumption will keep them.
//! - The envelope is split by a scanner of our own (`protocol/json`), not by serde_json: an offer spends most
//!   of its time being parsed. It takes what serde_json takes; a property test holds the two together.
//! - Frames are read by `ws/reader`, not by tungstenite, which zeroes before each read, reserves what a header
//!   declares and copies each message out. Its parser of frame heads is used, and its answer to a handshake's
//!   key; a test and a fuzzer hold the two readers together.
//! - Without `--outbox-bytes`, an outbox grows with `--max-members`, so that raising one flag does not
//!   demand another; only an explicit value that is too small is refused.

pub mod admin;
pub mod auth;
pub mod ban;
pub mod bench;
pub mod check_token;
pub mod config;
pub mod event;
pub mod gen_token;
pub mod http;
pub mod hub;
pub mod id;
pub mod journal;
pub mod metrics;
pub mod password;
pub mod protocol;
pub mod room;
pub mod server;
pub mod telemetry;
pub mod turn;
pub mod ws;
