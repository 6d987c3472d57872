//! Secrets that are known again wherever they turn up.

#![allow(unreachable_pub, reason = "the other modules use it")]

use std::{collections::BTreeMap, sync::Mutex};

use serde_json::Value;

/// Each by what it is. More may come to light while a server is asked.
#[derive(Default)]
pub struct Planted(Mutex<BTreeMap<String, String>>);

impl Planted {
    /// Returns the secret.
    pub fn plant(&self, what: &str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 16, "{what} would be found by chance");
        self.0.lock().unwrap().insert(what.to_owned(), secret.clone());
        secret
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// None of them is in the text, as it is or as its bytes.
    pub fn absent_from(&self, place: &str, text: &str) {
        for (what, secret) in &*self.0.lock().unwrap() {
            let bytes = format!("{:?}", secret.as_bytes());
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            for form in [secret, bytes.trim_matches(['[', ']']), &hex] {
                if let Some(at) = text.find(form) {
                    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
                    panic!("{what} is in {place}: {}", &text[line..at + form.len()]);
                }
            }
        }
        assert!(!text.contains("$argon2id$"), "a password's hash is in {place}");
    }

    /// What is in a message of the server's to who it belongs to is planted from then on, and in nothing else of it.
    pub fn look_through(&self, mut message: Value) -> Value {
        let whole = message.clone();
        if let Some(token) = message["returnToken"].as_str() {
            self.plant(&format!("return token {token}"), token);
            message["returnToken"].take();
        }
        for server in message["iceServers"].as_array_mut().into_iter().flatten() {
            if let Some(credential) = server["credential"].as_str() {
                self.plant(&format!("TURN credential {credential}"), credential);
                server["credential"].take();
            }
        }
        self.absent_from("a message", &message.to_string());
        whole
    }
}
