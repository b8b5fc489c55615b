//! Taking a socket over from Node: an owned duplicate of its descriptor.
//!
//! Owns: the one place where a bare descriptor number becomes a socket. Called
//! by `napi/` on the JavaScript thread, which closes Node's own handle next.
//! Runs on: js. Tests: `__test__/interop`.
#![allow(unsafe_code)]

use std::io;
use std::net::TcpStream;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;

/// A socket that no runtime knows yet.
#[derive(Debug)]
pub enum OwnedStream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix domain socket.
    Unix(UnixStream),
}

/// Duplicates the descriptor of a connected stream socket.
///
/// # Errors
/// When `fd` is no stream socket, or the process has no descriptor left.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedStream> {
    if fd < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the borrow ends in this statement; JavaScript holds the handle that owns `fd`
    // during the call, and a number that is not open makes the duplication fail.
    let duplicate = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
    let socket = socket2::Socket::from(duplicate);
    Ok(match socket.local_addr()?.domain() {
        socket2::Domain::UNIX => OwnedStream::Unix(socket.into()),
        _ => OwnedStream::Tcp(socket.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    #[test]
    fn the_duplicate_outlives_the_original() {
        let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
        let OwnedStream::Unix(mut copy) = duplicate(ours.as_raw_fd()).expect("a duplicate") else {
            panic!("a Unix socket was expected");
        };
        drop(ours);
        copy.write_all(b"x").expect("the duplicate is open");
        let mut byte = [0];
        theirs.read_exact(&mut byte).expect("a byte arrives");
        assert_eq!(&byte, b"x");
        assert!(duplicate(-1).is_err());
    }
}
