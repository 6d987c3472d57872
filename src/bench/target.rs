//! Which server: its URL, and sockets to it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream as StdStream, ToSocketAddrs},
    time::Duration,
};

use hyper::Uri;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Fault;

/// How long the first connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many addresses of this machine to connect from: one has only some 28,000 ports.
const SOURCES: usize = 200;

/// See the module.
#[derive(Debug)]
pub(super) struct Target {
    url: String,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, Fault> {
        let wrong = |mend: &str| Fault::Url { url: url.to_owned(), mend: mend.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong("use one such as ws://localhost:8080/"))?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => {
                return Err(wrong(
                    "TLS is not spoken here; aim ws:// at a port of the server without it",
                ));
            }
            _ => return Err(wrong("use one such as ws://localhost:8080/")),
        }
        let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
            return Err(wrong("name the host, as in ws://localhost:8080/"));
        };
        Ok(Self {
            url: url.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }

    /// The first of the host's addresses that takes a connection.
    pub(super) fn reach(&self) -> Result<SocketAddr, Fault> {
        let unreachable = |error, mend| Fault::Unreachable { url: self.url.clone(), error, mend };
        let mut addresses: Vec<_> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| unreachable(error, "check the name of the host"))?
            .collect();
        // IPv4 first: `connect` has more ports there.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match StdStream::connect_timeout(&address, PATIENCE) {
                Ok(_) => return Ok(address),
                Err(error) => last = error,
            }
        }
        Err(unreachable(last, "start the server there, or name the URL of one that runs"))
    }

    /// What asks for a WebSocket. The key is RFC 6455's own example: nothing here caches.
    pub(super) fn handshake(&self) -> String {
        let Self { path, authority, .. } = self;
        format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
    }
}

/// Begins the `nth` connection to `address`.
pub(super) fn connect(address: SocketAddr, nth: usize) -> io::Result<TcpStream> {
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    bind_source(&socket, address, nth)?;
    #[cfg(not(target_os = "linux"))]
    let _ = nth;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// All of 127.0.0.0/8 is this machine under Linux.
#[cfg(target_os = "linux")]
fn bind_source(socket: &Socket, address: SocketAddr, nth: usize) -> io::Result<()> {
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return Ok(());
    }
    let last = u8::try_from(2 + nth % SOURCES).expect("SOURCES is small");
    // A port of a connection that has just ended serves again.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, last], 0))))
}
