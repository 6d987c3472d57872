//! What the clients say, and what they make of what they hear.
//!
//! Each message carries a mark, `~` and 16 hex digits: the time it was sent, in nanoseconds. No other `~` is in
//! it, and nothing else changes, so that latency takes no bookkeeping and a received message can be checked.

use memchr::{memchr, memmem, memrchr};
use serde_json::{Value, json};

const OFFER: &str = include_str!("offer.sdp");

/// What passes between clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Candidate,
    Offer,
    Answer,
    Message,
}

/// A message around its target's id and its mark.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) head: Vec<u8>,
    pub(super) middle: Vec<u8>,
    pub(super) tail: Vec<u8>,
}

/// What a received text means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    Welcome(&'a [u8]),
    Joined,
    Left,
    /// From another client, with the time it was sent.
    Passed(Kind, u64),
    /// Something that matters to nobody here.
    News,
    /// A refusal, or no message of this protocol.
    Fault,
}

pub(super) const MARK_BYTES: usize = 17;

/// The time as a mark.
pub(super) fn mark(nanos: u64) -> [u8; MARK_BYTES] {
    let mut mark = [b'~'; MARK_BYTES];
    for (at, digit) in mark[1..].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(nanos >> (60 - 4 * at) & 15) as usize];
    }
    mark
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Candidate, Self::Offer, Self::Answer, Self::Message];

    pub(super) fn template(self) -> Template {
        let body = self.body().to_string();
        let text = match self {
            Self::Candidate => {
                format!(r#"{{"type":"candidate","targetId":"^","candidate":{body}}}"#)
            }
            Self::Offer => format!(r#"{{"type":"offer","targetId":"^","sdp":{body}}}"#),
            Self::Answer => format!(r#"{{"type":"answer","targetId":"^","sdp":{body}}}"#),
            Self::Message => format!(r#"{{"type":"message","content":{body}}}"#),
        };
        let (text, tail) = text.split_once('~').expect("each body has a mark");
        let (head, middle) = text.split_once('^').unwrap_or(("", text));
        let bytes = |text: &str| text.as_bytes().to_vec();
        Template { head: bytes(head), middle: bytes(middle), tail: bytes(tail) }
    }

    /// Whether `text` is what `from` sent: the body as it was, the sender named.
    pub(super) fn is_unaltered(self, text: &[u8], from: &[u8]) -> bool {
        let Ok(got) = serde_json::from_slice::<Value>(text) else { return false };
        let Some(mark) = mark_in(text).and_then(|mark| str::from_utf8(mark).ok()) else {
            return false;
        };
        let payload = match self {
            Self::Candidate => &got["candidate"],
            Self::Offer | Self::Answer => &got["sdp"],
            Self::Message => &got["content"],
        };
        let sent = self.body().to_string().replace('~', mark);
        *payload == serde_json::from_str::<Value>(&sent).expect("one's own body")
            && got["fromId"].as_str().map(str::as_bytes) == Some(from)
    }

    /// What the server must pass on as it is; `~` is the mark's place.
    fn body(self) -> Value {
        let sdp = || OFFER.trim_end().replace('\n', "\r\n") + "~\r\n";
        match self {
            Self::Candidate => json!({
                "candidate": "candidate:842163049 1 udp 1677729535 203.0.113.7 54321 typ srflx \
                              raddr 192.168.1.10 rport 54321 generation 0 ufrag bEnC network-cost 999",
                "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "~",
            }),
            Self::Offer => json!({"type": "offer", "sdp": sdp()}),
            Self::Answer => json!({"type": "answer", "sdp": sdp()}),
            Self::Message => json!({
                "text": "a chat line of ordinary length, as people write them in a call", "at": "~",
            }),
        }
    }
}

pub(super) fn hear(text: &[u8]) -> Heard<'_> {
    match kind_of(text) {
        b"candidate" => passed(Kind::Candidate, text),
        b"offer" => passed(Kind::Offer, text),
        b"answer" => passed(Kind::Answer, text),
        b"message" => passed(Kind::Message, text),
        b"welcome" => string_after(text, br#""clientId""#).map_or(Heard::Fault, Heard::Welcome),
        b"joined" => Heard::Joined,
        b"left" => Heard::Left,
        b"error" | b"join-error" | b"going-away" | b"" => Heard::Fault,
        _ => Heard::News,
    }
}

/// The first "type", which is the message's own wherever it comes before the payload.
fn kind_of(text: &[u8]) -> &[u8] {
    match text.strip_prefix(br#"{"type":""#) {
        Some(rest) => &rest[..memchr(b'"', rest).unwrap_or(0)],
        None => string_after(text, br#""type""#).unwrap_or_default(),
    }
}

fn string_after<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = &text[memmem::find(text, key)? + key.len()..];
    let rest = &rest[memchr(b'"', rest)? + 1..];
    Some(&rest[..memchr(b'"', rest)?])
}

fn passed(kind: Kind, text: &[u8]) -> Heard<'_> {
    let digits = mark_in(text).and_then(|mark| str::from_utf8(&mark[1..]).ok());
    let sent = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    sent.map_or(Heard::Fault, |sent| Heard::Passed(kind, sent))
}

fn mark_in(text: &[u8]) -> Option<&[u8]> {
    let at = memrchr(b'~', text)?;
    text.get(at..at + MARK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_apart_timed_and_checked() {
        for kind in Kind::ALL {
            let Template { head, middle, tail } = kind.template();
            let sent = [&head[..], b"ID", &middle, &mark(0xabc), &tail].concat();
            let text = String::from_utf8(sent).unwrap();
            let passed = text.replace(r#""targetId":"ID""#, r#""fromId":"ann""#);
            let passed =
                passed.replace(r#"ID{"type":"message""#, r#"{"type":"message","fromId":"ann""#);
            assert_eq!(hear(passed.as_bytes()), Heard::Passed(kind, 0xabc), "{passed}");
            assert!(kind.is_unaltered(passed.as_bytes(), b"ann"));
            assert!(!kind.is_unaltered(passed.as_bytes(), b"bob"));
            assert!(!kind.is_unaltered(
                passed.replace("typ", "tip").replace("chat", "cat").as_bytes(),
                b"ann"
            ));
        }
    }

    #[test]
    fn messages_have_the_sizes_that_the_help_names() {
        let bytes = |kind: Kind| {
            let Template { head, middle, tail } = kind.template();
            head.len() + 36 + middle.len() + MARK_BYTES + tail.len()
        };
        assert_eq!(bytes(Kind::Candidate), 305);
        assert!((4400..4600).contains(&bytes(Kind::Offer)));
    }
}
