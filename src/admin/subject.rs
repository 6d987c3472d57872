//! Whom a client certificate names.

use std::time::SystemTime;

use x509_cert::{
    Certificate,
    der::{
        Decode,
        asn1::{PrintableStringRef, Utf8StringRef},
        oid::db::rfc4519::COMMON_NAME,
    },
};

/// See the module. Whoever shows it has shown in the handshake that the certificate is its own, and that a
/// certificate authority that counts here has signed it.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// As RFC 4514 writes it: with what separates its parts escaped within them, so that none passes for two.
    pub(super) distinguished: String,
    /// Its common name, if it has exactly one.
    pub(super) common: Option<String>,
    /// A connection may outlive the certificate that it came with.
    pub(super) expires_at: SystemTime,
}

impl Subject {
    /// Reads a certificate (DER).
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let certificate = certificate.tbs_certificate();
        let name = certificate.subject();
        let mut names = name.iter().filter(|part| part.oid == COMMON_NAME).map(|part| {
            let text = Utf8StringRef::try_from(&part.value).map(|text| text.as_str().to_owned());
            let plain = || PrintableStringRef::try_from(&part.value).map(|t| t.as_str().to_owned());
            text.or_else(|_| plain()).ok()
        });
        let common = names.next().flatten().filter(|_| names.next().is_none());
        let expires_at = certificate.validity().not_after.to_system_time();
        Some(Self { distinguished: name.to_string(), common, expires_at })
    }

    pub(super) fn is_valid(&self) -> bool {
        SystemTime::now() <= self.expires_at
    }
}

/// A connection of which may be known who is at its other end.
pub trait Peer {
    /// The certificate (DER) that it has shown to be its own, once anything was read.
    fn certificate(&self) -> Option<&[u8]> {
        None
    }
}

impl Peer for tokio::net::TcpStream {}

/// Without sockets, so that tests can make time pass.
impl Peer for tokio::io::DuplexStream {}
