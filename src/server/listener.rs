//! Listening sockets.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, stream::unfold};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::StartError;
use crate::{
    config::{Config, limits},
    http::Http,
    telemetry::Tally,
};

/// Connections that may wait to be accepted: everyone comes back at once after a restart.
const BACKLOG: i32 = 4096;

/// Every address that `--listen` names, or the port on all of the machine's.
pub(super) fn bind_all(config: &Config) -> Result<Vec<TcpListener>, StartError> {
    if !config.listen.is_empty() {
        return config.listen.iter().map(|address| bind("--listen", *address)).collect();
    }
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, config.port));
    Ok(vec![bind("--listen", every)?])
}

pub(super) fn bind(flag: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    bind_by(open, address).map_err(|(address, error)| StartError::Listen { flag, address, error })
}

fn bind_by<T>(
    open: impl Fn(SocketAddr) -> io::Result<T>,
    address: SocketAddr,
) -> Result<T, (SocketAddr, io::Error)> {
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
    match open(address) {
        // On a machine without IPv6, every address is every IPv4 address.
        Err(error) if address == every && error.kind() != io::ErrorKind::AddrInUse => {
            let old = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            open(old).map_err(|error| (old, error))
        }
        opened => opened.map_err(|error| (address, error)),
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip().is_unspecified() && address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    // Every connection inherits what follows, without a call of its own. Signals are small and wait for nobody.
    socket.set_tcp_nodelay(true)?;
    // What a client does not take, or is not read from, waits where it is counted, and not in the kernel.
    socket.set_recv_buffer_size(limits::SOCKET_BYTES)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(limits::UNSENT_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The next connection, and whose it is. While there is none to be had, as without free file descriptors, it waits,
/// and counts that.
pub(super) async fn accept(listener: &TcpListener, failed: &Tally) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::debug!(%error, "could not accept a connection");
                failed.count();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Every connection there will be.
pub(super) fn incoming(
    listener: TcpListener,
    http: Arc<Http>,
) -> impl Stream<Item = io::Result<TcpStream>> {
    unfold((listener, http), async |(listener, http)| {
        let (stream, _) = accept(&listener, &http.refusals.not_accepted).await;
        Some((Ok(stream), (listener, http)))
    })
}

/// What is wrong, and what to do about it.
pub(super) fn mend(error: &io::Error, address: SocketAddr) -> String {
    let other = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(8080));
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum may grow")]
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("the port is in use; stop what uses it, or choose another such as {other}")
        }
        io::ErrorKind::PermissionDenied => {
            "this port is for root alone; choose one from 1024 up, such as 8080".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            format!(
                "this machine has no such address; use one of its own, or 0.0.0.0:{}",
                address.port()
            )
        }
        _ => format!("cannot listen there ({error}); choose another address"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use tokio::{net::TcpSocket, time::timeout};

    use super::*;

    #[test]
    fn a_machine_without_ipv6_has_every_address_too() {
        let open = |address: SocketAddr| match address {
            SocketAddr::V4(_) => Ok(address),
            SocketAddr::V6(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        let every = Config::try_parse_from(["signalpost", "--listen", ":21902"]);
        let every = every.unwrap().listen[0];
        assert_eq!(bind_by(open, every).unwrap(), "0.0.0.0:21902".parse().unwrap());
        let one = "[::1]:21902".parse().unwrap();
        assert_eq!(bind_by(open, one).unwrap_err().0, one, "no other address stands in for one");
        let in_use = |_| Err::<(), _>(io::ErrorKind::AddrInUse.into());
        assert_eq!(bind_by(in_use, every).unwrap_err().0, every);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_keeps_little_for_a_client_that_does_not_read() {
        let listener = open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(4 << 10).unwrap();
        let address = listener.local_addr().unwrap();
        let failed = Tally::new("");
        let ((accepted, _), _client) =
            tokio::join!(accept(&listener, &failed), client.connect(address));
        let mut taken = 0;
        while let Ok(Ok(())) = timeout(Duration::from_millis(200), accepted.writable()).await {
            taken += accepted.try_write(&[0; 16 << 10]).unwrap_or(0);
            assert!(taken < 512 << 10, "{taken} bytes");
        }
        assert!(taken > 0);
    }

    #[tokio::test]
    async fn connections_send_at_once() {
        let listener = open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let failed = Tally::new("");
        let ((accepted, _), connected) =
            tokio::join!(accept(&listener, &failed), TcpStream::connect(address));
        assert!(accepted.nodelay().unwrap());
        assert!(!connected.unwrap().nodelay().unwrap(), "or this tells nothing");
    }
}
