//! The certificate for https and wss, and its renewal while the server runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, InconsistentKeys, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
        sign::{CertifiedKey, SingleCertAndKey},
    },
};

use crate::config::Config;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error("{flag} {file:?}: {error}; it must be a PEM file that holds {what}")]
    Pem {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What went wrong.
        error: pem::Error,
    },
    /// A key under a passphrase.
    #[error(
        "--tls-key {0:?} is encrypted, and nobody is asked for its passphrase; give what \
         `openssl pkey -in {0:?} -out plain.pem` makes of it"
    )]
    Encrypted(PathBuf),
    /// A key of a kind that the cryptographic library does not sign with.
    #[error(
        "--tls-key {0:?} holds a key of a kind that is not taken; taken are ECDSA on P-256 or P-384, Ed25519, \
         and RSA of 2048 to 4096 bits"
    )]
    Key(PathBuf),
    /// A certificate that no browser would take.
    #[error(
        "--tls-cert {file:?}: its first certificate cannot be used ({error}); it must be X.509 version 3, which \
         `openssl req -x509` or any certificate authority makes"
    )]
    Certificate {
        /// The flag's value.
        file: PathBuf,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// A key of another certificate.
    #[error(
        "--tls-key {key:?} is not the key of the first certificate in --tls-cert {cert:?}; give the certificate's \
         own key, and the server's certificate before those that signed it"
    )]
    Mismatch {
        /// `--tls-cert`.
        cert: PathBuf,
        /// `--tls-key`.
        key: PathBuf,
    },
}

/// The certificate that handshakes are answered with. Clones show the same one.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Files>);

/// Where it comes from, and what was there when it was last read.
#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
    loaded: RwLock<Arc<ServerConfig>>,
}

impl Certificate {
    /// Reads it, if the flags name one.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, TlsError> {
        let (Some(cert), Some(key)) = (config.tls_cert.clone(), config.tls_key.clone()) else {
            return Ok(None);
        };
        let loaded = RwLock::new(load(&cert, &key)?);
        Ok(Some(Self(Arc::new(Files { cert, key, loaded }))))
    }

    /// Reads the files anew. Handshakes from now on show what they hold; connections that are there stay.
    ///
    /// # Errors
    /// [`TlsError`]; then the one before it is shown on.
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = load(&self.0.cert, &self.0.key)?;
        *self.0.loaded.write() = loaded;
        Ok(())
    }

    /// What answers handshakes from now on, up to the next renewal.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.loaded.read()))
    }
}

fn load(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|error| unreadable("--tls-cert", cert, "a certificate chain", error))?;
    let CryptoProvider { key_provider, .. } = ring::default_provider();
    let signing =
        key_provider.load_private_key(read_key(key)?).map_err(|_| TlsError::Key(key.to_owned()))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(server_config(certified))
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { cert: cert.to_owned(), key: key.to_owned() })
        }
        Err(error) => Err(TlsError::Certificate { file: cert.to_owned(), error }),
    }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let fault = |error| unreadable("--tls-key", file, "a private key", error);
    let text = std::fs::read(file).map_err(|error| fault(pem::Error::Io(error)))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        // PKCS #8 says so in its label, and the older form in a header (RFC 1421), which the library knows neither.
        if memchr::memmem::find(&text, b"ENCRYPTED").is_some() {
            TlsError::Encrypted(file.to_owned())
        } else {
            fault(error)
        }
    })
}

/// A new one for each certificate: no session is resumed that another certificate began.
fn server_config(certified: CertifiedKey) -> Arc<ServerConfig> {
    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for both versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // WebSockets go over HTTP/1.1 here.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(server)
}

fn unreadable(flag: &'static str, file: &Path, what: &'static str, error: pem::Error) -> TlsError {
    TlsError::Pem { flag, file: file.to_owned(), what, error }
}
