//! What goes wrong, counted and in words.

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

/// What an answer other than a WebSocket means, and what helps.
pub(super) fn handshake_mend(head: &[u8]) -> String {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = shown(line);
    let mend = match line.split(' ').nth(1) {
        Some("503" | "429") => {
            "it takes no more connections; ask for fewer, or raise its --max-connections"
        }
        Some("403" | "401") => {
            "it wants credentials or an origin, which this load test does not have"
        }
        _ => "name the path of its WebSocket, as in ws://localhost:8080/ws",
    };
    format!("no WebSocket but `{line}`: {mend}")
}

pub(super) fn close_reason(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, reason)) => format!("{} {}", u16::from_be_bytes(*code), shown(reason)),
        None => "no reason given".to_owned(),
    }
}

pub(super) fn shown(text: &[u8]) -> String {
    let text = &text[..text.len().min(SHOWN_BYTES)];
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
