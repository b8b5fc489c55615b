//! The connections of a load: connecting them, waiting for them, reading what they got.

use std::io;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Events, Interest, Poll, Token};

use crate::client::{Client, Expected};
use crate::plan::Plan;

/// How long a server may take for what it should do at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const SCRATCH: usize = 256 * 1024;
const AT_ONCE: usize = 64;
const TIMER: Token = Token(usize::MAX);

pub(crate) struct Crowd {
    pub(crate) clients: Vec<Client>,
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
}

impl Crowd {
    /// Connects, a few at a time, until all are upgraded.
    pub(crate) fn gather(plan: &Plan) -> io::Result<Self> {
        let mut crowd = Self {
            clients: Vec::with_capacity(plan.connections),
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            scratch: vec![0; SCRATCH],
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let deadline = Instant::now() + PATIENCE;
        while crowd.clients.iter().filter(|client| client.open).count() < plan.connections {
            let begun = crowd.clients.len();
            for index in begun..plan.connections.min(begun + AT_ONCE) {
                let mut client = Client::connect(plan, index, false)?;
                let registry = crowd.poll.registry();
                registry.register(client.stream.source(), Token(index), interest)?;
                crowd.clients.push(client);
            }
            crowd.turn(&Expected::Exactly(vec![0]), |_, _, _| Ok(()))?;
            if Instant::now() > deadline {
                return Err(io::Error::other("connecting took too long"));
            }
        }
        Ok(crowd)
    }

    /// Lets a timer end the wait of a turn, too.
    pub(crate) fn watch(&self, timer: &mut impl Source) -> io::Result<()> {
        self.poll
            .registry()
            .register(timer, TIMER, Interest::READABLE)
    }

    /// Waits for the sockets once; `on` is called with what arrived on each.
    pub(crate) fn turn(
        &mut self,
        expected: &Expected,
        mut on: impl FnMut(usize, &mut Client, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let patience = Some(Duration::from_millis(100));
        match self.poll.poll(&mut self.events, patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        for event in &self.events {
            if event.token() == TIMER {
                continue;
            }
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
