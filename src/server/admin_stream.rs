//! An administrator's connection, with TLS where that is asked for. Its handshake goes on while it is read and
//! written, so nobody else waits for it, and it has the deadline of whoever says nothing.
//!
//! Calls may keep a thread awake, or take a while: clients are told first what is due to them (`hub/turn`).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{Accept, server::TlsStream};

use super::Certificate;
use crate::{admin::Peer, hub::flush_told};

/// See the module.
pub(super) enum AdminStream {
    Plain(TcpStream),
    Shaking(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
    /// Without a handshake there is nothing to speak on.
    Failed,
}

impl AdminStream {
    pub(super) fn new(stream: TcpStream, certificate: Option<&Certificate>) -> Self {
        match certificate {
            None => Self::Plain(stream),
            Some(certificate) => Self::Shaking(Box::new(certificate.acceptor().accept(stream))),
        }
    }

    /// The connection, once it is what can be spoken on.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Stream>>> {
        if let Self::Shaking(handshake) = self {
            let shaken = ready!(Pin::new(&mut **handshake).poll(cx));
            *self = match shaken {
                Ok(stream) => Self::Secure(Box::new(stream)),
                Err(error) => {
                    tracing::debug!(%error, "TLS handshake of an administrator failed");
                    Self::Failed
                }
            };
        }
        Poll::Ready(match self {
            Self::Plain(stream) => Ok(Pin::new(stream)),
            Self::Secure(stream) => Ok(Pin::new(&mut **stream)),
            Self::Shaking(_) | Self::Failed => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl Peer for AdminStream {
    fn certificate(&self) -> Option<&[u8]> {
        let Self::Secure(stream) = self else { return None };
        let (_, connection) = stream.get_ref();
        connection.peer_certificates()?.first().map(|certificate| certificate.as_ref())
    }
}

impl AsyncRead for AdminStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        flush_told();
        ready!(self.poll_open(cx))?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for AdminStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        flush_told();
        ready!(self.poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        flush_told();
        ready!(self.poll_open(cx))?.poll_write_vectored(cx, slices)
    }

    /// Asked before the handshake: rustls takes slices, as sockets do.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            // There is nobody to say goodbye to.
            Self::Shaking(_) | Self::Failed => Poll::Ready(Ok(())),
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
