//! What a browser's connection passes before HTTP: the PROXY protocol and TLS, each where it is asked for.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::Accept;

use super::{Certificate, proxy_protocol};
use crate::{
    config::{Config, limits},
    http::{Http, Visitor},
};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Entrance {
    config: Arc<Config>,
    http: Arc<Http>,
    certificate: Option<Certificate>,
}

impl Entrance {
    pub(super) fn new(
        config: Arc<Config>,
        http: Arc<Http>,
        certificate: Option<Certificate>,
    ) -> Self {
        Self { config, http, certificate }
    }

    /// Serves a connection until it ends, all is killed, or a WebSocket's task takes it over. What not every server
    /// asks for is in boxes: else each connection would have room for it.
    pub(super) async fn serve(self, mut stream: TcpStream, peer: SocketAddr, mut visitor: Visitor) {
        let mut address = peer.ip().to_canonical();
        if self.config.proxy_protocol {
            match Box::pin(self.passed_on(&mut stream, address, &visitor)).await {
                Ok(client) => address = client,
                Err(error) => {
                    self.http.refusals.not_of_a_proxy.count();
                    tracing::debug!(%error, %address, "no connection of a trusted proxy");
                    return;
                }
            }
            self.http.known(&mut visitor, address);
        }
        match &self.certificate {
            None => self.http.serve(stream, address, visitor).await,
            Some(certificate) => {
                let handshake = certificate.acceptor().accept(stream);
                Box::pin(serve_tls(handshake, self.http, address, visitor)).await;
            }
        }
    }

    /// The address that the proxy names, or its own where it speaks for itself.
    async fn passed_on(
        &self,
        stream: &mut TcpStream,
        proxy: IpAddr,
        visitor: &Visitor,
    ) -> io::Result<IpAddr> {
        if !self.config.trusts(proxy) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let header = timeout(limits::HANDSHAKE, proxy_protocol::client_address(stream));
        let read = unless_ended(&self.http, visitor, header).await;
        let read = read.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok(read??.map_or(proxy, |client| client.to_canonical()))
    }
}

async fn serve_tls(
    handshake: Accept<TcpStream>,
    http: Arc<Http>,
    address: IpAddr,
    visitor: Visitor,
) {
    let handshake = timeout(limits::HANDSHAKE, handshake);
    let Some(shaken) = unless_ended(&http, &visitor, handshake).await else { return };
    match shaken {
        Ok(Ok(stream)) => http.serve(stream, address, visitor).await,
        Ok(Err(error)) => tracing::debug!(%error, %address, "TLS handshake failed"),
        Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
    }
}

/// Unless all is killed, or another takes the visitor's place.
async fn unless_ended<F: Future>(http: &Http, visitor: &Visitor, future: F) -> Option<F::Output> {
    tokio::select! {
        output = future => Some(output),
        () = http.killed.cancelled() => None,
        () = visitor.sent_away() => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use clap::Parser;
    use tokio::{io::AsyncWriteExt, net::TcpListener, time::Instant};

    use super::*;
    use crate::hub::Hub;

    /// How long a connection is served on which only this is said.
    async fn seconds_of(flags: &[&str], said: &str) -> u64 {
        let words = ["signalpost"].iter().chain(flags);
        let config = Arc::new(Config::try_parse_from(words).unwrap());
        let hub = Arc::new(Hub::new(Arc::clone(&config)));
        let http = Arc::new(Http::new(hub, Arc::clone(&config)));
        let certificate = Certificate::of(&config).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        client.write_all(said.as_bytes()).await.unwrap();
        let began = Instant::now();
        let visitor = http.let_in(peer.ip()).unwrap();
        Entrance::new(config, http, certificate).serve(stream, peer, visitor).await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_stands_still_is_not_waited_for() {
        let flags = ["--proxy-protocol", "--trusted-proxy", "127.0.0.1"];
        for said in ["", "PROXY TCP4 ", "\r\n\r\n\0\r\nQUIT\n!"] {
            assert_eq!(seconds_of(&flags, said).await, limits::HANDSHAKE.as_secs(), "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tls_handshake_that_stands_still_is_not_waited_for() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/rsa2048.pem");
        let flags = ["--tls-cert", file, "--tls-key", file];
        for said in ["", "\x16\x03\x01\x02"] {
            assert_eq!(seconds_of(&flags, said).await, limits::HANDSHAKE.as_secs(), "{said:?}");
        }
    }
}
