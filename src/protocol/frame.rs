//! An encoded message, shared by all who receive it.

use std::{
    fmt::{self, Debug, Formatter},
    str,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Data, OpCode},
};

use super::{Joined, Rejected, Reply, RequestId};
use crate::{
    config::IceServer,
    id::{ClientId, RoomId, UserId},
    room::{Change, Event, Identity, LeaveReason, Member, Role, Settings, WaitingEnd},
};

/// One message as the WebSocket frame that carries it to each receiver (RFC 6455, section 5.2): a server's frames are
/// not masked, so they are the same for all. Cloning it copies no byte. It may hold secrets, so nothing that is logged
/// shows its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// The frame of a text in parts. One allocation: its length is known before.
    pub(super) fn new(parts: &[&str]) -> Self {
        let text_bytes: usize = parts.iter().map(|part| part.len()).sum();
        let head = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
        let mut bytes = Vec::with_capacity(head.len(text_bytes as u64) + text_bytes);
        head.format(text_bytes as u64, &mut bytes).expect("a Vec takes everything");
        parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        Self(bytes.into())
    }

    /// A message that another server encoded.
    pub fn of_other(text: &str) -> Self {
        Self::new(&[text])
    }

    /// The frame, head and text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The message as JSON text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.text()).expect("it was made of text")
    }

    /// How long the text is, in bytes.
    pub fn text_bytes(&self) -> usize {
        self.text().len()
    }

    fn text(&self) -> &[u8] {
        let length_bytes = match self.0[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        &self.0[2 + length_bytes..]
    }
}

impl Debug for Frame {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.text_bytes())
    }
}

/// A message about a room that is put together under the room's lock and encoded under no room's: once, by
/// whoever first sends it to one of its receivers.
#[derive(Debug)]
pub struct Announcement {
    what: What,
    weight: usize,
    frame: OnceLock<Frame>,
}

#[derive(Debug)]
enum What {
    Joined(Joined),
    Waiting { room_id: RoomId, request_id: Option<RequestId> },
    NotAdmitted { rejected: Rejected, request_id: Option<RequestId> },
    UserJoined(Arc<Member>),
    UserUpdated(Arc<Member>),
    UserLeft { client_id: ClientId, user_id: Option<UserId>, reason: LeaveReason },
    RoleChanged { client_id: ClientId, role: Role },
    Knock(Arc<Member>),
    KnockEnded { client_id: ClientId, reason: WaitingEnd },
    RoomUpdated(Arc<Settings>),
}

impl Announcement {
    /// What the joiner hears: who is there.
    pub fn joined(joined: Joined) -> Self {
        What::Joined(joined).into()
    }

    /// What somebody hears who has to wait for a seat.
    pub fn waiting(room_id: RoomId, request_id: Option<RequestId>) -> Self {
        What::Waiting { room_id, request_id }.into()
    }

    /// What somebody hears who waited in vain.
    pub fn not_admitted(rejected: Rejected, request_id: Option<RequestId>) -> Self {
        What::NotAdmitted { rejected, request_id }.into()
    }

    /// What the room-mates of whomever it concerns, or the hosts, hear of `event`, the room's settings being `settings`
    /// after it.
    pub fn of(event: &Event, settings: &Arc<Settings>) -> Option<Self> {
        Some(Self::from(match &event.change {
            Change::Joined(member) => What::UserJoined(Arc::clone(member)),
            Change::Renamed { member, .. } => What::UserUpdated(Arc::clone(member)),
            Change::Left { client_id, user_id, reason } => {
                What::UserLeft { client_id: *client_id, user_id: user_id.clone(), reason: *reason }
            }
            // Somebody became host by another's word and not only for want of one, which concerns nobody else.
            Change::RoleChanged { member, previous } if member.standing.role == *previous => {
                return None;
            }
            Change::RoleChanged { member, .. } => {
                What::RoleChanged { client_id: member.client_id, role: member.standing.role }
            }
            Change::Waiting(waiter) => What::Knock(Arc::clone(&waiter.member)),
            Change::WaitingEnded { client_id, reason, .. } => {
                What::KnockEnded { client_id: *client_id, reason: *reason }
            }
            Change::Locked | Change::Unlocked | Change::Updated { .. } => {
                What::RoomUpdated(Arc::clone(settings))
            }
            Change::Created { .. } | Change::Moved { .. } | Change::Closed => return None,
        }))
    }

    /// The encoded message.
    pub fn frame(&self) -> &Frame {
        self.frame.get_or_init(|| self.what.encode())
    }

    /// About how many bytes it will take, and hardly ever fewer than it does: told without encoding it.
    pub fn weight(&self) -> usize {
        self.weight
    }
}

impl From<What> for Announcement {
    fn from(what: What) -> Self {
        Self { weight: what.weight(), what, frame: OnceLock::new() }
    }
}

impl What {
    fn weight(&self) -> usize {
        /// What the fields take beside the texts in them.
        const FIELDS: usize = 200;
        FIELDS
            + match self {
                Self::Joined(Joined { room_id, peers, settings, ice_servers, .. }) => {
                    let peers = peers.iter().map(|peer| FIELDS + member_weight(peer));
                    let servers = ice_servers.iter().flat_map(|servers| servers.iter());
                    let servers = servers.map(|server| FIELDS + server_weight(server));
                    peers.sum::<usize>()
                        + servers.sum::<usize>()
                        + quoted_bytes(room_id.as_str())
                        + settings.metadata.len()
                }
                Self::Waiting { room_id, request_id } => {
                    quoted_bytes(room_id.as_str()) + request_id_bytes(request_id.as_ref())
                }
                Self::NotAdmitted { rejected, request_id } => {
                    quoted_bytes(&rejected.message) + request_id_bytes(request_id.as_ref())
                }
                Self::UserJoined(member) | Self::UserUpdated(member) | Self::Knock(member) => {
                    member_weight(member)
                }
                Self::RoleChanged { .. } | Self::KnockEnded { .. } => 0,
                Self::UserLeft { user_id, .. } => {
                    user_id.as_ref().map_or(0, |user_id| quoted_bytes(user_id.as_str()))
                }
                Self::RoomUpdated(settings) => settings.metadata.len(),
            }
    }

    fn encode(&self) -> Frame {
        match self {
            Self::Joined(joined) => joined.encode(),
            Self::Waiting { room_id, request_id } => {
                Reply::Waiting { room_id, request_id: request_id.as_ref() }.encode()
            }
            Self::NotAdmitted { rejected, request_id } => {
                rejected.reply(request_id.as_ref()).encode()
            }
            Self::UserJoined(member) => Reply::user_joined(member).encode(),
            Self::UserUpdated(member) => Reply::user_updated(member).encode(),
            Self::UserLeft { client_id, user_id, reason } => Reply::UserLeft {
                user_id: user_id.as_ref(),
                client_id: *client_id,
                reason: reason.as_str(),
            }
            .encode(),
            Self::RoleChanged { client_id, role } => {
                Reply::RoleChanged { client_id: *client_id, role: role.as_str() }.encode()
            }
            Self::Knock(waiting) => Reply::knock(waiting).encode(),
            Self::KnockEnded { client_id, reason } => {
                Reply::KnockEnded { client_id: *client_id, reason: reason.as_str() }.encode()
            }
            Self::RoomUpdated(settings) => {
                Reply::RoomUpdated { room: (&**settings).into() }.encode()
            }
        }
    }
}

fn member_weight(member: &Member) -> usize {
    let Identity { user_id, display_name } = &member.identity;
    user_id.as_ref().map_or(0, |user_id| quoted_bytes(user_id.as_str()))
        + display_name.as_ref().map_or(0, |name| quoted_bytes(name.as_str()))
        + member.metadata.as_ref().map_or(0, |json| json.len())
        + member.vouched_metadata().map_or(0, str::len)
}

/// As the client wrote it.
fn request_id_bytes(request_id: Option<&RequestId>) -> usize {
    request_id.map_or(0, |id| id.as_json().len())
}

fn server_weight(server: &IceServer) -> usize {
    server.texts().map(quoted_bytes).sum()
}

/// What a text takes as a JSON string (RFC 8259, section 7): a control character takes up to six bytes.
fn quoted_bytes(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        id::Incarnation,
        protocol::{Code, ReturnToken},
        room::{ReturnKey, Standing, Vouched},
    };

    #[test]
    fn what_is_logged_of_a_message_is_its_length() {
        assert_eq!(format!("{:?}", Frame::new(&["sec", "ret"])), "Frame(6 bytes)");
    }

    #[test]
    fn a_frame_is_its_head_and_its_text() {
        let heads: [(usize, &[u8]); 5] = [
            (0, &[0x81, 0]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (0xffff, &[0x81, 126, 0xff, 0xff]),
            (0x1_0000, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (text_bytes, head) in heads {
            let text = "x".repeat(text_bytes);
            let frame = Frame::new(&[&text]);
            assert_eq!(frame.as_bytes(), [head, text.as_bytes()].concat());
            assert_eq!((frame.as_str(), frame.text_bytes()), (&*text, text_bytes));
        }
    }

    #[test]
    fn an_announcement_takes_no_more_than_it_weighs() {
        let names = ["\u{1}".repeat(64), "\"\\".repeat(32), "語".repeat(64), "ann".to_owned()];
        for name in names {
            let member = Arc::new(Member {
                client_id: ClientId::random(),
                identity: Identity {
                    user_id: Some(name.repeat(128 / name.chars().count()).parse().unwrap()),
                    display_name: Some(name.parse().unwrap()),
                },
                metadata: Some(format!("{{\"x\":\"{}\"}}", "x".repeat(2000)).into()),
                vouched: Some(Arc::new(Vouched { metadata: Some("[1]".into()) })),
                joined_at: SystemTime::UNIX_EPOCH.into(),
                standing: Standing::granted(Role::Member),
                return_key: ReturnKey([0; 16]),
                node: Incarnation::NONE,
            });
            let settings = Settings { locked: true, lobby: true, ..Settings::open(10_000) };
            let settings = Arc::new(settings);
            let server: IceServer = "turn:turn.example.org".parse().unwrap();
            let server = server.with_credentials(name.repeat(20), name.repeat(20));
            let (client_id, reason) = (member.client_id, LeaveReason::InternalError);
            let user_id = member.identity.user_id.clone();
            for what in [
                What::UserJoined(Arc::clone(&member)),
                What::UserUpdated(Arc::clone(&member)),
                What::UserLeft { client_id, user_id, reason },
                What::RoomUpdated(Arc::clone(&settings)),
                What::Knock(Arc::clone(&member)),
                What::Waiting { room_id: name.parse().unwrap(), request_id: None },
                What::NotAdmitted {
                    rejected: Rejected::new(Code::Denied, "x".repeat(300)),
                    request_id: None,
                },
                What::KnockEnded { client_id, reason: WaitingEnd::Gone(reason) },
                What::RoleChanged { client_id, role: Role::Member },
                What::Joined(Joined {
                    room_id: name.parse().unwrap(),
                    peers: vec![member; 20],
                    settings,
                    role: Role::Member,
                    return_token: ReturnToken::random(),
                    request_id: None,
                    ice_servers: Some(vec![server; 20].into()),
                }),
            ] {
                let announcement = Announcement::from(what);
                let (bytes, weight) = (announcement.frame().as_str().len(), announcement.weight());
                assert!(bytes <= weight, "{bytes} bytes, {weight}: {:?}", announcement.what);
            }
        }
    }
}
