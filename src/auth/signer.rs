//! Makes tokens, for those who try the server out.

use std::{path::Path, time::SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::Value;

use super::{Expected, KeyError, Refused, key::BadKey, read, token::Object};
use crate::config::Secret;

/// See the module.
#[derive(Debug)]
pub struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
}

impl Signer {
    /// Signs by HS256, with the secret that a file holds.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn with_secret(file: &Path) -> Result<Self, KeyError> {
        let secret = Secret::read("--jwt-secret-file", file)?;
        let key = EncodingKey::from_secret(secret.bytes());
        Ok(Self { key, algorithm: Algorithm::HS256 })
    }

    /// Signs by what is usual for the private key (PEM, PKCS #8) that a file holds: RS256, ES256, ES384 or EdDSA.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn with_private_key(file: &Path) -> Result<Self, KeyError> {
        const NONE: BadKey = BadKey(
            "it is no private key (PEM, PKCS #8) of RSA, P-256, P-384 or Ed25519; \
             `openssl genpkey -algorithm ed25519` makes one",
        );
        read("--jwt-private-key-file", file, |bytes| {
            let rsa = EncodingKey::from_rsa_pem(bytes).map(|key| (key, &[Algorithm::RS256][..]));
            let ec = || {
                let key = EncodingKey::from_ec_pem(bytes)?;
                Ok((key, &[Algorithm::ES256, Algorithm::ES384][..]))
            };
            let ed = || Ok((EncodingKey::from_ed_pem(bytes)?, &[Algorithm::EdDSA][..]));
            let found = rsa.or_else(|_| ec()).or_else(|_: jsonwebtoken::errors::Error| ed());
            let (key, algorithms) = found.map_err(|_: jsonwebtoken::errors::Error| NONE)?;
            let signs =
                |algorithm: &&Algorithm| encode(&Header::new(**algorithm), &(), &key).is_ok();
            let algorithm = *algorithms.iter().find(signs).ok_or(NONE)?;
            Ok(Self { key, algorithm })
        })
    }

    /// A token with these claims, and the name of its key if it has one.
    ///
    /// # Errors
    /// [`Refused`], where no server would take it.
    pub fn sign(&self, key_id: Option<&str>, claims: &Value) -> Result<String, Refused> {
        let audience = claims["aud"].as_array().into_iter().flatten();
        let audience = audience.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let object = Object::of(claims).ok_or(Refused("its claims are no object"))?;
        Expected::for_audience(audience).pass(&object, SystemTime::now())?;
        let mut header = Header::new(self.algorithm);
        header.kid = key_id.map(str::to_owned);
        Ok(encode(&header, claims, &self.key).expect("a key that has signed before"))
    }
}
