//! How both sides name a connection. Runs on: any.

use std::net::SocketAddr;

/// A connection's identity within its reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId {
    /// Index in the reactor's tables.
    pub slot: u32,
    /// How many connections used the index before.
    pub generation: u32,
}

/// Local and remote address of a connection.
pub type Addresses = (SocketAddr, SocketAddr);
