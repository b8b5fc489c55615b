//! The operating system of the models: sockets in memory whose news a driver waits
//! for, as it waits for an epoll descriptor.
//!
//! Owns: [`System`], [`Waker`], [`Descriptor`], [`Stream`] under the names of
//! `system.rs`; [`Watch`], an event loop's registration. Every step is a lock of the
//! model checker. Runs on: threads of a model.
#![allow(unreachable_pub, missing_docs, reason = "the names of system.rs")]

use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Wake};

use mio::net::TcpListener;

use super::memory::{Mailbox, MemoryNetwork, MemorySocket};
use super::network::{Network, Ready};
use super::takeover::OwnedStream;
use crate::sync::Mutex;

const WAKE: usize = usize::MAX;

/// A set of sockets.
#[derive(Debug, Default)]
pub struct System(MemoryNetwork);

impl System {
    pub fn new() -> io::Result<(Self, Waker)> {
        let system = Self::default();
        let waker = Waker(Arc::clone(&system.0.news));
        Ok((system, waker))
    }

    pub fn descriptor(&self) -> Descriptor {
        Descriptor(Arc::clone(&self.0.news))
    }
}

impl Network for System {
    type Socket = Stream;
    type Listener = TcpListener;

    fn poll(&mut self, news: &mut Vec<Ready>) -> io::Result<bool> {
        let more = self.0.poll(news);
        news.retain(|ready| ready.token != WAKE);
        more
    }

    fn register(&mut self, socket: &mut Stream, token: usize) -> io::Result<()> {
        self.0.register(socket, token)
    }

    fn deregister(&mut self, socket: &mut Stream) {
        self.0.deregister(socket);
    }

    fn register_listener(&mut self, _listener: &mut TcpListener, _token: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn deregister_listener(&mut self, _listener: &mut TcpListener) {}

    fn stop(&mut self, _listener: TcpListener) {}

    fn accept(&mut self, _listener: &TcpListener) -> io::Result<Stream> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Makes the driver of a reactor turn it.
#[derive(Debug)]
pub struct Waker(Arc<Mailbox>);

impl Waker {
    pub fn wake(&self) -> io::Result<()> {
        self.0.tell(Ready {
            token: WAKE,
            readable: true,
            read_closed: false,
            writable: false,
            error: false,
        });
        Ok(())
    }
}

/// What can be watched.
#[derive(Clone, Debug)]
pub struct Descriptor(Arc<Mailbox>);

impl Descriptor {
    pub fn raw(&self) -> RawFd {
        -1
    }

    pub fn is_readable(&self) -> bool {
        !self.0.open().news.is_empty()
    }

    pub fn watch(&self) -> Watch {
        let edge = Arc::<Edge>::default();
        let waker = std::task::Waker::from(Arc::clone(&edge));
        let mut mail = self.0.open();
        mail.watches.push(waker.clone());
        let readable = !mail.news.is_empty();
        drop(mail);
        if readable {
            edge.wake_by_ref();
        }
        Watch {
            mailbox: Arc::clone(&self.0),
            edge,
            waker,
        }
    }
}

/// An event loop watches a descriptor and is told of edges, as by a nested epoll.
#[derive(Debug)]
pub struct Watch {
    mailbox: Arc<Mailbox>,
    edge: Arc<Edge>,
    waker: std::task::Waker,
}

impl Watch {
    /// Waits for the next edge.
    pub async fn edge(&self) {
        std::future::poll_fn(|context| {
            let mut edge = self.edge.lock();
            if std::mem::take(&mut edge.risen) {
                return Poll::Ready(());
            }
            edge.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut mail = self.mailbox.open();
        mail.watches.retain(|waker| !waker.will_wake(&self.waker));
    }
}

#[derive(Debug, Default)]
struct Edge(Mutex<Risen>);

#[derive(Debug, Default)]
struct Risen {
    risen: bool,
    waiting: Option<std::task::Waker>,
}

impl Edge {
    fn lock(&self) -> crate::sync::MutexGuard<'_, Risen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Edge {
    fn wake(self: Arc<Self>) {
        let mut edge = self.lock();
        edge.risen = true;
        let waiting = edge.waiting.take();
        drop(edge);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// A connected socket.
pub type Stream = MemorySocket;

impl TryFrom<OwnedStream> for MemorySocket {
    type Error = io::Error;

    fn try_from(_socket: OwnedStream) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
