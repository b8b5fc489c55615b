//! The scenarios.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::Plan;
use crate::client::{Client, Expected, frame, header};
use crate::deflate;
use crate::process::{self, Cpu};

const SCRATCH: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(90);
const BINARY: u8 = 0x82;
const COMPRESSED_TEXT: u8 = 0xc1;
const CLOSE: u8 = 0x88;
/// A server may give memory back when connections have been silent for a while.
const SILENCE: Duration = Duration::from_secs(3);

struct Crowd {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    scratch: Vec<u8>,
}

impl Crowd {
    /// Connects, a few at a time, until all are upgraded.
    fn gather(plan: &Plan, count: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut crowd = Self {
            poll,
            events: Events::with_capacity(1024),
            clients: Vec::with_capacity(count),
            scratch: vec![0; SCRATCH],
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let deadline = Instant::now() + PATIENCE;
        while crowd.clients.iter().filter(|client| client.open).count() < count {
            for _ in 0..64 {
                let index = crowd.clients.len();
                if index < count {
                    let mut client =
                        Client::connect(plan.port, index, false, plan.tls.as_ref(), plan.offer)?;
                    crowd.poll.registry().register(
                        client.stream.source(),
                        Token(index),
                        interest,
                    )?;
                    crowd.clients.push(client);
                }
            }
            crowd.turn(|_, _, _| Ok(()), &Expected::Exactly(vec![0]))?;
            if Instant::now() > deadline {
                return Err(io::Error::other("connecting took too long"));
            }
        }
        Ok(crowd)
    }

    /// Waits for the sockets once; `on` is called with what arrived on each.
    fn turn(
        &mut self,
        mut on: impl FnMut(usize, &mut Client, usize) -> io::Result<()>,
        expected: &Expected,
    ) -> io::Result<()> {
        self.poll
            .poll(&mut self.events, Some(Duration::from_millis(100)))?;
        for event in &self.events {
            let index = event.token().0;
            let client = &mut self.clients[index];
            let frames = if event.is_readable() {
                client.receive(&mut self.scratch, expected)?
            } else {
                0
            };
            on(index, client, frames)?;
        }
        Ok(())
    }
}

/// Counts between the end of the warm-up and the end of the run.
struct Window {
    begin: Instant,
    end: Instant,
    started: Option<(Instant, Cpu)>,
    count: u64,
}

impl Window {
    fn new(plan: &Plan) -> Self {
        let begin = Instant::now() + plan.warmup;
        Self {
            begin,
            end: begin + plan.seconds,
            started: None,
            count: 0,
        }
    }

    /// Whether the run goes on.
    fn goes_on(&mut self, plan: &Plan) -> bool {
        let now = Instant::now();
        if self.started.is_none() && now >= self.begin {
            self.started = Some((now, process::cpu(plan.pid)));
            self.count = 0;
        }
        now < self.end
    }

    fn report(&self, plan: &Plan, more: &str) -> String {
        let (from, before) = self.started.unwrap_or((self.begin, Cpu::default()));
        let after = process::cpu(plan.pid);
        let seconds = from.elapsed().as_secs_f64();
        let count = self.count.max(1) as f64;
        format!(
            "{{\"perSecond\":{:.1},\"mainMicros\":{:.4},\"allMicros\":{:.4},\"resident\":{}{more}}}",
            self.count as f64 / seconds,
            (after.main - before.main) as f64 / count / 1000.0,
            (after.all - before.all) as f64 / count / 1000.0,
            process::resident(plan.pid),
        )
    }
}

/// A message and what a server that echoes makes of it.
fn echoed(plan: &Plan) -> io::Result<(Vec<u8>, Expected)> {
    if plan.offer.is_some() {
        let payload = deflate::compressed(&deflate::json(plan.size))?;
        let one = frame(COMPRESSED_TEXT, &payload);
        return Ok((one, Expected::Frames(COMPRESSED_TEXT)));
    }
    let payload: Vec<u8> = (0..plan.size).map(|index| (index * 7 + 3) as u8).collect();
    let one = frame(BINARY, &payload);
    let answer = [header(BINARY, plan.size, 0), payload].concat();
    Ok((one, Expected::Exactly(answer)))
}

/// Every connection keeps `inflight` messages under way.
pub(crate) fn echo(plan: &Plan) -> io::Result<String> {
    let (one, expected) = echoed(plan)?;
    let burst = one.repeat(plan.inflight);
    let mut crowd = Crowd::gather(plan, plan.connections)?;
    let mut latencies = Vec::new();
    let mut sent_at = Instant::now();
    for client in &mut crowd.clients {
        client.send(plan.inflight, one.len(), &burst)?;
    }
    let mut window = Window::new(plan);
    let single = plan.connections * plan.inflight == 1;
    while window.goes_on(plan) {
        let count = &mut window.count;
        crowd.turn(
            |_, client, frames| {
                *count += frames as u64;
                if single && frames > 0 {
                    latencies.push(sent_at.elapsed().as_nanos() as u64);
                    sent_at = Instant::now();
                }
                client.send(frames, one.len(), &burst)
            },
            &expected,
        )?;
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies
            .get(index)
            .map_or(0.0, |nanos| *nanos as f64 / 1000.0)
    };
    Ok(window.report(
        plan,
        &format!(",\"p50\":{:.1},\"p99\":{:.1}", at(0.5), at(0.99)),
    ))
}

/// The last connection makes the server send to all; the next one starts when all have it.
pub(crate) fn fanout(plan: &Plan) -> io::Result<String> {
    let payload: Vec<u8> = (0..plan.size)
        .map(|index| b'a' + (index % 26) as u8)
        .collect();
    let one = frame(BINARY, &payload);
    let burst = one.repeat(plan.inflight);
    let expected = Expected::Exactly([header(BINARY, plan.size, 0), payload].concat());
    let mut crowd = Crowd::gather(plan, plan.connections)?;
    let speaker = crowd.clients.len() - 1;
    crowd.clients[speaker].send(plan.inflight, one.len(), &burst)?;
    let mut window = Window::new(plan);
    let mut outstanding = 0;
    while window.goes_on(plan) {
        let mut arrived = 0;
        crowd.turn(
            |_, client, frames| {
                arrived += frames;
                client.send(0, one.len(), &burst)
            },
            &expected,
        )?;
        window.count += arrived as u64;
        outstanding += arrived;
        let complete = outstanding / plan.connections;
        outstanding %= plan.connections;
        crowd.clients[speaker].send(complete, one.len(), &burst)?;
    }
    Ok(window.report(plan, ""))
}

/// Opens connections and measures the server's memory once it has calmed down. With compression
/// each one has exchanged messages before.
pub(crate) fn idle(plan: &Plan) -> io::Result<String> {
    let before = process::resident(plan.pid);
    let mut crowd = Crowd::gather(plan, plan.connections)?;
    if plan.offer.is_some() {
        let (one, expected) = echoed(plan)?;
        for client in &mut crowd.clients {
            client.send(1, one.len(), &one)?;
        }
        let mut left = plan.connections;
        let deadline = Instant::now() + PATIENCE;
        while left > 0 && Instant::now() < deadline {
            crowd.turn(
                |_, client, frames| {
                    left -= frames;
                    client.send(0, one.len(), &one)
                },
                &expected,
            )?;
        }
        std::thread::sleep(SILENCE);
    }
    std::thread::sleep(plan.seconds);
    let grown = process::resident(plan.pid).saturating_sub(before) as f64;
    let each = grown / crowd.clients.len() as f64;
    Ok(format!(
        "{{\"residentEach\":{each:.3},\"before\":{before}}}"
    ))
}

/// Connects, upgrades, says close and goes, as often as possible. With compression it exchanges a
/// message and goes without a word.
pub(crate) fn connect(plan: &Plan) -> io::Result<String> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; SCRATCH];
    let (last, expected) = if plan.offer.is_some() {
        echoed(plan)?
    } else {
        let code = 1000_u16.to_be_bytes();
        let answer = [header(CLOSE, 2, 0), code.to_vec()].concat();
        (frame(CLOSE, &code), Expected::Exactly(answer))
    };
    let open = |poll: &Poll, slot: usize, serial: usize| -> io::Result<Client> {
        let mut client = Client::connect(plan.port, serial, true, plan.tls.as_ref(), plan.offer)?;
        poll.registry()
            .register(client.stream.source(), Token(slot), Interest::READABLE)?;
        Ok(client)
    };
    let first = (0..plan.connections).map(|slot| open(&poll, slot, slot));
    let mut clients = first.collect::<io::Result<Vec<_>>>()?;
    let mut made = clients.len();
    let mut window = Window::new(plan);
    while window.goes_on(plan) {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let slot = event.token().0;
            let client = &mut clients[slot];
            let was_open = client.open;
            let frames = client.receive(&mut scratch, &expected)?;
            if client.open && !was_open {
                client.send(1, last.len(), &last)?;
            }
            if frames > 0 {
                window.count += 1;
                made += 1;
                clients[slot] = open(&poll, slot, made)?;
            }
        }
    }
    Ok(window.report(plan, &format!(",\"connections\":{made}")))
}
