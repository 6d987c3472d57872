//! The certificate for https and wss.

use std::{path::Path, sync::Arc};

use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

use crate::config::Config;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error("{flag} {file}: {error}; it must be a PEM file that holds {what}")]
    Pem {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: String,
        /// What was looked for.
        what: &'static str,
        /// What went wrong.
        error: pem::Error,
    },
    /// Each can be read, but not used together.
    #[error(
        "--tls-cert, --tls-key: {0}; give the certificate's own key, and the leaf certificate first"
    )]
    Unfit(rustls::Error),
}

/// What TLS handshakes are answered with, if the flags ask for it.
pub(super) fn server_config(config: &Config) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let (Some(cert_file), Some(key_file)) = (&config.tls_cert, &config.tls_key) else {
        return Ok(None);
    };
    let no_certificate = |error| unreadable("--tls-cert", cert_file, "a certificate chain", error);
    let no_key = |error| unreadable("--tls-key", key_file, "a private key", error);
    let chain = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(no_certificate)?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(no_key)?;

    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for both versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unfit)?;
    // WebSockets go over HTTP/1.1 here.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(server)))
}

fn unreadable(flag: &'static str, file: &Path, what: &'static str, error: pem::Error) -> TlsError {
    TlsError::Pem { flag, file: file.display().to_string(), what, error }
}
