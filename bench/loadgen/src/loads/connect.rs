//! Connects, upgrades, says close and goes, as often as possible. With compression it exchanges
//! a message and goes without a word.

use std::io;

use mio::{Events, Interest, Poll, Token};

use super::echoed;
use crate::client::{Client, Expected, frame, header};
use crate::plan::Plan;
use crate::window::Window;

const CLOSE: u8 = 0x88;
const SCRATCH: usize = 16 * 1024;

pub(super) fn run(plan: &Plan) -> io::Result<String> {
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
        let mut client = Client::connect(plan, serial, true)?;
        poll.registry()
            .register(client.stream.source(), Token(slot), Interest::READABLE)?;
        Ok(client)
    };
    let first = (0..plan.connections).map(|slot| open(&poll, slot, slot));
    let mut clients = first.collect::<io::Result<Vec<_>>>()?;
    let mut made = clients.len();
    let mut window = Window::new(plan);
    while window.goes_on() {
        poll.poll(&mut events, Some(std::time::Duration::from_millis(100)))?;
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
    Ok(window.report(&format!(",\"connections\":{made}")))
}
