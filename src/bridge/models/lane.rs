//! Model: the command slab and the outbox, between JavaScript, a worker that takes
//! and another reactor that gives.
//!
//! Claims: every command runs once and in its writer's order, whoever takes it and
//! whenever; no byte is written while somebody reads it; a reader that sleeps until
//! it is told finds everything.

use std::sync::Arc;

use loom::thread;

use crate::bridge::layout::RECORD_BYTES;
use crate::bridge::{Command, Environment, Lane, Outbox, Piece};
use crate::sync::{Mutex, Notify, block_on, check};

/// What everybody took, in order, and how a reader is told.
#[derive(Default)]
struct Ran {
    outbox: Outbox<u8>,
    commands: Mutex<Vec<u8>>,
    called: Notify,
}

impl Ran {
    /// Takes everything. Whoever does so holds the reactor's lock, which is `commands` here.
    fn take(&self, lane: &Lane, restart: bool) -> Vec<u8> {
        let mut commands = self.commands.lock().unwrap();
        lane.take(&self.outbox, restart, |piece| match piece {
            Piece::Records(bytes, _) => {
                commands.extend(bytes.chunks(RECORD_BYTES).map(|record| record[0]));
            }
            Piece::Control(command) => commands.push(command),
        });
        commands.clone()
    }
}

fn write(lane: &Lane, record: u8) {
    let at = lane.slab().committed();
    lane.slab().write_for_test(at, &[record; RECORD_BYTES]);
}

fn lane() -> (Arc<Lane>, Arc<Ran>) {
    (Lane::new(&Arc::<Environment>::default()), Arc::default())
}

/// The sentinel takes records while JavaScript writes others behind them, and while it begins
/// anew.
#[test]
fn records_are_taken_once_in_order_while_others_are_written() {
    check(None, || {
        let (lane, ran) = lane();
        let (theirs, their_ran) = (Arc::clone(&lane), Arc::clone(&ran));
        let assisting = thread::spawn(move || {
            their_ran.take(&theirs, false);
            their_ran.take(&theirs, false);
        });
        write(&lane, 1);
        write(&lane, 2);
        ran.take(&lane, true);
        write(&lane, 3);
        assisting.join().unwrap();
        assert_eq!(ran.take(&lane, true), [1, 2, 3]);
    });
}

/// Another thread is told of a record, and pushes something: that runs behind the record, and before
/// those that JavaScript writes when it was told in turn, whoever takes them.
#[test]
fn what_others_push_has_its_place_among_the_records() {
    check(Some(3), || {
        let (lane, ran) = lane();
        let (theirs, their_ran) = (Arc::clone(&lane), Arc::clone(&ran));
        let taking = thread::spawn(move || {
            their_ran.take(&theirs, false);
        });
        let (told, answered) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let (there, back) = (Arc::clone(&told), Arc::clone(&answered));
        let (other_lane, other_ran) = (Arc::clone(&lane), Arc::clone(&ran));
        let pushing = thread::spawn(move || {
            block_on(there.notified());
            let _ = other_lane.push_behind(&other_ran.outbox, 9);
            back.notify_one();
        });
        write(&lane, 1);
        told.notify_one();
        let _ = lane.submit(&ran.outbox);
        write(&lane, 2);
        block_on(answered.notified());
        write(&lane, 3);
        taking.join().unwrap();
        pushing.join().unwrap();
        let all = ran.take(&lane, true);
        let at = |command: u8| all.iter().position(|one| *one == command).unwrap();
        assert_eq!(all.len(), 4);
        assert!(at(1) < at(2) && at(2) < at(3) && at(1) < at(9) && at(9) < at(3));
    });
}

/// JavaScript submits to a worker that sleeps until it is told, and another reactor gives it a
/// connection meanwhile.
#[test]
fn a_reader_that_sleeps_until_it_is_told_takes_everything() {
    check(Some(3), || {
        let (lane, ran) = lane();
        let (theirs, their_ran) = (Arc::clone(&lane), Arc::clone(&ran));
        let reading = thread::spawn(move || {
            while their_ran.take(&theirs, false).len() < 3 {
                block_on(their_ran.called.notified());
            }
        });
        let other_ran = Arc::clone(&ran);
        let giving = thread::spawn(move || {
            if other_ran.outbox.push(Command::Control(9)) {
                other_ran.called.notify_one();
            }
        });
        for record in 1..=2 {
            write(&lane, record);
            if lane.submit(&ran.outbox) {
                ran.called.notify_one();
            }
        }
        giving.join().unwrap();
        reading.join().unwrap();
        let mut all = ran.take(&lane, true);
        all.retain(|command| *command != 9);
        assert_eq!(all, [1, 2]);
    });
}

/// The sentinel assists while JavaScript submits, and a worker takes what was submitted.
#[test]
fn submitting_and_assisting_keep_the_order() {
    check(Some(3), || {
        let (lane, ran) = lane();
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let (theirs, their_ran) = (Arc::clone(&lane), Arc::clone(&ran));
                thread::spawn(move || {
                    their_ran.take(&theirs, false);
                })
            })
            .collect();
        for record in 1..=3 {
            write(&lane, record);
            if record != 2 {
                let _ = lane.submit(&ran.outbox);
            }
        }
        for taker in takers {
            taker.join().unwrap();
        }
        assert_eq!(ran.take(&lane, true), [1, 2, 3]);
    });
}
