//! Listening sockets.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use futures_util::{Stream, stream::unfold};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::StartError;
use crate::config::Config;

/// Connections that may wait to be accepted: everyone comes back at once after a restart.
const BACKLOG: i32 = 4096;

/// Every address that `--listen` names, or the port on all of the machine's.
pub(super) fn bind_all(config: &Config) -> Result<Vec<TcpListener>, StartError> {
    if !config.listen.is_empty() {
        return config.listen.iter().map(|address| bind("--listen", *address)).collect();
    }
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, config.port));
    let old = SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.port));
    let listener = match open(both) {
        // A machine without IPv6.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => bind("--listen", old),
        Err(error) => Err(StartError::Listen { flag: "--listen", address: both, error }),
        Ok(listener) => Ok(listener),
    };
    Ok(vec![listener?])
}

pub(super) fn bind(flag: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    open(address).map_err(|error| StartError::Listen { flag, address, error })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip().is_unspecified() && address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    // Signals are small and wait for nobody. Every connection inherits it, without a call of its own.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The next connection. While there is none to be had, as without free file descriptors, it waits.
pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Every connection there will be.
pub(super) fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    unfold(listener, async |listener| {
        let stream = accept(&listener).await;
        Some((Ok(stream), listener))
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
    use super::*;

    #[tokio::test]
    async fn connections_send_at_once() {
        let listener = open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, connected) = tokio::join!(accept(&listener), TcpStream::connect(address));
        assert!(accepted.nodelay().unwrap());
        assert!(!connected.unwrap().nodelay().unwrap(), "or this tells nothing");
    }
}
