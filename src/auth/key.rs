//! The keys that tokens are verified with. What a key is decides which algorithms it is good for, never a token
//! (RFC 8725, section 3.1).

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use pem::Pem;
use x509_cert::{
    der::{Decode, Reader, SliceReader, asn1::UintRef, oid::ObjectIdentifier},
    spki::SubjectPublicKeyInfoRef,
};

use crate::config::Secret;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// How many bits an RSA key may have. Shorter ones are broken (RFC 7518, section 3.3), longer ones take long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// See the module.
#[derive(Clone)]
pub(super) struct Key {
    /// Its name in a JWK Set; a key from elsewhere has none, and is tried whatever name a token has for it.
    pub(super) id: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// What is wrong with a key, and the mend. It repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadKey(pub(super) &'static str);

impl Key {
    /// A shared secret. RFC 7518, section 3.2 asks for one as long as the hash; 256 bits are not weaker with a longer hash,
    /// and whoever has such a key need not know which hash its tokens are signed with.
    pub(super) fn from_secret(secret: &Secret) -> Self {
        Self {
            id: None,
            algorithms: [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512].into(),
            key: DecodingKey::from_secret(secret.bytes()),
        }
    }

    /// The public keys that a file holds (RFC 7468).
    pub(super) fn from_pem(file: &[u8]) -> Result<Vec<Self>, BadKey> {
        let blocks = pem::parse_many(file).map_err(|_| BadKey("it is no proper PEM"))?;
        if blocks.is_empty() {
            return Err(BadKey(
                "it holds no key; it must have a block that begins with -----BEGIN PUBLIC KEY-----",
            ));
        }
        blocks.iter().map(Self::from_block).collect()
    }

    fn from_block(block: &Pem) -> Result<Self, BadKey> {
        match block.tag() {
            "PUBLIC KEY" => Self::from_spki(block.contents()),
            "RSA PUBLIC KEY" => Self::from_rsa_der(block.contents()),
            private if private.ends_with("PRIVATE KEY") => Err(BadKey(
                "it is a private key, which only who makes tokens may have; \
                 `openssl pkey -in FILE -pubout` says its public one",
            )),
            "CERTIFICATE" => Err(BadKey(
                "it is a certificate; `openssl x509 -in FILE -pubkey -noout` says its public key",
            )),
            _ => Err(BadKey("it holds something else than a public key")),
        }
    }

    fn from_spki(der: &[u8]) -> Result<Self, BadKey> {
        const BROKEN: BadKey = BadKey("it is no proper public key");
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| BROKEN)?;
        let key = spki.subject_public_key.as_bytes().ok_or(BROKEN)?;
        match spki.algorithm.oid {
            RSA => Self::from_rsa_der(key),
            ED25519 => Self::from_ed25519(key),
            EC => match spki.algorithm.parameters_oid().map_err(|_| BROKEN)? {
                P256 => Self::from_point(Curve::P256, key),
                P384 => Self::from_point(Curve::P384, key),
                P521 => Err(BadKey(
                    "it is on the curve P-521 (ES512), which is not taken; use P-256 or P-384",
                )),
                _ => Err(BadKey("it is on a curve that is not taken; use P-256 or P-384")),
            },
            _ => Err(BadKey("its kind is not taken; use RSA, P-256, P-384 or Ed25519")),
        }
    }

    /// An `RSAPublicKey` (RFC 8017, appendix A.1.1).
    fn from_rsa_der(der: &[u8]) -> Result<Self, BadKey> {
        const BROKEN: BadKey = BadKey("it is no proper RSA key");
        let (modulus, exponent) = SliceReader::new(der)
            .and_then(|mut reader| {
                reader.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?)))
            })
            .map_err(|_: x509_cert::der::Error| BROKEN)?;
        Self::from_rsa(modulus.as_bytes(), exponent.as_bytes())
    }

    pub(super) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, BadKey> {
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = &modulus[leading..];
        let bits =
            modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if bits < *RSA_BITS.start() {
            return Err(BadKey("it is an RSA key of less than 2048 bits, which can be broken"));
        }
        if bits > *RSA_BITS.end() {
            return Err(BadKey("it is an RSA key of more than 4096 bits, which is not taken"));
        }
        let zeros = exponent.iter().take_while(|byte| **byte == 0).count();
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        if !is_odd(modulus) || !is_odd(exponent) || exponent[zeros..] == [1] {
            return Err(BadKey("it is no proper RSA key"));
        }
        let algorithms = [
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ];
        let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
        Ok(Self { id: None, algorithms: algorithms.into(), key })
    }

    /// An uncompressed point (SEC 1, section 2.3.3).
    pub(super) fn from_point(curve: Curve, point: &[u8]) -> Result<Self, BadKey> {
        let is_on_it = match curve {
            Curve::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
            Curve::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
        };
        if point.first() != Some(&4) || !is_on_it {
            return Err(BadKey("it is no proper point of its curve"));
        }
        let algorithm = match curve {
            Curve::P256 => Algorithm::ES256,
            Curve::P384 => Algorithm::ES384,
        };
        Ok(Self { id: None, algorithms: vec![algorithm], key: DecodingKey::from_ec_der(point) })
    }

    pub(super) fn from_ed25519(key: &[u8]) -> Result<Self, BadKey> {
        if key.len() != 32 {
            return Err(BadKey("it is no proper Ed25519 key"));
        }
        let key = DecodingKey::from_ed_der(key);
        Ok(Self { id: None, algorithms: vec![Algorithm::EdDSA], key })
    }
}

/// The curves of NIST's that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// How long a coordinate is.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

/// Without the key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
