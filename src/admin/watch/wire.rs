//! `WatchEventsResponse` as the server writes it: a cursor of the watcher's own beside bytes that were encoded before,
//! for all who watch.

use std::sync::Arc;

use bytes::{Buf, BufMut};
use prost::{
    DecodeError, Message,
    encoding::{
        DecodeContext, WireType, encode_key, encode_varint, encoded_len_varint, key_len,
        skip_field, string,
    },
};

use crate::{
    admin::{
        convert::{count, event},
        etag::Etags,
        pb::watch_events_response::{Bookmark, Snapshot, SnapshotEnd},
    },
    journal::Record,
};

/// The numbers of the fields, as in `event.proto`.
const CURSOR: u32 = 1;
const EVENT: u32 = 2;
const SNAPSHOT: u32 = 3;
const SNAPSHOT_END: u32 = 4;
const BOOKMARK: u32 = 5;

/// See the module.
#[derive(Debug)]
pub(in crate::admin) struct Response {
    cursor: String,
    what: u32,
    encoded: Arc<[u8]>,
}

impl Response {
    pub(super) fn event(cursor: String, record: &Record, etags: Etags) -> Self {
        let encode = |record: &Record| event::event(record, etags).encode_to_vec().into();
        Self { cursor, what: EVENT, encoded: Arc::clone(record.encoded(encode)) }
    }

    pub(super) fn snapshot(page: &Snapshot) -> Self {
        Self::of(String::new(), SNAPSHOT, page)
    }

    pub(super) fn snapshot_end(cursor: String, rooms: usize) -> Self {
        Self::of(cursor, SNAPSHOT_END, &SnapshotEnd { room_count: count(rooms) })
    }

    pub(super) fn bookmark(cursor: String) -> Self {
        Self::of(cursor, BOOKMARK, &Bookmark {})
    }

    fn of(cursor: String, what: u32, message: &impl Message) -> Self {
        Self { cursor, what, encoded: message.encode_to_vec().into() }
    }
}

impl Message for Response {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        if !self.cursor.is_empty() {
            string::encode(CURSOR, &self.cursor, buffer);
        }
        encode_key(self.what, WireType::LengthDelimited, buffer);
        encode_varint(self.encoded.len() as u64, buffer);
        buffer.put_slice(&self.encoded);
    }

    fn encoded_len(&self) -> usize {
        let cursor =
            if self.cursor.is_empty() { 0 } else { string::encoded_len(CURSOR, &self.cursor) };
        let length = self.encoded.len();
        cursor + key_len(self.what) + encoded_len_varint(length as u64) + length
    }

    /// Nobody sends one to a server.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buffer, context)
    }

    fn clear(&mut self) {
        self.cursor.clear();
        self.encoded = Arc::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        admin::pb::{self, watch_events_response::What},
        config::LogLimits,
        event::{Cause, Position},
        journal::{Decision, Journal},
        room::{Change, Settings},
    };

    #[test]
    fn an_event_is_encoded_once_for_all() {
        let journal = Journal::memory(LogLimits { events: 10, bytes: 1 << 20 });
        let settings = Settings { locked: true, ..Settings::open(3) };
        let decision = Decision {
            decided_on: Position::ZERO,
            changes: vec![Change::Created { settings: settings.into() }],
            cause: Cause::Server,
            now: SystemTime::UNIX_EPOCH,
        };
        let mut follower = journal.follow(None);
        journal.append_of_room(&"r".parse().unwrap(), decision, |_| ());
        let [record] = &follower.read(9).unwrap()[..] else { panic!() };
        let etags = Etags::new(7);
        let [one, other] = ["one", "other"].map(|name| Response::event(name.into(), record, etags));
        assert_eq!(one.encoded.as_ptr(), other.encoded.as_ptr());
        let told = pb::WatchEventsResponse::decode(&*one.encode_to_vec()).unwrap();
        let what = Some(What::Event(event::event(record, etags)));
        assert_eq!(told, pb::WatchEventsResponse { cursor: "one".into(), what });
    }

    #[test]
    fn it_is_written_as_the_generated_code_writes_it() {
        let room = pb::Room { room_id: "r".repeat(200), ..Default::default() };
        let page = Snapshot { rooms: vec![room; 3] };
        let cursor = || "cursor".to_owned();
        for (ours, cursor, what) in [
            (Response::snapshot(&page), String::new(), What::Snapshot(page.clone())),
            (
                Response::snapshot_end(cursor(), 300),
                cursor(),
                What::SnapshotEnd(SnapshotEnd { room_count: 300 }),
            ),
            (Response::bookmark(cursor()), cursor(), What::Bookmark(Bookmark {})),
        ] {
            let generated = pb::WatchEventsResponse { cursor, what: Some(what) };
            assert_eq!(ours.encode_to_vec(), generated.encode_to_vec());
            assert_eq!(ours.encoded_len(), generated.encoded_len());
        }
    }
}
