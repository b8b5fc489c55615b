//! Port mode: accepting, reading request heads, answering what needs no JavaScript.
//!
//! Owns: listeners and connections until their upgrade request is complete.
//! Plain requests get ws's 426, malformed heads what Node answers; upgrade
//! requests go to JavaScript, which decides. Runs on: worker ([`bind`]: js).

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures::future::{Either, select};
use socket2::{Domain, Socket, Type};
use tokio::io::ReadBuf;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::core::{Core, Slot};
use super::events::LaneState;
use super::records::{Control, lane_key};
use super::stream::Stream;
use super::takeover::OwnedStream;
use crate::bridge::layout::event;
use crate::bridge::{Command, Lane, SlotId};
use crate::protocol::upgrade::{self, HeadStatus, response};

/// Node's `headersTimeout`: a head must be complete this long after its connection began.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Node's `keepAliveTimeout`: how long a connection may wait for another plain request.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer may take to read an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HEAD_BUFFER: usize = 1024;

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
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if options.address.is_ipv6() {
        socket.set_only_v6(options.ipv6_only)?;
    }
    socket.bind(&options.address.into())?;
    socket.listen(options.backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A listening socket and whose it is.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: TcpListener,
    /// JavaScript's number for it.
    pub id: u16,
    /// The lanes of the environment, one a worker in the order of the pool.
    pub lanes: Vec<Arc<Lane>>,
    /// Index of the worker that accepts.
    pub home: usize,
}

/// A connection that was accepted.
#[derive(Debug)]
pub struct Incoming {
    stream: TcpStream,
    lane: Arc<Lane>,
    gate: Arc<ListenerGate>,
}

/// Tells all connections of a listener that it closed.
#[derive(Debug)]
pub(crate) struct ListenerGate {
    id: u16,
    closed: AtomicBool,
    notify: Notify,
}

impl ListenerGate {
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    async fn closed(&self) {
        let notified = self.notify.notified();
        if !self.closed.load(Ordering::SeqCst) {
            notified.await;
        }
    }
}

/// An upgrade request that JavaScript looks at.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: SlotId,
    pub(crate) lane: Rc<LaneState>,
    pub(crate) stream: Stream,
    /// What came after the head.
    pub(crate) rest: Vec<u8>,
    /// The task that notices the peer leaving, if JavaScript asked for it.
    pub(crate) watch: Option<tokio::task::AbortHandle>,
}

/// Tells JavaScript if the peer of an undecided upgrade request leaves. Once the peer has sent
/// more, only reading could tell, and nothing is read before the decision.
pub(crate) fn watch(core: &Rc<Core>, id: SlotId) {
    let watching = Rc::clone(core);
    let task = tokio::task::spawn_local(async move {
        let left = std::future::poll_fn(|cx| {
            let mut slots = watching.slots.borrow_mut();
            let Some(Slot::Pending(pending)) = slots.get_mut(id.slot as usize) else {
                return Poll::Ready(None);
            };
            let mut byte = [0; 1];
            match pending.stream.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(0)) => Poll::Ready(Some(0)),
                Poll::Ready(Ok(_)) => Poll::Ready(None),
                Poll::Ready(Err(error)) => {
                    Poll::Ready(Some(error.raw_os_error().map_or(0, i32::unsigned_abs)))
                }
            }
        });
        if let Some(errno) = left.await
            && let Some(pending) = watching.take_pending(id)
        {
            pending.lane.push(id, event::GONE, 0, errno);
        }
    });
    if let Some(Slot::Pending(pending)) = core.slots.borrow_mut().get_mut(id.slot as usize) {
        pending.watch = Some(task.abort_handle());
    }
}

/// Starts a listener on this worker.
pub(crate) fn listen(core: &Rc<Core>, listening: Listening) {
    let Listening {
        listener,
        id,
        lanes,
        home,
    } = listening;
    let Some(lane) = lanes.get(home).and_then(|lane| core.lane(lane)) else {
        return;
    };
    let gate = Arc::new(ListenerGate {
        id,
        closed: AtomicBool::new(false),
        notify: Notify::new(),
    });
    let key = (lane_key(&lane), id);
    core.listeners.borrow_mut().insert(key, Arc::clone(&gate));
    let core = Rc::clone(core);
    tokio::task::spawn_local(async move {
        if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
            accept_until_closed(&core, &listener, &lanes, &gate).await;
        }
        core.listeners.borrow_mut().remove(&key);
        lane.push(
            SlotId {
                slot: 0,
                generation: 0,
            },
            event::UNLISTENED,
            id,
            0,
        );
    });
}

async fn accept_until_closed(
    core: &Rc<Core>,
    listener: &tokio::net::TcpListener,
    lanes: &[Arc<Lane>],
    gate: &Arc<ListenerGate>,
) {
    loop {
        let accepted = match select(pin!(listener.accept()), pin!(gate.closed())).await {
            Either::Left((accepted, _)) => accepted,
            Either::Right(_) => return,
        };
        match accepted {
            Ok((stream, _)) => hand_out(core, stream, lanes, gate),
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Whether an accept failed because of the connection and not of us.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | ConnectionRefused
    )
}

/// Gives a connection to the next worker in turn.
fn hand_out(
    core: &Rc<Core>,
    stream: tokio::net::TcpStream,
    lanes: &[Arc<Lane>],
    gate: &Arc<ListenerGate>,
) {
    let next = core.next_peer.get() % core.peers.len();
    core.next_peer.set(next + 1);
    let (Some(peer), Some(lane)) = (core.peers.get(next), lanes.get(next)) else {
        return;
    };
    if Arc::ptr_eq(peer, &core.worker) {
        serve(core, Stream::Tcp(stream), lane, Arc::clone(gate));
        return;
    }
    // Fails only with the connection.
    let Ok(stream) = stream.into_std() else {
        return;
    };
    let incoming = Incoming {
        stream,
        lane: Arc::clone(lane),
        gate: Arc::clone(gate),
    };
    peer.outbox
        .push(Command::Control(Control::Incoming(Box::new(incoming))));
}

/// Takes a connection that another worker accepted.
pub(crate) fn receive(core: &Rc<Core>, incoming: Incoming) {
    if let Ok(stream) = Stream::register(OwnedStream::Tcp(incoming.stream)) {
        serve(core, stream, &incoming.lane, incoming.gate);
    }
}

/// Reads requests of a fresh connection until one is an upgrade.
fn serve(core: &Rc<Core>, stream: Stream, lane: &Arc<Lane>, gate: Arc<ListenerGate>) {
    let Some(lane) = core.lane(lane) else {
        return;
    };
    let core = Rc::clone(core);
    tokio::task::spawn_local(async move {
        let serving = Serving {
            core,
            lane,
            stream,
            buffer: Vec::with_capacity(HEAD_BUFFER),
        };
        select(pin!(serving.run(gate.id)), pin!(gate.closed())).await;
    });
}

struct Serving {
    core: Rc<Core>,
    lane: Rc<LaneState>,
    stream: Stream,
    buffer: Vec<u8>,
}

/// What came of reading a head.
enum Outcome {
    Request(Request),
    Answer(&'static [u8]),
    Gone,
}

/// What decides who answers a request.
struct Request {
    head_bytes: usize,
    is_upgrade: bool,
    is_connect: bool,
    keep_alive: bool,
    /// The answer to a plain request.
    answer: fn(&str, bool, bool) -> Vec<u8>,
    with_body: bool,
}

impl From<&upgrade::Head<'_>> for Request {
    fn from(head: &upgrade::Head<'_>) -> Self {
        let hostless = !head.has_host && head.version() == (1, 1);
        Self {
            head_bytes: head.len,
            is_upgrade: head.is_upgrade,
            is_connect: head.method() == "CONNECT",
            // A body would have to be skipped first.
            keep_alive: head.keep_alive && !head.has_body && !hostless,
            answer: if hostless {
                |date, _, _| response::missing_host(date)
            } else {
                response::upgrade_required
            },
            with_body: head.method() != "HEAD",
        }
    }
}

impl Serving {
    async fn run(mut self, listener: u16) {
        let mut deadline = Instant::now() + HEAD_TIMEOUT;
        loop {
            let request = match timeout_at(deadline, self.read_head()).await {
                Ok(Outcome::Request(request)) => request,
                Ok(Outcome::Answer(bytes)) => return self.answer(bytes).await,
                Ok(Outcome::Gone) => return,
                Err(_) if self.buffer.is_empty() => return,
                Err(_) => return self.answer(response::REQUEST_TIMEOUT).await,
            };
            if request.is_connect {
                return;
            }
            if request.is_upgrade {
                return self.hand_over(listener, request.head_bytes);
            }
            let date = httpdate::fmt_http_date(SystemTime::now());
            let answer = (request.answer)(&date, request.keep_alive, request.with_body);
            self.answer(&answer).await;
            if !request.keep_alive {
                return;
            }
            self.buffer.drain(..request.head_bytes);
            deadline = Instant::now() + KEEP_ALIVE_TIMEOUT;
        }
    }

    async fn read_head(&mut self) -> Outcome {
        let mut parser = upgrade::HeadParser::new();
        loop {
            if !self.buffer.is_empty() {
                match parser.parse(&self.buffer) {
                    HeadStatus::Partial => {}
                    HeadStatus::Complete(head) => return Outcome::Request((&head).into()),
                    HeadStatus::Bad => return Outcome::Answer(response::BAD_REQUEST),
                    HeadStatus::TooLarge => return Outcome::Answer(response::HEADERS_TOO_LARGE),
                }
            }
            match self.read_more().await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Outcome::Gone,
            }
        }
    }

    async fn read_more(&mut self) -> io::Result<usize> {
        let Self {
            core,
            stream,
            buffer,
            ..
        } = self;
        let read = std::future::poll_fn(|cx| {
            let scratch = &mut core.read_buffer.borrow_mut();
            let limit = scratch.len().min(upgrade::MAX_COUNTED_SIZE);
            let mut into = ReadBuf::new(scratch.get_mut(..limit).unwrap_or_default());
            stream.poll_read(cx, &mut into).map_ok(|()| {
                buffer.extend_from_slice(into.filled());
                into.filled().len()
            })
        });
        read.await
    }

    async fn answer(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        let writing = async {
            while !rest.is_empty() {
                std::future::poll_fn(|cx| self.stream.poll_write_ready(cx)).await?;
                match self.stream.try_write(rest) {
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        // A peer that does not take its answer is simply dropped.
        let _ = timeout_at(Instant::now() + ANSWER_TIMEOUT, writing).await;
    }

    /// Parks the connection in a slot and tells JavaScript.
    fn hand_over(self, listener: u16, head: usize) {
        let Self {
            core,
            lane,
            stream,
            mut buffer,
        } = self;
        if lane.detached.get() {
            return;
        }
        let rest = buffer.split_off(head);
        let id = core.worker.registry.reserve();
        if let Some(addresses) = stream.addresses() {
            core.worker.registry.set_addresses(id, addresses);
        }
        // ws disables Nagle's algorithm on every socket.
        let _ = stream.set_no_delay(true);
        let pending = Pending {
            id,
            lane: Rc::clone(&lane),
            stream,
            rest,
            watch: None,
        };
        core.occupy(id, Slot::Pending(Box::new(pending)));
        lane.push_block(id, event::UPGRADE, 0, listener, buffer);
    }
}
