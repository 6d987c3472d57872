//! The certificates for https and wss and for the admin API, and their renewal while the server runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::RwLock;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, InconsistentKeys, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
        server::{WebPkiClientVerifier, danger::ClientCertVerifier},
        sign::{CertifiedKey, SingleCertAndKey},
    },
};
use x509_cert::der::Decode;

use crate::config::{Config, Unguarded, read_guarded, read_public};

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
    /// A file that cannot be read, or that others can write.
    #[error("{flag} {file:?}: {error}")]
    Unguarded {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: PathBuf,
        /// What is wrong with it.
        error: Unguarded,
    },
    /// A key under a passphrase.
    #[error(
        "{flag} {file:?} is encrypted, and nobody is asked for its passphrase; give what \
         `openssl pkey -in {file:?} -out plain.pem` makes of it"
    )]
    Encrypted {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: PathBuf,
    },
    /// A key of a kind that the cryptographic library does not sign with.
    #[error(
        "{flag} {file:?} holds a key of a kind that is not taken; taken are ECDSA on P-256 or P-384, Ed25519, \
         and RSA of 2048 to 4096 bits"
    )]
    Key {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: PathBuf,
    },
    /// A certificate that nobody would take.
    #[error(
        "{flag} {file:?}: its first certificate cannot be used ({error}); it must be X.509 version 3, which \
         `openssl req -x509` or any certificate authority makes"
    )]
    Certificate {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: PathBuf,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// A certificate that nobody takes any more.
    #[error("{flag} {file:?}: its certificate has expired on {expired}; have it renewed")]
    Expired {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: PathBuf,
        /// When, in UTC.
        expired: String,
    },
    /// A key of another certificate.
    #[error(
        "{} {key:?} is not the key of the first certificate in {} {cert:?}; give the certificate's \
         own key, and the server's certificate before those that signed it", .flags.key, .flags.cert
    )]
    Mismatch {
        /// What the files were given as.
        flags: Flags,
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// What a certificate and its key are given as.
#[derive(Debug, Clone, Copy)]
pub struct Flags {
    cert: &'static str,
    key: &'static str,
}

const BROWSERS: Flags = Flags { cert: "--tls-cert", key: "--tls-key" };
const ADMINISTRATORS: Flags = Flags { cert: "--admin-tls-cert", key: "--admin-tls-key" };
const CLIENT_CA: &str = "--admin-client-ca";

/// The certificate that handshakes are answered with. Clones show the same one.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    files: Files,
    server: RwLock<Arc<ServerConfig>>,
}

/// Where it comes from.
#[derive(Debug)]
struct Files {
    flags: Flags,
    cert: PathBuf,
    key: PathBuf,
    /// Who signs the certificates of those who connect, if they are asked for any.
    client_ca: Option<PathBuf>,
    /// What is spoken over it (RFC 7301).
    protocols: &'static [&'static [u8]],
}

impl Certificate {
    /// Reads that for browsers, if the flags name one.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, TlsError> {
        let (Some(cert), Some(key)) = (config.tls_cert.clone(), config.tls_key.clone()) else {
            return Ok(None);
        };
        // WebSockets go over HTTP/1.1 here.
        let protocols: &[&[u8]] = &[b"http/1.1"];
        let files = Files { flags: BROWSERS, cert, key, client_ca: None, protocols };
        Self::load(files).map(Some)
    }

    /// Reads that for administrators, if the flags name one.
    pub(super) fn of_admin(config: &Config) -> Result<Option<Self>, TlsError> {
        let door = &config.admin_door;
        let (Some(cert), Some(key)) = (door.admin_tls_cert.clone(), door.admin_tls_key.clone())
        else {
            return Ok(None);
        };
        let client_ca = door.admin_client_ca.clone();
        let protocols: &[&[u8]] = &[b"h2", b"http/1.1"];
        let files = Files { flags: ADMINISTRATORS, cert, key, client_ca, protocols };
        Self::load(files).map(Some)
    }

    fn load(files: Files) -> Result<Self, TlsError> {
        let server = RwLock::new(files.load()?);
        Ok(Self(Arc::new(Loaded { files, server })))
    }

    /// Reads the files anew. Handshakes from now on show what they hold; connections that are there stay.
    ///
    /// # Errors
    /// [`TlsError`]; then the one before it is shown on.
    pub fn reload(&self) -> Result<(), TlsError> {
        let server = self.0.files.load()?;
        *self.0.server.write() = server;
        Ok(())
    }

    /// Where it comes from.
    pub(super) fn files(&self) -> Vec<&Path> {
        let Files { cert, key, client_ca, .. } = &self.0.files;
        [cert, key].into_iter().chain(client_ca).map(PathBuf::as_path).collect()
    }

    /// What answers handshakes from now on, up to the next renewal.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.server.read()))
    }
}

impl Files {
    /// A new one for each certificate: no session is resumed that another certificate began.
    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for both versions");
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => builder.with_client_cert_verifier(verifier(file)?),
        };
        let certified = Arc::new(SingleCertAndKey::from(self.certified()?));
        let mut server = builder.with_cert_resolver(certified);
        server.alpn_protocols = self.protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(server))
    }

    fn certified(&self) -> Result<CertifiedKey, TlsError> {
        let Self { flags, cert, key, .. } = self;
        let text = read_public(cert).map_err(|error| match error {
            Unguarded::Io(error) => {
                unreadable(flags.cert, cert, "a certificate chain", pem::Error::Io(error))
            }
            error @ (Unguarded::Writable | Unguarded::NotRegular | Unguarded::TooLong) => {
                TlsError::Unguarded { flag: flags.cert, file: cert.clone(), error }
            }
        })?;
        let chain = certificates(flags.cert, cert, &text, "a certificate chain")?;
        if let Some(expired) = expiry(&chain[0]) {
            return Err(TlsError::Expired { flag: flags.cert, file: cert.clone(), expired });
        }
        let CryptoProvider { key_provider, .. } = ring::default_provider();
        let signing = key_provider.load_private_key(read_key(flags.key, key)?);
        let signing = signing.map_err(|_| TlsError::Key { flag: flags.key, file: key.clone() })?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(certified)
            }
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsError::Mismatch { flags: *flags, cert: cert.clone(), key: key.clone() })
            }
            Err(error) => {
                Err(TlsError::Certificate { flag: flags.cert, file: cert.clone(), error })
            }
        }
    }
}

/// Takes certificates that one of these authorities has signed, and those who show none: health is open to them, and
/// tokens are another way in.
fn verifier(file: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let what = "the certificates of those who sign administrators' certificates";
    let text = guarded(CLIENT_CA, file, false)?;
    let mut roots = RootCertStore::empty();
    let mut expired = None;
    for authority in certificates(CLIENT_CA, file, &text, what)? {
        // The library does not ask.
        match expiry(&authority) {
            Some(past) => expired = Some(past),
            None => roots.add(authority).map_err(|error| TlsError::Certificate {
                flag: CLIENT_CA,
                file: file.to_owned(),
                error,
            })?,
        }
    }
    if let Some(expired) = expired.filter(|_| roots.is_empty()) {
        return Err(TlsError::Expired { flag: CLIENT_CA, file: file.to_owned(), expired });
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    Ok(verifier.allow_unauthenticated().build().expect("there is an authority"))
}

/// When a certificate expired, if it did.
fn expiry(certificate: &[u8]) -> Option<String> {
    // What is wrong with one that cannot be read is for the library to say.
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let not_after = certificate.tbs_certificate().validity().not_after;
    (not_after.to_system_time() < SystemTime::now()).then(|| not_after.to_date_time().to_string())
}

fn certificates(
    flag: &'static str,
    file: &Path,
    text: &[u8],
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found
        .and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) });
    found.map_err(|error| unreadable(flag, file, what, error))
}

fn read_key(flag: &'static str, file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = guarded(flag, file, true)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        // PKCS #8 says so in its label, and the older form in a header (RFC 1421), which the library knows neither.
        if memchr::memmem::find(&text, b"ENCRYPTED").is_some() {
            TlsError::Encrypted { flag, file: file.to_owned() }
        } else {
            unreadable(flag, file, "a private key", error)
        }
    })
}

fn guarded(flag: &'static str, file: &Path, is_secret: bool) -> Result<Vec<u8>, TlsError> {
    let fault = |error| TlsError::Unguarded { flag, file: file.to_owned(), error };
    read_guarded(flag, file, is_secret).map_err(fault)
}

fn unreadable(flag: &'static str, file: &Path, what: &'static str, error: pem::Error) -> TlsError {
    TlsError::Pem { flag, file: file.to_owned(), what, error }
}
