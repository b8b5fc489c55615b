//! A connected socket: TCP anywhere, Unix domain sockets where there are any.
//!
//! Runs on: worker.

use std::io;
use std::io::IoSlice;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::takeover::OwnedStream;
use crate::bridge::Addresses;

#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

macro_rules! each {
    ($self:ident, $stream:ident => $body:expr) => {
        match $self {
            Self::Tcp($stream) => $body,
            #[cfg(unix)]
            Self::Unix($stream) => $body,
        }
    };
}

impl Stream {
    /// Registers a socket with the runtime of this thread.
    pub(crate) fn register(owned: OwnedStream) -> io::Result<Self> {
        Ok(match owned {
            OwnedStream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Self::Tcp(TcpStream::from_std(stream)?)
            }
            #[cfg(unix)]
            OwnedStream::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Self::Unix(UnixStream::from_std(stream)?)
            }
        })
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }

    /// Looks at what could be read without taking it.
    pub(crate) fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_peek(cx, buffer),
            // Only listeners look, and they have TCP connections.
            #[cfg(unix)]
            Self::Unix(_) => Poll::Pending,
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            #[cfg(unix)]
            Self::Unix(stream) => stream.poll_write_ready(cx),
        }
    }

    /// Writes what the kernel takes.
    ///
    /// tokio knows a fresh socket to be writable only after its event loop ran once; asking the
    /// kernel saves that turn, and saves the response of a connection that is destroyed in it.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, stream => match stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                SockRef::from(stream).send(bytes)
            }
            outcome => outcome,
        })
    }

    /// As [`Stream::try_write`], from several slices.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, stream => match stream.try_write_vectored(slices) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                SockRef::from(stream).send_vectored(slices)
            }
            outcome => outcome,
        })
    }

    /// Sends FIN after everything written.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        each!(self, stream => SockRef::from(stream).shutdown(Shutdown::Write))
    }

    /// Turns Nagle's algorithm off or on. Only TCP has one.
    pub(crate) fn set_no_delay(&self, on: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nodelay(on),
            #[cfg(unix)]
            Self::Unix(_) => Ok(()),
        }
    }

    /// Starts keep-alive probes after `idle`, or stops them.
    pub(crate) fn set_keep_alive(&self, idle: Option<Duration>) -> io::Result<()> {
        let Self::Tcp(stream) = self else {
            return Ok(());
        };
        let socket = SockRef::from(stream);
        match idle {
            Some(idle) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
            None => socket.set_keepalive(false),
        }
    }

    /// Local and remote address of a TCP connection.
    pub(crate) fn addresses(&self) -> Option<Addresses> {
        let Self::Tcp(stream) = self else { return None };
        Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
    }
}
