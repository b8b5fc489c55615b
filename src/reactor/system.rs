//! The operating system's sockets, on mio.
//!
//! Owns: [`System`] (an epoll or kqueue instance), its [`Descriptor`] and [`Stream`].
//! The descriptor becomes readable when there is news, so that any event loop can
//! watch it; [`Waker`] makes it readable from any thread. Runs on: whoever
//! turns the reactor; wakers on any thread.
#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::{SockRef, TcpKeepalive};

use super::network::{Network, Ready, Socket};
use super::takeover::OwnedStream;
use crate::bridge::Addresses;

/// News that one call to the system may bring.
const EVENTS: usize = 1024;
/// Never the number of an entry: entries are counted from 0.
const WAKE: Token = Token(usize::MAX);
/// A peer that is gone is an error to return, not a signal to end the process with.
#[cfg(target_os = "linux")]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const NO_SIGNAL: i32 = 0;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Makes the driver of a reactor turn it. Any thread may call it.
pub type Waker = mio::Waker;

/// An epoll or kqueue instance.
#[derive(Debug)]
pub struct System {
    poll: Poll,
    events: Events,
}

impl System {
    /// An instance without sources, and what wakes its driver.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let events = Events::with_capacity(EVENTS);
        Ok((Self { poll, events }, waker))
    }

    /// The descriptor that is readable while there is news. It lives as long as the instance.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor(self.poll.as_raw_fd())
    }
}

/// The descriptor of an instance.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor(RawFd);

impl Descriptor {
    /// Its number.
    #[must_use]
    pub fn raw(&self) -> RawFd {
        self.0
    }

    /// Whether there is news now.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        let mut asked = libc::pollfd {
            fd: self.0,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry, there during the call, which does not wait.
        unsafe { libc::poll(&raw mut asked, 1, 0) == 1 }
    }
}

impl Network for System {
    type Socket = Stream;
    type Listener = TcpListener;

    fn poll(&mut self, news: &mut Vec<Ready>) -> io::Result<bool> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        }
        let before = news.len();
        let told = self.events.iter().filter(|event| event.token() != WAKE);
        news.extend(told.map(|event| Ready {
            token: event.token().0,
            readable: event.is_readable(),
            read_closed: event.is_read_closed(),
            writable: event.is_writable(),
            error: event.is_error(),
        }));
        Ok(news.len() - before >= EVENTS - 1)
    }

    fn register(&mut self, socket: &mut Stream, token: usize) -> io::Result<()> {
        let (registry, token) = (self.poll.registry(), Token(token));
        match socket {
            Stream::Tcp(stream) => registry.register(stream, token, BOTH),
            Stream::Unix(stream) => registry.register(stream, token, BOTH),
        }
    }

    fn deregister(&mut self, socket: &mut Stream) {
        let registry = self.poll.registry();
        // It was registered, and whoever gets it does not care.
        let _ = match socket {
            Stream::Tcp(stream) => registry.deregister(stream),
            Stream::Unix(stream) => registry.deregister(stream),
        };
    }

    fn register_listener(&mut self, listener: &mut TcpListener, token: usize) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(listener, Token(token), Interest::READABLE)
    }

    fn deregister_listener(&mut self, listener: &mut TcpListener) {
        // As above.
        let _ = self.poll.registry().deregister(listener);
    }

    fn stop(&mut self, mut listener: TcpListener) {
        // While another thread asks the instance for news it holds the file, and closing a descriptor
        // would leave the port taken until it is done.
        self.deregister_listener(&mut listener);
        let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<Stream> {
        listener.accept().map(|(stream, _)| Stream::Tcp(stream))
    }
}

/// A connected socket: TCP anywhere, Unix domain sockets where there are any.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix domain socket.
    Unix(mio::net::UnixStream),
}

impl Stream {
    /// The descriptor, which the stream keeps.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    fn as_socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
        }
    }
}

impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Tcp(stream) => stream.into(),
            Stream::Unix(stream) => stream.into(),
        }
    }
}

impl TryFrom<OwnedStream> for Stream {
    type Error = io::Error;

    fn try_from(owned: OwnedStream) -> io::Result<Self> {
        Ok(match owned {
            OwnedStream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Self::Tcp(TcpStream::from_std(stream))
            }
            OwnedStream::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Self::Unix(mio::net::UnixStream::from_std(stream))
            }
        })
    }
}

// SAFETY: the system initialises the bytes that it says it has read.
unsafe impl Socket for Stream {
    fn receive(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.as_socket().recv(buffer)
    }

    fn peek(&self) -> io::Result<usize> {
        self.as_socket().peek(&mut [MaybeUninit::uninit()])
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.as_socket().send_with_flags(bytes, NO_SIGNAL)
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = self.as_socket();
        socket.send_vectored_with_flags(slices, NO_SIGNAL)
    }

    fn take_error(&self) -> Option<io::Error> {
        self.as_socket().take_error().unwrap_or_else(Some)
    }

    // Options and half-closing may fail on a socket that is already dead; reading tells.

    fn shutdown_write(&self) {
        let _ = self.as_socket().shutdown(Shutdown::Write);
    }

    fn reset_on_close(&self) {
        let _ = self.as_socket().set_linger(Some(Duration::ZERO));
    }

    fn set_no_delay(&self, on: bool) {
        if let Self::Tcp(stream) = self {
            let _ = stream.set_nodelay(on);
        }
    }

    fn set_keep_alive(&self, on: bool, idle: Option<Duration>) {
        let Self::Tcp(stream) = self else { return };
        let socket = SockRef::from(stream);
        let _ = match idle {
            Some(idle) if on => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
            _ => socket.set_keepalive(on),
        };
    }

    fn addresses(&self) -> Option<Addresses> {
        let Self::Tcp(stream) = self else { return None };
        Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
    }
}
