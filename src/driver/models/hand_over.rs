//! Model: a reactor changes hands while JavaScript sends, a peer sends, or both.
//!
//! Claims: whoever drives, before, during and after a change, every command runs
//! once and in order, every message arrives once and in order, and nobody waits for
//! a driver that waits itself (a lost wake-up is a deadlock, which fails).

use super::{BINARY, JavaScript, PONG, TEXT, message};
use crate::driver::policy::Driver::{Inline, Worker};
use crate::sync::check;

/// Switches away from a thread that could go on.
const BOUND: Option<usize> = Some(3);

#[test]
fn commands_go_out_while_a_worker_takes_over() {
    check(BOUND, || {
        let mut javascript = JavaScript::start(Inline);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|helm, _| helm.hand_to(Worker));
        javascript.send(BINARY);
        javascript.send(TEXT);
        javascript.run_until(0, 2);
        assert_eq!(javascript.peer.got, [BINARY, TEXT]);
        change.join().unwrap();
        javascript.end(Some(worker));
    });
}

#[test]
fn commands_go_out_while_a_worker_gives_back() {
    check(BOUND, || {
        let mut javascript = JavaScript::start(Worker);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|helm, _| helm.hand_to(Inline));
        javascript.send(BINARY);
        javascript.send(TEXT);
        javascript.run_until(0, 2);
        assert_eq!(javascript.peer.got, [BINARY, TEXT]);
        change.join().unwrap();
        javascript.end(Some(worker));
    });
}

#[test]
fn messages_arrive_while_the_driver_changes_twice() {
    check(BOUND, || {
        let mut javascript = JavaScript::start(Inline);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|helm, _| {
            helm.hand_to(Worker);
            helm.hand_to(Inline);
        });
        for byte in 1..=2 {
            use crate::reactor::Socket;
            javascript.peer.socket.send(&message(byte)).unwrap();
        }
        javascript.run_until(2, 0);
        assert_eq!(javascript.got, [1, 2]);
        change.join().unwrap();
        javascript.end(Some(worker));
    });
}

/// What is gathered for the end of a tick goes out then, whoever drives by that time.
#[test]
fn what_was_gathered_goes_out_whoever_drives() {
    check(BOUND, || {
        let mut javascript = JavaScript::start(Inline);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|helm, _| helm.hand_to(Worker));
        javascript.write(BINARY);
        javascript.write(TEXT);
        javascript.seat.gather();
        javascript.submit();
        javascript.run_until(0, 2);
        assert_eq!(javascript.peer.got, [BINARY, TEXT]);
        change.join().unwrap();
        javascript.end(Some(worker));
    });
}

/// What waits for the event loop to poll goes out there, with what was sent since, whoever drives by that time.
#[test]
fn what_a_tick_leaves_goes_out_whoever_drives() {
    check(BOUND, || {
        let mut javascript = JavaScript::start(Inline);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|helm, _| helm.hand_to(Worker));
        javascript.write(BINARY);
        javascript.seat.end_tick();
        javascript.write(TEXT);
        javascript.seat.end_tick();
        javascript.submit();
        javascript.run_until(0, 2);
        assert_eq!(javascript.peer.got, [BINARY, TEXT]);
        change.join().unwrap();
        javascript.end(Some(worker));
    });
}

/// A large payload is run at once or travels as a block; what was written before goes first.
#[test]
fn large_payloads_keep_their_place() {
    check(BOUND, || {
        let mut javascript = JavaScript::start(Worker);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|helm, _| helm.hand_to(Inline));
        javascript.write(BINARY);
        javascript.write_large(TEXT);
        javascript.write(PONG);
        javascript.submit();
        javascript.run_until(0, 3);
        assert_eq!(javascript.peer.got, [BINARY, TEXT, PONG]);
        change.join().unwrap();
        javascript.end(Some(worker));
    });
}

/// The sentinel assists while JavaScript writes, submits and a worker drives.
#[test]
fn assistance_keeps_the_order() {
    for driver in [Inline, Worker] {
        check(BOUND, move || {
            let mut javascript = JavaScript::start(driver);
            let worker = (driver == Worker).then(|| javascript.worker());
            let assistance = javascript.meanwhile(|_, seat| seat.assist());
            javascript.write(BINARY);
            javascript.write(TEXT);
            javascript.submit();
            javascript.run_until(0, 2);
            assert_eq!(javascript.peer.got, [BINARY, TEXT]);
            assistance.join().unwrap();
            javascript.end(worker);
        });
    }
}

/// `settle` leaves nothing unwritten, whoever is at it.
#[test]
fn settling_writes_everything_before_it_returns() {
    check(BOUND, || {
        let mut javascript = JavaScript::start(Inline);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|helm, seat| {
            helm.hand_to(Worker);
            seat.assist();
        });
        javascript.write(BINARY);
        javascript.seat.settle();
        javascript.peer.receive();
        assert_eq!(javascript.peer.got, [BINARY]);
        change.join().unwrap();
        javascript.end(Some(worker));
    });
}

/// The environment ends while the driver changes: the worker's task ends, too.
#[test]
fn the_end_reaches_the_worker() {
    check(None, || {
        let javascript = JavaScript::start(Inline);
        let worker = javascript.worker();
        let change = javascript.meanwhile(|_, seat| seat.hand_to(Worker));
        javascript.end(Some(worker));
        change.join().unwrap();
    });
}
