//! A certificate authority, and connections of HTTP/2 over TLS to the admin API.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::{error::Error, net::SocketAddr, sync::Arc, time::SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use tonic::{Code, Status};

use super::support::within;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        Self::of(CertificateParams::default())
    }

    pub fn expired() -> Self {
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(2020, 2, 29);
        Self::of(params)
    }

    fn of(mut params: CertificateParams) -> Self {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    /// A certificate for localhost with this subject, and its key.
    pub fn issue(&self, subject: &[(&str, &str)]) -> (String, String) {
        self.sign(CertificateParams::new(["localhost".to_owned()]).unwrap(), subject)
    }

    pub fn issue_expired(&self, subject: &[(&str, &str)]) -> (String, String) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2020, 2, 29);
        self.sign(params, subject)
    }

    pub fn issue_until(&self, end: SystemTime, subject: &[(&str, &str)]) -> (String, String) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = end.into();
        self.sign(params, subject)
    }

    fn sign(&self, mut params: CertificateParams, subject: &[(&str, &str)]) -> (String, String) {
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            let kind = match *kind {
                "CN" => DnType::CommonName,
                // The library has one of each kind, unless it does not know it for one.
                "second CN" => DnType::CustomDnType(vec![2, 5, 4, 3]),
                _ => DnType::OrganizationName,
            };
            params.distinguished_name.push(kind, *value);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

pub type Failure = Box<dyn Error + Send + Sync>;

/// A connection of HTTP/2.
pub struct Secure {
    sender: SendRequest<Full<Bytes>>,
    /// What the server showed.
    pub certificate: Vec<u8>,
}

impl Secure {
    /// Trusts `authority`, and shows a certificate if there is one.
    pub async fn connect(
        address: SocketAddr,
        authority: &Authority,
        shown: Option<(String, String)>,
    ) -> Result<Self, Failure> {
        let stream = shake_hands(address, authority, shown).await?;
        let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let (sender, connection) =
            within(handshake(TokioExecutor::new(), TokioIo::new(stream))).await?;
        tokio::spawn(connection);
        Ok(Self { sender, certificate })
    }

    /// How a call with an empty request ends.
    pub async fn ask(&mut self, path: &str, bearer: Option<&str>) -> Result<Code, Failure> {
        let answer = self.begin(path, bearer).await?;
        if let Some(status) = Status::from_header_map(answer.headers()) {
            return Ok(status.code());
        }
        let body = within(answer.into_body().collect()).await?;
        Ok(body.trailers().and_then(Status::from_header_map).unwrap().code())
    }

    /// The answer to a call with an empty request, as far as its headers.
    pub async fn begin(
        &mut self,
        path: &str,
        bearer: Option<&str>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(bearer) = bearer {
            request = request.header("authorization", bearer);
        }
        let request = request.body(Full::new(Bytes::from_static(&[0; 5])))?;
        Ok(within(self.sender.send_request(request)).await?)
    }
}

async fn shake_hands(
    address: SocketAddr,
    authority: &Authority,
    shown: Option<(String, String)>,
) -> Result<TlsStream<TcpStream>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes())?)?;
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut tls = match shown {
        None => tls.with_no_client_auth(),
        Some((cert, key)) => tls.with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(cert.as_bytes())?],
            PrivateKeyDer::from_pem_slice(key.as_bytes())?,
        )?,
    };
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost")?;
    Ok(within(TlsConnector::from(Arc::new(tls)).connect(name, stream)).await?)
}
