//! A token in its compact form (RFC 7515, section 3.1), read more strictly than that asks for: what two readers could
//! understand in two ways is not taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, str,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::Refused;
use crate::config::limits;

/// The types of tokens that say who somebody is (RFC 7519, section 5.1; RFC 9068, section 2.1). Others, of the same
/// issuer and with the same key, are for something else (RFC 8725, section 3.11).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// See the module. Nothing of it is true until [`Token::verify`] says so.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    /// The name of its key.
    pub(super) key_id: Option<String>,
    signed: &'a [u8],
    signature: &'a str,
    claims: &'a str,
}

/// A JSON object, its members unread; no name twice (RFC 8725, section 2.4), however deep it stands. Any reader of
/// JSON takes what is in them: numbers are finite, texts are Unicode, and nothing nests deeper than 128.
pub(super) struct Object(BTreeMap<String, Box<RawValue>>);

/// JSON that no two readers understand in two ways. It is looked through, and not kept.
struct Unambiguous;

impl<'a> Token<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Refused> {
        if text.len() > limits::TOKEN_BYTES {
            return Err(Refused("it is too long"));
        }
        const PARTS: Refused = Refused("it has not three parts");
        let (signed, signature) = text.rsplit_once('.').ok_or(PARTS)?;
        let (header, claims) = signed.split_once('.').ok_or(PARTS)?;
        if claims.contains('.') {
            return Err(PARTS);
        }
        let header = Object::read(header).ok_or(Refused("its header is no proper JSON object"))?;
        if header.has("crit") {
            return Err(Refused("it has `crit`, and nothing of that kind is understood here"));
        }
        if let Some(kind) = header.get::<String>("typ", "`typ` is no string")? {
            let kind = kind.to_ascii_lowercase();
            if !TYPES.contains(&kind.strip_prefix("application/").unwrap_or(&kind)) {
                return Err(Refused("`typ` is of tokens for something else"));
            }
        }
        let name = header.get::<String>("alg", "`alg` is no string")?;
        let algorithm = name.as_deref().and_then(algorithm);
        Ok(Self {
            algorithm: algorithm.ok_or(Refused("`alg` is none that is taken"))?,
            key_id: header.get("kid", "`kid` is no string")?,
            signed: signed.as_bytes(),
            signature,
            claims,
        })
    }

    /// What it says, if it is signed with this key.
    pub(super) fn verify(&self, key: &DecodingKey) -> Option<Result<Object, Refused>> {
        let Self { algorithm, signed, signature, claims, .. } = self;
        let is_signed = crypto::verify(signature, signed, key, *algorithm).unwrap_or(false);
        let claims = || Object::read(claims).ok_or(Refused("its claims are no proper JSON object"));
        is_signed.then(claims)
    }
}

/// The algorithm of this name (RFC 7518, section 3.1; RFC 8037; RFC 9864), if it is one that is taken.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    if name == "Ed25519" { Some(Algorithm::EdDSA) } else { name.parse().ok() }
}

impl Object {
    fn read(part: &str) -> Option<Self> {
        let json = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Unambiguous>(&json).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Those of an object that is no text yet.
    pub(super) fn of(object: &Value) -> Option<Self> {
        serde_json::from_str(&object.to_string()).ok()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text of a member's value.
    pub(super) fn json(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// A member, unless it is of another type than it must be.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        name: &str,
        otherwise: &'static str,
    ) -> Result<Option<T>, Refused> {
        let read = self.json(name).map(serde_json::from_str).transpose();
        read.map_err(|_| Refused(otherwise))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl<'de> Visitor<'de> for Whole {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name stands there twice"));
                    }
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Whole)
    }
}

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, Self)) = map.next_entry::<String, Self>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name stands there twice"));
            }
        }
        Ok(self)
    }
}
