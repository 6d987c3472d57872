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
//!                ├──▶ outboxes: joined, user-joined, user-left, role-changed, room-updated to members,
//!                │    waiting to who asked for a seat, knock to hosts
//!                └──▶ WatchEvents: a cursor on the log, no queue for each caller
//! ```
//!
//! Signals change nothing, so they never enter the journal: the sender's session asks the room for the
//! target's outbox and puts the encoded message there.
//!
//! A server that stands alone is its own sequencer: decided, sequenced and applied in one go, under the room's lock. In a
//! fleet, Redis is everybody's: it compares the version that something was decided on, and knows no rule.
//!
//! # One `offer`, from A to B
//!
//! ```text
//! socket ─▶ ws/connection      A's task; one poll of it is one turn, if A may speak (hub/rate, hub/outbox)
//!           ws/reader          frames to texts, each where it lies in the thread's buffer; size first
//!           hub/session        whose names and seat count
//!           protocol/request   one pass over a flat envelope; the payload stays as it is
//!           protocol/signal    encoded once, as the frame that goes out
//!           hub/cell           lock the room: do both sit in it?
//!           hub/outbox         B's queue; does somebody flush it already?
//!           hub/client         in a turn: flush behind it; outside of one: wake B's own task
//!           hub/turn           before A's thread sleeps, or 16 messages later, without the room's lock: flush B
//!           ws/wire            B's queue, in one system call ─▶ socket
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
//! session/seat       its seat: room/decide looks at ban, return token, own seat, size, lock, password and lobby
//! turn, hub/ice      STUN and TURN servers, at `welcome` or with its seat, by credentials of its own
//! hub/appointments   what is due to it at a time of its own: word that its token is about to expire, its end,
//!                    other TURN credentials
//! hub/keep           what is kept for it counts, and who does not take or finish it goes
//! ```
//!
//! # What a host asks for
//!
//! ```text
//! session/wish       what must be waited for, as a `join` and a token must too: hub/passwords hashes in turns by
//!                    address, auth fetches keys; its connection notices meanwhile if the client goes
//! session/hosting    update-room, set-role, remove, ask-to-mute, admit, deny, in the room where it sits
//! hub/removal        of a removal for some time: the ban that goes with it
//! cell/hosting       under the room's lock; from administrators, by hub/rooms and hub/lobby, the same commands
//! room/hosts         may this one do that, and is there still a host where one is due?
//! journal            the events ─▶ cell/commit: who waited is seated, or hears why not; members and hosts hear of it
//! ```
//!
//! Whoever loses its seat by a broken link comes back by its return token (`protocol/return_token`): rooms remember
//! lost seats for a minute, by the token's hash, and a guarded room outlives its last one as long.
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
//! # A room of a fleet
//!
//! ```text
//! hub/fleet/hold     a replica of the room, for as long as somebody here sits, waits or looks at it
//! hub/cell/motion    what somebody wants of it, which waits
//! cell/draft         all that waits, decided as one batch on the replica
//! hub/fleet/drive    one batch of a room at a time: loaded, appended, or decided anew where another server was faster
//! journal/stored     the changes, and what they touch of the room, as bytes
//! store/append       one script: is the version still that one? then the log, the fields, the names
//!       ⋮            Redis, and every server
//! store/tail         the log as it grows ─▶ hub/fleet/follow: the mirror for watchers, the replica
//! cell/replica       is it the next one of this room? whose motion was it?
//! cell/commit        as in a server that stands alone ─▶ who sits here hears of it
//! ```
//!
//! A signal for a member who sits at another server goes into that server's inbox (`hub/fleet/letters`, `store/post`),
//! with the room's version, and is handed on there as soon as the replica is as far. Each server holds a lease
//! (`hub/fleet/life`, `store/presence`); whoever loses it can append nothing, another server frees its seats, and it
//! goes on under another name with those that nobody freed. Where the log has lost something, another epoch begins and
//! each server puts back what is its own (`hub/fleet/anew`, `cell/split`). What only one server knows, the others ask it
//! for (`hub/fleet/questions`).
//!
//! # Who may know whom
//!
//! `main → {server, bench, gen_token, check_token} → {http, admin} → ws → hub → metrics →
//! {protocol, journal, turn, auth} → {room, ban, store} → {event, password} → {id, timestamp} → config`. Nothing names
//! what stands left of it; a test holds this.
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
//! 12. Who waits for a seat hears and sends nothing in the room: it is no member before `joined`.
//! 13. Passwords are hashed outside of every lock. A command names the hash that its password was compared with, and
//!     where the room has another one by then, the password is looked at anew.
//! 14. A return token never passes a ban or a removal: only seats that were lost are remembered.
//! 15. In a fleet a room changes only by what the log brings, in its order. Who is refused was refused by the room as it
//!     was then, not by an old replica of it; departures are owed until the log has them.
//! 16. Only who holds a lease appends, and only to the epoch that it knows. An append whose reply was lost is in the log by
//!     the next fence, or never.
//! 17. No token (JWT) is kept, and no token, password or return token is logged.
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
//! - The journal is no enum of a sequencer in memory and one in Redis: the one in memory also is what watchers of a
//!   fleet's server read, told by the tail of the log. Who appends where is for `hub/cell` and `hub/fleet`.
//! - There is one log for all rooms, and no partitions (`--redis-partitions`): one core of Redis orders more joins than
//!   a million clients make who come within a minute, and cursors, bans and lists are of one order. Beyond that there
//!   are several fleets: docs/cluster.md has the arithmetic.
//! - A conflict's reply does not bring what is missing: the tail does, which has it as soon.
//! - Another server may be faster 24 times in a row before something is refused, not 8: two servers at one busy room
//!   come to eight every minute.
//! - Without `--outbox-bytes`, an outbox grows with `--max-members`, so that raising one flag does not
//!   demand another; only an explicit value that is too small is refused.

#![forbid(unsafe_code)]

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
pub mod store;
pub mod telemetry;
pub mod timestamp;
pub mod turn;
pub mod ws;
