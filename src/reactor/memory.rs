//! Sockets in memory, for tests in virtual time: two bounded pipes each, told about
//! as epoll tells in edge-triggered mode.
//!
//! Owns: [`MemoryNetwork`], [`pair`]. Runs on: threads of a test or a model.
#![allow(unsafe_code)]
#![allow(unreachable_pub, reason = "in the place of a public type in models")]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::network::{Network, Ready, Socket};
use crate::bridge::Addresses;
use crate::sync::{Mutex, MutexGuard};

pub(crate) const CONNECTION_RESET: i32 = 104;
const BROKEN_PIPE: i32 = 32;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a network has to tell, and who is called then.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Mail>);

#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) news: VecDeque<Ready>,
    pub(super) watches: Vec<Waker>,
}

impl Mailbox {
    pub(super) fn tell(&self, ready: Ready) {
        let mut mail = self.open();
        mail.news.push_back(ready);
        let watches = mail.watches.clone();
        drop(mail);
        watches.iter().for_each(Waker::wake_by_ref);
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Mail> {
        lock(&self.0)
    }
}

/// Who is told of a pipe's edges.
#[derive(Clone, Debug)]
struct Watcher {
    news: Arc<Mailbox>,
    token: usize,
}

impl Watcher {
    fn tell(&self, change: impl FnOnce(&mut Ready)) {
        let mut ready = Ready {
            token: self.token,
            readable: false,
            read_closed: false,
            writable: false,
            error: false,
        };
        change(&mut ready);
        self.news.tell(ready);
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// The writer is done.
    ended: bool,
    /// The reader is gone.
    broken: bool,
    reset: bool,
    /// The writer was told to wait.
    wanted: bool,
    /// Whoever reads next panics.
    panics: bool,
    reader: Option<Watcher>,
    writer: Option<Watcher>,
}

/// One end of a connection.
#[derive(Debug)]
pub struct MemorySocket {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

/// The ends of a connection whose pipes have room for so many bytes.
pub(crate) fn pair(capacity: usize) -> (MemorySocket, MemorySocket) {
    let pipe = || {
        Arc::new(Mutex::new(Pipe {
            capacity,
            ..Pipe::default()
        }))
    };
    let (there, back) = (pipe(), pipe());
    (
        MemorySocket {
            incoming: Arc::clone(&back),
            outgoing: Arc::clone(&there),
        },
        MemorySocket {
            incoming: there,
            outgoing: back,
        },
    )
}

impl MemorySocket {
    /// There is none.
    #[cfg(models)]
    #[must_use]
    pub fn descriptor(&self) -> i32 {
        -1
    }

    /// Breaks the connection, as a peer does that sends RST. What has come can still be read.
    pub(crate) fn reset(&self) {
        for pipe in [&self.incoming, &self.outgoing] {
            let mut pipe = lock(pipe);
            pipe.reset = true;
            for watcher in [&pipe.reader, &pipe.writer].into_iter().flatten() {
                watcher.tell(|ready| {
                    (ready.error, ready.readable, ready.read_closed) = (true, true, true);
                });
            }
        }
    }

    /// Makes the code of the connection at the other end panic, when it reads.
    pub(crate) fn make_reading_panic(&self) {
        lock(&self.outgoing).panics = true;
    }

    /// Everything that has arrived.
    pub(crate) fn receive_all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut room = [MaybeUninit::uninit(); 1000];
        while let Ok(read @ 1..) = self.receive(&mut room) {
            all.extend(room[..read].iter().map(|byte| {
                // SAFETY: `receive` has initialised so many.
                unsafe { byte.assume_init() }
            }));
        }
        all
    }

    /// Bytes that can be sent at once.
    pub(crate) fn room(&self) -> usize {
        let pipe = lock(&self.outgoing);
        pipe.capacity - pipe.bytes.len()
    }

    /// Whether the other end is done.
    pub(crate) fn is_ended(&self) -> bool {
        let pipe = lock(&self.incoming);
        pipe.ended || pipe.reset
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        let mut outgoing = lock(&self.outgoing);
        outgoing.ended = true;
        if let Some(reader) = &outgoing.reader {
            reader.tell(|ready| (ready.readable, ready.read_closed) = (true, true));
        }
        drop(outgoing);
        let mut incoming = lock(&self.incoming);
        incoming.broken = true;
        if let Some(writer) = &incoming.writer {
            writer.tell(|ready| ready.writable = true);
        }
    }
}

// SAFETY: as many elements are written as are counted.
unsafe impl Socket for MemorySocket {
    fn receive(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let mut pipe = lock(&self.incoming);
        assert!(!pipe.panics, "as a test wants it");
        if pipe.bytes.is_empty() {
            return if pipe.reset {
                Err(io::Error::from_raw_os_error(CONNECTION_RESET))
            } else if pipe.ended {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        let count = buffer.len().min(pipe.bytes.len());
        for (to, byte) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            to.write(byte);
        }
        if std::mem::take(&mut pipe.wanted)
            && let Some(writer) = &pipe.writer
        {
            writer.tell(|ready| ready.writable = true);
        }
        Ok(count)
    }

    fn peek(&self) -> io::Result<usize> {
        let pipe = lock(&self.incoming);
        match pipe.bytes.len() {
            0 if pipe.reset => Err(io::Error::from_raw_os_error(CONNECTION_RESET)),
            0 if !pipe.ended => Err(io::ErrorKind::WouldBlock.into()),
            length => Ok(length.min(1)),
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = lock(&self.outgoing);
        if pipe.reset {
            return Err(io::Error::from_raw_os_error(CONNECTION_RESET));
        }
        if pipe.broken {
            return Err(io::Error::from_raw_os_error(BROKEN_PIPE));
        }
        let count = bytes.len().min(pipe.capacity - pipe.bytes.len());
        if count < bytes.len() {
            pipe.wanted = true;
        }
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.bytes.extend(&bytes[..count]);
        if let Some(reader) = &pipe.reader {
            reader.tell(|ready| ready.readable = true);
        }
        Ok(count)
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut sent = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match self.send(slice) {
                Ok(count) if count == slice.len() => sent += count,
                Ok(count) => return Ok(sent + count),
                Err(_) if sent > 0 => return Ok(sent),
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    fn take_error(&self) -> Option<io::Error> {
        let reset = lock(&self.incoming).reset;
        reset.then(|| io::Error::from_raw_os_error(CONNECTION_RESET))
    }

    fn shutdown_write(&self) {
        let mut pipe = lock(&self.outgoing);
        pipe.ended = true;
        if let Some(reader) = &pipe.reader {
            reader.tell(|ready| (ready.readable, ready.read_closed) = (true, true));
        }
    }

    fn reset_on_close(&self) {
        self.reset();
    }

    fn set_no_delay(&self, _on: bool) {}

    fn set_keep_alive(&self, _on: bool, _idle: Option<Duration>) {}

    fn addresses(&self) -> Option<Addresses> {
        None
    }
}

/// What connects to a listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backlog {
    waiting: Arc<Mutex<VecDeque<io::Result<MemorySocket>>>>,
    watcher: Arc<Mutex<Option<Watcher>>>,
}

impl Backlog {
    /// A connection arrives, or accepting is going to fail.
    pub(crate) fn push(&self, arrival: io::Result<MemorySocket>) {
        lock(&self.waiting).push_back(arrival);
        if let Some(watcher) = &*lock(&self.watcher) {
            watcher.tell(|ready| ready.readable = true);
        }
    }
}

/// Sockets of one reactor.
#[derive(Debug, Default)]
pub(crate) struct MemoryNetwork {
    pub(super) news: Arc<Mailbox>,
}

impl Network for MemoryNetwork {
    type Socket = MemorySocket;
    type Listener = Backlog;

    fn poll(&mut self, news: &mut Vec<Ready>) -> io::Result<bool> {
        let told = std::mem::take(&mut self.news.open().news);
        for next in told {
            // Edges of one source are told together.
            match news.iter_mut().find(|ready| ready.token == next.token) {
                Some(ready) => {
                    ready.readable |= next.readable;
                    ready.read_closed |= next.read_closed;
                    ready.writable |= next.writable;
                    ready.error |= next.error;
                }
                None => news.push(next),
            }
        }
        Ok(false)
    }

    fn register(&mut self, socket: &mut MemorySocket, token: usize) -> io::Result<()> {
        let watcher = Watcher {
            news: Arc::clone(&self.news),
            token,
        };
        let mut incoming = lock(&socket.incoming);
        incoming.reader = Some(watcher.clone());
        let (readable, ended) = (!incoming.bytes.is_empty(), incoming.ended);
        drop(incoming);
        lock(&socket.outgoing).writer = Some(watcher.clone());
        watcher.tell(|ready| {
            (ready.readable, ready.read_closed, ready.writable) = (readable || ended, ended, true);
        });
        Ok(())
    }

    fn deregister(&mut self, socket: &mut MemorySocket) {
        lock(&socket.incoming).reader = None;
        lock(&socket.outgoing).writer = None;
    }

    fn register_listener(&mut self, listener: &mut Backlog, token: usize) -> io::Result<()> {
        let watcher = Watcher {
            news: Arc::clone(&self.news),
            token,
        };
        watcher.tell(|ready| ready.readable = true);
        *lock(&listener.watcher) = Some(watcher);
        Ok(())
    }

    fn deregister_listener(&mut self, listener: &mut Backlog) {
        *lock(&listener.watcher) = None;
    }

    fn stop(&mut self, mut listener: Backlog) {
        self.deregister_listener(&mut listener);
    }

    fn accept(&mut self, listener: &Backlog) -> io::Result<MemorySocket> {
        let next = lock(&listener.waiting).pop_front();
        next.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }
}
