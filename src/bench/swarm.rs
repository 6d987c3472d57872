//! Very many client connections on one thread. They connect, join and answer pings by themselves, and hand
//! the rest to the scenario as [`Event`]s.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use memchr::memmem;
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use super::{
    faults::{Faults, close_reason, handshake_mend, refusal_mend, shown, unanswered_mend},
    frame,
    target::{self, Target},
    text::{self, Heard, Kind, Template},
};

/// What happened to connection `usize`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Joined(usize),
    Passed { to: usize, kind: Kind, latency: u64 },
    Left(usize),
    Closed(usize),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Swarm {
    pub(super) faults: Faults,
    /// Messages that came again, or later than one that was sent after them.
    pub(super) surplus: u64,
    poll: Poll,
    ready: Events,
    address: SocketAddr,
    handshake: String,
    /// In the names of rooms, so that runs do not meet.
    tag: u64,
    members: usize,
    connections: Vec<Connection>,
    templates: [Template; 4],
    opened: usize,
    epoch: Instant,
    /// The mark of the last message.
    sent: u64,
    received: Vec<u8>,
    frame: Vec<u8>,
}

#[derive(Debug, Default)]
struct Connection {
    socket: Option<TcpStream>,
    phase: Phase,
    room: usize,
    id: Box<[u8]>,
    /// Kinds of which one message was compared.
    compared: u8,
    /// The mark of the last message from its partner, who is the only one that sends to it.
    heard: u64,
    /// Bytes of a frame that is not whole yet.
    partial: Vec<u8>,
    /// Bytes that the socket did not take yet.
    unsent: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Connecting,
    Handshake,
    Open,
    Closing,
}

impl Event {
    pub(super) fn connection(self) -> usize {
        match self {
            Self::Joined(i) | Self::Passed { to: i, .. } | Self::Left(i) | Self::Closed(i) => i,
        }
    }
}

impl Swarm {
    pub(super) fn new(
        target: &Target,
        address: SocketAddr,
        connections: usize,
        members: usize,
    ) -> io::Result<Self> {
        Ok(Self {
            faults: Faults::default(),
            surplus: 0,
            poll: Poll::new()?,
            ready: Events::with_capacity(1024),
            address,
            handshake: target.handshake(),
            tag: fastrand::u64(..),
            members,
            connections: (0..connections).map(|_| Connection::default()).collect(),
            templates: Kind::ALL.map(Kind::template),
            opened: 0,
            epoch: Instant::now(),
            sent: 0,
            received: vec![0; 256 << 10],
            frame: Vec::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Nanoseconds since the swarm was made.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Begins connection `i`, which is to sit in `room`; [`Event::Joined`] follows.
    pub(super) fn open(&mut self, i: usize, room: usize) {
        self.opened += 1;
        self.connections[i] = Connection { room, ..Connection::default() };
        let begun = target::connect(self.address, self.opened).and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(i), interest)?;
            Ok(socket)
        });
        match begun {
            Ok(socket) => self.connections[i].socket = Some(socket),
            Err(error) => self.faults.add(format_args!("cannot connect: {error}")),
        }
    }

    /// Sends one message of `kind` from `i`, to its partner or, as a message, to its room.
    pub(super) fn send(&mut self, i: usize, kind: Kind) {
        // A clock that is too coarse must not make two of them alike.
        self.sent = self.now().max(self.sent + 1);
        let mark = text::mark(self.sent);
        let Template { head, middle, tail } = &self.templates[kind as usize];
        let target = match kind {
            Kind::Message => &[][..],
            Kind::Candidate | Kind::Offer | Kind::Answer => &self.connections[i ^ 1].id,
        };
        let parts = [head, target, middle, &mark, tail];
        frame::write(&mut self.frame, frame::TEXT, &parts, fastrand::u32(..));
        self.write_frame(i);
    }

    /// Gives up the seat; [`Event::Left`] follows.
    pub(super) fn leave(&mut self, i: usize) {
        let text = format!(r#"{{"type":"leave","roomId":"{}"}}"#, self.room_name(i));
        self.write(i, frame::TEXT, text.as_bytes());
    }

    /// Says goodbye; [`Event::Closed`] follows.
    pub(super) fn close(&mut self, i: usize) {
        self.connections[i].phase = Phase::Closing;
        self.write(i, frame::CLOSE, &1000_u16.to_be_bytes());
    }

    /// How long a message of `kind` is.
    pub(super) fn message_bytes(&self, kind: Kind) -> usize {
        let Template { head, middle, tail } = &self.templates[kind as usize];
        let id = if kind == Kind::Message { 0 } else { self.connections[0].id.len() };
        head.len() + id + middle.len() + text::MARK_BYTES + tail.len()
    }

    /// Waits for at most `wait` and adds what happened to `events`.
    pub(super) fn poll(&mut self, wait: Duration, events: &mut Vec<Event>) {
        let mut ready = std::mem::replace(&mut self.ready, Events::with_capacity(0));
        match self.poll.poll(&mut ready, Some(wait)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.faults.add(format_args!("cannot wait for sockets: {error}")),
        }
        for event in &ready {
            let i = event.token().0;
            if event.is_writable() {
                self.on_writable(i, events);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.on_readable(i, event.is_read_closed(), events);
            }
        }
        self.ready = ready;
    }

    fn on_writable(&mut self, i: usize, events: &mut Vec<Event>) {
        let connection = &mut self.connections[i];
        let Some(socket) = &connection.socket else { return };
        if connection.phase == Phase::Connecting {
            if let Ok(Some(error)) = socket.take_error() {
                self.faults.add(format_args!("cannot connect: {error}"));
                return self.drop_socket(i, events);
            }
            connection.phase = Phase::Handshake;
            self.frame.clear();
            self.frame.extend_from_slice(self.handshake.as_bytes());
            self.write_frame(i);
        } else if !connection.unsent.is_empty() {
            self.frame = std::mem::take(&mut connection.unsent);
            self.write_frame(i);
        }
    }

    fn on_readable(&mut self, i: usize, to_the_end: bool, events: &mut Vec<Event>) {
        let mut buffer = std::mem::take(&mut self.received);
        while let Some(socket) = &mut self.connections[i].socket {
            match socket.read(&mut buffer) {
                Ok(0) => self.ended(i, &"no reason given", events),
                Ok(n) => {
                    self.take(i, &buffer[..n], events);
                    // A socket that filled only part of the buffer is empty: its next byte wakes again.
                    if n < buffer.len() && !to_the_end {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.ended(i, &error, events),
            }
        }
        self.received = buffer;
    }

    fn ended(&mut self, i: usize, why: &dyn std::fmt::Display, events: &mut Vec<Event>) {
        match self.connections[i].phase {
            Phase::Closing => {}
            Phase::Open => self.faults.add(format_args!("the server closed a connection: {why}")),
            Phase::Connecting | Phase::Handshake => {
                let mend = unanswered_mend(self.connections.len());
                self.faults.add(format_args!("the server closed a new connection ({why}); {mend}"));
            }
        }
        self.drop_socket(i, events);
    }

    fn drop_socket(&mut self, i: usize, events: &mut Vec<Event>) {
        if self.connections[i].socket.take().is_some() {
            events.push(Event::Closed(i));
        }
    }

    /// Handles `bytes`, after those kept from before, and keeps what is no whole frame.
    fn take(&mut self, i: usize, bytes: &[u8], events: &mut Vec<Event>) {
        let mut joined = std::mem::take(&mut self.connections[i].partial);
        let bytes = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let taken = self.consume(i, bytes, events);
        if taken < bytes.len() && self.connections[i].socket.is_some() {
            self.connections[i].partial = bytes[taken..].to_vec();
        }
    }

    fn consume(&mut self, i: usize, bytes: &[u8], events: &mut Vec<Event>) -> usize {
        let now = self.now();
        let mut at = 0;
        if self.connections[i].phase == Phase::Handshake {
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                self.faults.add(format_args!("{}", handshake_mend(bytes, self.connections.len())));
                self.drop_socket(i, events);
                return bytes.len();
            }
            at = end + 4;
            self.connections[i].phase = Phase::Open;
        }
        while self.connections[i].socket.is_some() {
            let (opcode, payload) = match frame::read(&bytes[at..]) {
                frame::Read::Part => break,
                frame::Read::Whole { opcode, payload, taken } => {
                    at += taken;
                    (opcode, payload)
                }
                frame::Read::Strange => (0, &bytes[at..]),
            };
            match opcode {
                frame::TEXT => self.hear(i, payload, now, events),
                frame::PING => self.write(i, frame::PONG, payload),
                frame::PONG => {}
                frame::CLOSE => self.ended(i, &close_reason(payload), events),
                _ => {
                    self.faults.add(format_args!("a frame that no signaling server sends"));
                    self.drop_socket(i, events);
                }
            }
        }
        at
    }

    fn hear(&mut self, i: usize, text: &[u8], now: u64, events: &mut Vec<Event>) {
        match text::hear(text) {
            Heard::Passed(_, sent) if sent <= self.connections[i].heard => self.surplus += 1,
            Heard::Passed(kind, sent) => {
                self.connections[i].heard = sent;
                self.compare(i, kind, text);
                events.push(Event::Passed { to: i, kind, latency: now.saturating_sub(sent) });
            }
            Heard::Welcome(id) => {
                self.connections[i].id = id.into();
                let join = format!(r#"{{"type":"join","roomId":"{}"}}"#, self.room_name(i));
                self.write(i, frame::TEXT, join.as_bytes());
            }
            Heard::Joined => events.push(Event::Joined(i)),
            Heard::Left => events.push(Event::Left(i)),
            Heard::News => {}
            Heard::Fault => self.faults.add(format_args!("{}", refusal_mend(text))),
        }
    }

    /// Compares the first message of each kind on a connection; more would cost what is to be measured.
    fn compare(&mut self, i: usize, kind: Kind, text: &[u8]) {
        let bit = 1 << kind as u8;
        if self.connections[i].compared & bit != 0 {
            return;
        }
        self.connections[i].compared |= bit;
        let from = if kind == Kind::Message { i - i % self.members } else { i ^ 1 };
        if !kind.is_unaltered(text, &self.connections[from].id) {
            self.faults.add(format_args!("an altered message: {}", shown(text)));
        }
    }

    fn room_name(&self, i: usize) -> String {
        format!("bench-{:016x}-{}", self.tag, self.connections[i].room)
    }

    fn write(&mut self, i: usize, opcode: u8, payload: &[u8]) {
        frame::write(&mut self.frame, opcode, &[payload], fastrand::u32(..));
        self.write_frame(i);
    }

    /// Writes the frame at hand, or keeps what the socket does not take.
    fn write_frame(&mut self, i: usize) {
        let Connection { socket: Some(socket), unsent, .. } = &mut self.connections[i] else {
            return;
        };
        let mut rest = &self.frame[..];
        while unsent.is_empty() && !rest.is_empty() {
            match socket.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Reading meets the same error, and reports it.
                Err(_) => return,
            }
        }
        unsent.extend_from_slice(rest);
    }
}
