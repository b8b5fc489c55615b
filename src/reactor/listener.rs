//! Port mode: listening sockets and who serves what they accept.
//!
//! Owns: [`bind`], [`Listening`]. Runs on: js ([`bind`]), else whoever turns the
//! reactor.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Connections accepted before others get their turn.
pub(crate) const ACCEPTS_PER_TURN: usize = 64;
/// Pause after an accept that failed for want of descriptors or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where to listen.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// Address and port; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// Keep an IPv6 socket from taking IPv4 connections.
    pub ipv6_only: bool,
}

/// Opens a listening socket as Node does.
///
/// # Errors
/// The operating system's, with its error number.
pub fn bind(options: ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(options.address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if options.address.is_ipv6() {
        socket.set_only_v6(options.ipv6_only)?;
    }
    socket.bind(&options.address.into())?;
    socket.listen(options.backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Gives an accepted socket to the reactor whose turn it is. It comes back if that is the one
/// that accepted it.
pub type Share<S> = Box<dyn FnMut(S) -> Option<S> + Send>;

/// A listening socket in a reactor.
pub(crate) struct Listening<L, S> {
    pub(crate) socket: L,
    /// JavaScript's number for it.
    pub(crate) id: u16,
    pub(crate) share: Share<S>,
    /// Accepting failed and is tried again later.
    pub(crate) pausing: bool,
}

impl<L, S> std::fmt::Debug for Listening<L, S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Listening({})", self.id)
    }
}

/// Whether an accept failed because of the connection and not of us.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted
    )
}
