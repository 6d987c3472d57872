//! Somebody who makes tokens, with a secret that a server knows.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{
    fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const SECRET: &str = "Jk3vQ8pX5sL1wZ9tB7nR2yC6mD4fGhAe-Jk3vQ8pX5sL1wZ9tB7nR2yC6mD4fGhB";

pub struct Issuer {
    pub file: PathBuf,
    _folder: TempDir,
}

impl Issuer {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, SECRET).unwrap();
        Self { file, _folder: folder }
    }

    /// Has a server know the secret.
    pub fn flags(&self) -> String {
        format!("--jwt-secret-file {}", self.file.display())
    }

    /// A token of somebody, good for an hour, with these claims instead or beside.
    pub fn token(&self, sub: &str, more: Value) -> String {
        let claims = claims(sub, more);
        encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
    }
}

pub fn claims(sub: &str, more: Value) -> Value {
    let mut claims = json!({"sub": sub, "exp": now() + 3600});
    let Value::Object(more) = more else { panic!("an object") };
    claims.as_object_mut().unwrap().extend(more);
    claims
}

/// In seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
