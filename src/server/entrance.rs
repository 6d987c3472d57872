//! What a browser's connection passes before HTTP: TLS, where it is served.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::Accept;

use super::Certificate;
use crate::{config::limits, http::Http};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Entrance {
    http: Arc<Http>,
    certificate: Option<Certificate>,
}

impl Entrance {
    pub(super) fn new(http: Arc<Http>, certificate: Option<Certificate>) -> Self {
        Self { http, certificate }
    }

    /// Serves a connection until it ends, all is killed, or a WebSocket's task takes it over.
    pub(super) async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let address = peer.ip().to_canonical();
        match &self.certificate {
            None => self.http.serve(stream, address).await,
            Some(certificate) => {
                let handshake = certificate.acceptor().accept(stream);
                serve_tls(handshake, self.http, address).await;
            }
        }
    }
}

async fn serve_tls(handshake: Accept<TcpStream>, http: Arc<Http>, address: IpAddr) {
    let handshake = timeout(limits::HANDSHAKE, handshake);
    let Some(shaken) = http.killed.run_until_cancelled(handshake).await else { return };
    match shaken {
        Ok(Ok(stream)) => http.serve(stream, address).await,
        Ok(Err(error)) => tracing::debug!(%error, %address, "TLS handshake failed"),
        Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
    }
}
