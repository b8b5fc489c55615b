//! What is counted for a server: its own connections' messages, and what becomes of them.

use super::Side;
use crate::bridge::SlotId;
use crate::bridge::layout::{command, flag, policy, settings, tally};
use crate::reactor::Socket;
use crate::reactor::memory::{MemorySocket, pair};

const TEXT: u16 = 1;
const PING: u16 = 9;
const PONG: u16 = 10;

fn counted(side: &mut Side, account: u32, limit: u32) -> (SlotId, MemorySocket) {
    let (one, other) = pair(200);
    let mut words = [0; settings::WORDS];
    words[settings::FLAGS] = policy::DROP_OLDEST << settings::POLICY_SHIFT;
    words[settings::MAX_BACKPRESSURE] = limit;
    words[settings::ACCOUNT] = account;
    let id = side.adopt_with(one, words);
    side.turn();
    (id, other)
}

fn number(side: &mut Side, account: u32, at: usize) -> u64 {
    side.reactor.tally(account, false).numbers()[at]
}

#[test]
fn what_comes_counts_for_the_server_of_its_connection() {
    let mut side = Side::new();
    let (_, first) = counted(&mut side, 2, 0);
    let (_, second) = counted(&mut side, 1, 0);
    let (_, nobody) = counted(&mut side, 0, 0);
    // A text of three bytes in two frames, masked with zeros; a ping and a pong.
    first
        .send(&[
            0x01, 0x82, 0, 0, 0, 0, b'a', b'b', 0x80, 0x81, 0, 0, 0, 0, b'c',
        ])
        .unwrap();
    first
        .send(&[0x89, 0x80, 0, 0, 0, 0, 0x8a, 0x80, 0, 0, 0, 0])
        .unwrap();
    second.send(&[0x81, 0x81, 0, 0, 0, 0, b'a']).unwrap();
    nobody.send(&[0x81, 0x81, 0, 0, 0, 0, b'a']).unwrap();
    side.turn();
    side.turn();
    let numbers = *side.reactor.tally(2, true).numbers();
    assert_eq!(numbers[..tally::SENT], [1, 3, 1, 1]);
    assert_eq!(*side.reactor.tally(2, false).numbers(), [0; tally::NUMBERS]);
    assert_eq!(number(&mut side, 1, tally::RECEIVED), 1);
    assert_eq!(number(&mut side, 3, tally::RECEIVED), 1, "what is nobody's");
}

#[test]
fn what_is_given_on_and_what_is_dropped_add_up() {
    let mut side = Side::new();
    let (id, other) = counted(&mut side, 1, 1000);
    side.order(command::SUBSCRIBE, id, 5);
    let topic = SlotId {
        slot: 5,
        generation: 0,
    };
    for _ in 0..20 {
        side.frame(id, flag::FIN, TEXT, &[b'a'; 98]);
        side.command(command::PUBLISH, 0, TEXT, topic, &[b'b'; 98]);
    }
    for opcode in [PING, PONG] {
        side.frame(id, flag::FIN, opcode, &[]);
    }
    while !other.receive_all().is_empty() {
        side.turn();
    }
    let numbers = *side.reactor.tally(1, false).numbers();
    let at = tally::DROPPED + 2 * policy::DROP_OLDEST as usize;
    assert!(numbers[at] > 0);
    assert_eq!(numbers[tally::SENT] + numbers[at], 40);
    assert_eq!(numbers[tally::SENT_BYTES], 98 * numbers[tally::SENT]);
    assert_eq!(numbers[at + 1], 98 * numbers[at]);
    assert!(numbers[tally::DELIVERED] > 0 && numbers[tally::DELIVERED] < numbers[tally::SENT]);
    assert_eq!(
        [numbers[tally::PINGS_SENT], numbers[tally::PONGS_SENT]],
        [1, 1]
    );
}
