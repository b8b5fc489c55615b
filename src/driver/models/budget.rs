//! Model: a reactor stops reading for the budget, and JavaScript makes room.
//!
//! Claims: reading goes on once JavaScript has taken enough, whoever drives, and
//! nothing that the peer sent is lost.

use loom::thread;

use super::{Call, JavaScript, message};
use crate::bridge::{Budget, Environment};
use crate::driver::helm::Setting;
use crate::driver::policy::Driver::{self, Inline, Worker};
use crate::reactor::Socket;
use crate::sync::{block_on, check};

/// Less than a message costs: reading stops after each.
const LIMIT: usize = 60;
const MESSAGES: u8 = 3;

/// The connection has room for one message, so that each is read alone.
fn start(driver: Driver) -> JavaScript {
    let environment = Environment {
        budget: Budget::with_limit(LIMIT),
        ..Environment::default()
    };
    let room = message(0).len();
    JavaScript::with(environment, Setting::Auto, driver, room)
}

fn all_messages_arrive(driver: Driver, change: bool) {
    check(Some(2), move || {
        let mut javascript = start(driver);
        let worker = javascript.worker();
        let other = if driver == Worker { Inline } else { Worker };
        let changing = change.then(|| javascript.meanwhile(move |helm, _| helm.hand_to(other)));
        let mut sent = 0;
        while javascript.got.len() < MESSAGES.into() {
            if sent < MESSAGES && javascript.peer.socket.send(&message(sent)).is_ok() {
                sent += 1;
            }
            match block_on(javascript.next_call()) {
                Call::Bell => javascript.drain(),
                Call::News => javascript.turn(),
                Call::Peer => javascript.peer.receive(),
            }
        }
        assert_eq!(javascript.got, [0, 1, 2]);
        assert_eq!(javascript.environment.budget.waiting(), 0);
        if let Some(changing) = changing {
            changing.join().unwrap();
        }
        javascript.end(Some(worker));
    });
}

#[test]
fn a_worker_that_stopped_reading_goes_on() {
    all_messages_arrive(Worker, false);
}

#[test]
fn reading_goes_on_while_the_driver_changes() {
    all_messages_arrive(Worker, true);
    all_messages_arrive(Inline, true);
}

/// The budget is exhausted, and JavaScript makes room while the worker is about to stop.
#[test]
fn room_that_is_made_while_reading_stops_is_seen() {
    check(Some(3), || {
        let javascript = start(Worker);
        javascript.environment.budget.charge(LIMIT);
        javascript.peer.socket.send(&message(7)).unwrap();
        let seat = std::sync::Arc::clone(&javascript.seat);
        let reading = thread::spawn(move || seat.turn_as(Worker).is_some());
        javascript.helm.credit(LIMIT);
        assert!(reading.join().unwrap());
        // As the worker goes on whenever it is told.
        while javascript.seat.has_work() {
            javascript.seat.turn_as(Worker);
        }
        let mut javascript = javascript;
        javascript.drain();
        assert_eq!(javascript.got, [7]);
        javascript.end(None);
    });
}
