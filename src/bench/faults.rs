//! What goes wrong, counted and in words.

use memchr::memmem;

use crate::protocol::CloseCode;

/// How many faults are kept to be shown.
const SHOWN_FAULTS: usize = 3;
/// How much of a message a fault shows.
const SHOWN_BYTES: usize = 200;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) count: u64,
    pub(super) first: Vec<String>,
}

impl Faults {
    pub(super) fn add(&mut self, what: std::fmt::Arguments<'_>) {
        self.count += 1;
        if self.first.len() < SHOWN_FAULTS {
            let what = what.to_string();
            if !self.first.contains(&what) {
                self.first.push(what);
            }
        }
    }
}

/// Lifts the limits on a client, and on an address too.
const LIFTED: &str = "start the server with --rate-limit 0";

/// What an answer other than a WebSocket to one of so many connections means, and what helps.
pub(super) fn handshake_mend(head: &[u8], connections: usize) -> String {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = shown(line);
    let mend = match line.split(' ').nth(1) {
        Some("429") => &format!("it takes no more connections of one address; {LIFTED}"),
        Some("503") => &format!(
            "it takes no more connections; ask for fewer, or start it with --max-connections {connections} or more, \
             and with a larger --memory-budget"
        ),
        Some("403" | "401") => {
            "it wants credentials or an origin, which this load test does not have"
        }
        _ => "name the path of its WebSocket, as in ws://localhost:8080/ws",
    };
    format!("no WebSocket but `{line}`: {mend}")
}

/// What helps where too many of so many connections were refused to be told one by one.
pub(super) fn unanswered_mend(connections: usize) -> String {
    format!("{LIFTED}, and with --max-connections {connections} or more")
}

/// What a refusal means, and what helps.
pub(super) fn refusal_mend(text: &[u8]) -> String {
    if memmem::find(text, br#""code":"rate-limited""#).is_some() {
        return format!("the server limits what a client may say (rate-limited); {LIFTED}");
    }
    format!("the server says {}", shown(text))
}

pub(super) fn close_reason(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, _)) if u16::from_be_bytes(*code) == CloseCode::RateLimited as u16 => {
            format!("4008, it was over its rate for too long; {LIFTED}")
        }
        Some((code, reason)) => format!("{} {}", u16::from_be_bytes(*code), shown(reason)),
        None => "no reason given".to_owned(),
    }
}

pub(super) fn shown(text: &[u8]) -> String {
    let text = &text[..text.len().min(SHOWN_BYTES)];
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_what_lifts_them() {
        let refused = br#"{"type":"error","code":"rate-limited","message":"","retryAfterMs":250}"#;
        for told in [
            refusal_mend(refused),
            close_reason(b"\x0f\xa8Too many messages"),
            handshake_mend(b"HTTP/1.1 429 Too Many Requests\r\n", 8),
            unanswered_mend(8),
        ] {
            assert!(told.contains("--rate-limit 0"), "{told}");
        }
        for told in [handshake_mend(b"HTTP/1.1 503 Service Unavailable\r\n", 8), unanswered_mend(8)]
        {
            assert!(told.contains("--max-connections 8"), "{told}");
        }
        assert_eq!(close_reason(b"\x03\xe9bye"), "1001 bye");
    }
}
