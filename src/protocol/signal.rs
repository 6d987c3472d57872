//! What one client says to another: put together from its sender's names and the payload's own bytes.

use uuid::Uuid;

use super::{Frame, Json, SignalKind};
use crate::{id::ClientId, room::Identity};

/// Who signals, as every signal of its names it.
#[derive(Debug)]
pub struct Sender {
    client_id: ClientId,
    /// JSON; None for null.
    user_id: Option<Box<str>>,
}

impl Sender {
    /// A client under its names.
    pub fn new(client_id: ClientId, identity: &Identity) -> Self {
        let json = |id| serde_json::to_string(id).expect("a string is JSON").into();
        Self { client_id, user_id: identity.user_id.as_ref().map(json) }
    }

    /// The message that its target gets. One allocation: its length is known before.
    pub fn signal(&self, kind: SignalKind, payload: Json<'_>) -> Frame {
        let mut id = Uuid::encode_buffer();
        let id = self.client_id.encode(&mut id);
        let user_id = self.user_id.as_deref().unwrap_or("null");
        let payload = payload.get();
        let named = |head, field| [head, id, FROM_USER, user_id, field, payload, "}"].concat();
        Frame::new(match kind {
            SignalKind::Offer => named(r#"{"type":"offer","fromId":""#, r#","sdp":"#),
            SignalKind::Answer => named(r#"{"type":"answer","fromId":""#, r#","sdp":"#),
            SignalKind::Message => named(r#"{"type":"message","fromId":""#, r#","content":"#),
            SignalKind::Candidate => {
                let head = r#"{"type":"candidate","fromId":""#;
                [head, id, r#"","candidate":"#, payload, "}"].concat()
            }
        })
    }
}

const FROM_USER: &str = r#"","fromUserId":"#;
