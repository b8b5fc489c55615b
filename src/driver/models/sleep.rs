//! Model: the sentinel falls asleep when there is nothing to look after, and is
//! woken by the first record or turn.
//!
//! Claims: a handler that sends and then blocks for ever has its frame written by
//! the sentinel, whether that was awake, asleep or about to fall asleep. The thread,
//! its looks and its sleep are the real ones (`sentinel.rs`).

use super::{BINARY, JavaScript, TEXT};
use crate::bridge::Environment;
use crate::driver::helm::Setting;
use crate::driver::policy::Driver::Inline;
use crate::driver::sentinel::Sentinel;
use crate::sync::check;

#[test]
fn a_frame_goes_out_although_its_handler_blocks() {
    check(Some(5), || {
        let inline = Setting::Fixed(Inline);
        let mut javascript = JavaScript::with(Environment::default(), inline, Inline, 1000);
        let sentinel = Sentinel::start().unwrap();
        sentinel.look_after(&javascript.helm);
        javascript.write(BINARY);
        javascript.peer.wait_for(1);
        javascript.submit();
        javascript.write(TEXT);
        javascript.peer.wait_for(2);
        assert_eq!(javascript.peer.got, [BINARY, TEXT]);
        javascript.helm.close();
        drop(sentinel);
        javascript.end(None);
    });
}

/// As above, from a handler that was called by a turn.
#[test]
fn a_turn_keeps_the_sentinel_awake() {
    check(None, || {
        let inline = Setting::Fixed(Inline);
        let mut javascript = JavaScript::with(Environment::default(), inline, Inline, 1000);
        let sentinel = Sentinel::start().unwrap();
        sentinel.look_after(&javascript.helm);
        javascript.helm.note_turn();
        // In a turn nothing is looked up: noting it is enough, whatever the sentinel is about to do.
        javascript.helm.note_turn();
        javascript.record(BINARY, 0);
        javascript.peer.wait_for(1);
        javascript.helm.close();
        drop(sentinel);
        javascript.end(None);
    });
}

/// The step alone, in every order: nobody sleeps over a record.
#[test]
fn falling_asleep_and_noting_a_turn_agree() {
    check(None, || {
        let mut javascript = JavaScript::start(Inline);
        // Nothing is left of the beginning, and the sentinel is awake.
        javascript.turn();
        javascript.helm.note_turn();
        let falling = javascript.meanwhile(|helm, _| {
            helm.fall_asleep(helm.turns());
        });
        javascript.write(BINARY);
        falling.join().unwrap();
        let slept = javascript.helm.is_asleep();
        assert!(
            !slept || !javascript.helm.has_work(),
            "asleep over a record"
        );
        javascript.end(None);
    });
}
