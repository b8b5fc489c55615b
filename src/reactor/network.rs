//! What the reactor asks of the operating system, as traits.
//!
//! Owns: [`Network`], [`Socket`], [`Ready`]. Implemented by `system.rs` on mio and
//! by `memory.rs` for tests in virtual time. Runs on: whoever turns the reactor.
//! Nothing here may block.
#![allow(unsafe_code)]

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::time::Duration;

use crate::bridge::Addresses;

/// News about one registered source. Edges: each is told once, and holds until an operation
/// says "would block".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number that the source was registered with.
    pub token: usize,
    /// There may be something to read or to accept.
    pub readable: bool,
    /// The peer finished its side or reset the connection: reading tells which.
    pub read_closed: bool,
    /// There is room to write again.
    pub writable: bool,
    /// The connection broke.
    pub error: bool,
}

/// A set of sockets that can be asked for news.
pub trait Network: Debug + Send + 'static {
    /// A connected stream socket.
    type Socket: Socket;
    /// A listening socket.
    type Listener: Debug + Send;

    /// Appends news without waiting. `true` if there may be more.
    ///
    /// # Errors
    /// The operating system's.
    fn poll(&mut self, news: &mut Vec<Ready>) -> io::Result<bool>;

    /// Watches a socket for reading and writing.
    ///
    /// # Errors
    /// The operating system's, for want of memory for instance.
    fn register(&mut self, socket: &mut Self::Socket, token: usize) -> io::Result<()>;

    /// Watches a socket no more.
    fn deregister(&mut self, socket: &mut Self::Socket);

    /// Watches a listener.
    ///
    /// # Errors
    /// As for [`Network::register`].
    fn register_listener(&mut self, listener: &mut Self::Listener, token: usize) -> io::Result<()>;

    /// Watches a listener no more.
    fn deregister_listener(&mut self, listener: &mut Self::Listener);

    /// Stops a listener: its port is free when this returns.
    fn stop(&mut self, listener: Self::Listener);

    /// Takes the next connection of a listener.
    ///
    /// # Errors
    /// "Would block" when there is none, else the operating system's.
    fn accept(&mut self, listener: &Self::Listener) -> io::Result<Self::Socket>;
}

/// A connected stream socket that does not block. It closes when it is dropped.
///
/// # Safety
/// What [`Socket::receive`] returns is not more than it initialised.
pub unsafe trait Socket: Debug + Send {
    /// Reads into `buffer`; so many bytes at its beginning are initialised then. 0 is the end.
    ///
    /// # Errors
    /// "Would block", else the operating system's.
    fn receive(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize>;

    /// How many bytes, at most one, could be read. 0 is the end.
    ///
    /// # Errors
    /// As for [`Socket::receive`].
    fn peek(&self) -> io::Result<usize>;

    /// Writes what there is room for.
    ///
    /// # Errors
    /// As for [`Socket::receive`].
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// As [`Socket::send`], from several slices.
    ///
    /// # Errors
    /// As for [`Socket::receive`].
    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// The error that broke the connection, if one did. Asking takes it.
    fn take_error(&self) -> Option<io::Error>;

    /// Finishes our side after everything sent.
    fn shutdown_write(&self);

    /// Makes closing the socket reset the connection.
    fn reset_on_close(&self);

    /// Turns Nagle's algorithm off or on, where there is one.
    fn set_no_delay(&self, on: bool);

    /// Turns keep-alive probes on or off, where there are any; `idle` of `None` leaves the
    /// system's own delay.
    fn set_keep_alive(&self, on: bool, idle: Option<Duration>);

    /// Local and remote address of a TCP connection.
    fn addresses(&self) -> Option<Addresses>;
}
