//! What one client says to another: put together from its sender's names and the payload's own bytes.

use uuid::Uuid;

use super::{Frame, Json, SignalKind};
use crate::id::{ClientId, UserId};

/// Who signals, as every signal of its names it.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The connection.
    pub client_id: ClientId,
    /// The name it goes by, if it has one.
    pub user_id: Option<&'a UserIdJson>,
}

/// A user's name as a JSON string: put into every message of the user's, encoded once.
#[derive(Debug)]
pub struct UserIdJson(Box<str>);

impl From<&UserId> for UserIdJson {
    fn from(user_id: &UserId) -> Self {
        Self(serde_json::to_string(user_id).expect("a string is JSON").into())
    }
}

impl Sender<'_> {
    /// The message that its target gets.
    pub fn signal(self, kind: SignalKind, payload: Json<'_>) -> Frame {
        let mut id = Uuid::encode_buffer();
        let id = self.client_id.encode(&mut id);
        let user_id = self.user_id.map_or("null", |UserIdJson(json)| json);
        let payload = payload.get();
        let named = |head, field| Frame::new(&[head, id, FROM_USER, user_id, field, payload, "}"]);
        match kind {
            SignalKind::Offer => named(r#"{"type":"offer","fromId":""#, r#","sdp":"#),
            SignalKind::Answer => named(r#"{"type":"answer","fromId":""#, r#","sdp":"#),
            SignalKind::Message => named(r#"{"type":"message","fromId":""#, r#","content":"#),
            SignalKind::Candidate => {
                let head = r#"{"type":"candidate","fromId":""#;
                Frame::new(&[head, id, r#"","candidate":"#, payload, "}"])
            }
        }
    }
}

const FROM_USER: &str = r#"","fromUserId":"#;
