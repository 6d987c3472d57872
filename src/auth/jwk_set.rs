//! A JWK Set (RFC 7517, section 5): what of it is a public key for signatures that are taken here. Other keys are
//! passed over, as the RFC asks for; secrets, which have no place there, are not.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::{
    key::{BadKey, Curve, Key},
    token,
};
use crate::config::limits;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// What only a private RSA key has (RFC 7518, section 6.3.2).
const RSA_PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// The keys of the set that `json` is.
pub(super) fn read(json: &[u8]) -> Result<Vec<Key>, BadKey> {
    let set: Set = serde_json::from_slice(json)
        .map_err(|_| BadKey("it is no JWK Set, an object with a list of `keys`"))?;
    if set.keys.len() > limits::JWKS_KEYS {
        return Err(BadKey("it has more than 64 keys"));
    }
    let keys = set.keys.into_iter().map(key).filter_map(Result::transpose);
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(BadKey("it has no key that signatures are verified with here"));
    }
    Ok(keys)
}

/// A key of the set, unless it is for something else.
fn key(jwk: Value) -> Result<Option<Key>, BadKey> {
    let has = |part: &&str| jwk.get(part).is_some_and(|value| !value.is_null());
    let kind = jwk.get("kty").and_then(Value::as_str);
    if kind == Some("oct") {
        return Err(BadKey(
            "it has a secret (`oct`), and is for everybody to read; --jwt-secret-file is for one",
        ));
    }
    if has(&"d") || kind == Some("RSA") && RSA_PRIVATE.iter().any(has) {
        return Err(BadKey(
            "it has a private key (`d`), which only who makes tokens may have; take it out",
        ));
    }
    // What has no `kty`, or something of another type than it must be, is of a kind that is not known here.
    let Ok(jwk) = serde_json::from_value::<Jwk>(jwk) else { return Ok(None) };
    let verifies = jwk.r#use.as_ref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    let Some(mut key) = verifies.then(|| public_key(&jwk)).flatten().transpose()? else {
        return Ok(None);
    };
    if let Some(name) = &jwk.alg {
        let algorithm = token::algorithm(name);
        key.algorithms.retain(|own| Some(*own) == algorithm);
    }
    key.id = jwk.kid;
    Ok(Some(key).filter(|key| !key.algorithms.is_empty()))
}

fn public_key(jwk: &Jwk) -> Option<Result<Key, BadKey>> {
    let part = |text: &Option<String>| {
        let bytes = text.as_ref().and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
        bytes.ok_or(BadKey("it has a key of which a part is missing, or no base64url"))
    };
    let point = |curve: Curve| {
        let (x, y) = (part(&jwk.x)?, part(&jwk.y)?);
        // Each is as long as its curve asks for (RFC 7518, section 6.2.1.2): or the one would pass for the other.
        if x.len() != curve.bytes() {
            return Err(BadKey("it has a key that is no proper point of its curve"));
        }
        Key::from_point(curve, &[&[4][..], &x, &y].concat())
    };
    Some(match (&*jwk.kty, jwk.crv.as_deref()) {
        ("RSA", _) => part(&jwk.n).and_then(|n| Key::from_rsa(&n, &part(&jwk.e)?)),
        ("EC", Some("P-256")) => point(Curve::P256),
        ("EC", Some("P-384")) => point(Curve::P384),
        ("OKP", Some("Ed25519")) => part(&jwk.x).and_then(|x| Key::from_ed25519(&x)),
        _ => return None,
    })
}
