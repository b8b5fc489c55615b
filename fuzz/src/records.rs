//! The record layout of the bridge, both ways.

use std::collections::VecDeque;
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use ferrows_core::bridge::layout::{Head, INLINE_LIMIT, RECORD_WORDS, event, flag};
use ferrows_core::bridge::{Batch, Block, BlockPool, Inbox, Records};

#[derive(Arbitrary, Debug)]
enum Staged {
    Plain(u8, u16, u32),
    Inline(u8, u16, Vec<u8>),
    Block(u16, Vec<u8>),
    Deliver,
    Drain(u8, u16),
}

#[derive(Debug, PartialEq)]
struct Seen {
    tag: u8,
    aux: u16,
    payload: Vec<u8>,
}

/// Any command slab ends; events come out of an inbox as they went in, whatever the room.
pub fn records(data: &[u8]) {
    let mut taken = 0;
    for (head, payload) in Records::new(data) {
        assert_eq!(Head::from_words(head.to_words()), head);
        taken += RECORD_WORDS * 4 + payload.len();
    }
    assert!(taken <= data.len());

    let Ok(steps) = Unstructured::new(data).arbitrary::<Vec<Staged>>() else {
        return;
    };
    let pool = Arc::new(BlockPool::default());
    let (inbox, mut batch) = (Inbox::default(), Batch::default());
    let (mut expect, mut cost) = (VecDeque::new(), 0);
    for step in steps {
        match step {
            Staged::Plain(tag, aux, argument) => {
                // A tag without a payload.
                let tag = event::EOF + tag % 3;
                batch.push(head(tag, aux, argument));
                expect.push_back(Seen {
                    tag,
                    aux,
                    payload: vec![],
                });
            }
            Staged::Inline(tag, aux, mut payload) => {
                let tag = event::MESSAGE + tag % 5;
                payload.truncate(INLINE_LIMIT);
                batch.push_inline(head(tag, aux, 0), &payload);
                expect.push_back(Seen { tag, aux, payload });
            }
            Staged::Block(aux, payload) => {
                let block = Block::copy_of(&payload, &pool);
                let head = head(event::MESSAGE, aux, payload.len() as u32);
                batch.push_block(head, block);
                expect.push_back(Seen {
                    tag: event::MESSAGE,
                    aux,
                    payload,
                });
            }
            Staged::Deliver => {
                cost += batch.cost();
                inbox.deliver(&mut batch);
            }
            Staged::Drain(records, bytes) => {
                let slab = INLINE_LIMIT + usize::from(bytes);
                cost -= drain(&inbox, usize::from(records % 8) + 1, slab, &mut expect).0;
            }
        }
    }
    cost += batch.cost();
    inbox.deliver(&mut batch);
    loop {
        let (credited, records) = drain(&inbox, 3, INLINE_LIMIT, &mut expect);
        cost -= credited;
        if records == 0 {
            break;
        }
    }
    assert!(expect.is_empty(), "{expect:?} did not come out");
    assert_eq!(cost, 0, "what was charged is credited");
}

fn head(tag: u8, aux: u16, argument: u32) -> Head {
    Head {
        tag,
        flags: 0,
        aux,
        slot: 1,
        generation: 2,
        argument,
    }
}

fn drain(inbox: &Inbox, room: usize, slab: usize, expect: &mut VecDeque<Seen>) -> (usize, usize) {
    let (mut heads, mut slab) = (vec![0; room * RECORD_WORDS], vec![0; slab]);
    let drained = inbox.drain(&mut heads, &mut slab);
    let (mut cost, mut at) = (drained.cost, 0);
    for words in heads
        .chunks_exact(RECORD_WORDS)
        .take(drained.records)
        .map(|words| [words[0], words[1], words[2], words[3]])
    {
        let head = Head::from_words(words);
        let expected = expect.pop_front().expect("no more than was staged");
        let payload = if head.has(flag::BLOCK) {
            let block = inbox.take_block().expect("a block for the record");
            cost += block.len();
            block.as_slice().to_vec()
        } else if head.tag >= event::EOF {
            vec![]
        } else {
            let start = at;
            at += head.argument as usize;
            slab[start..at].to_vec()
        };
        let (tag, aux) = (head.tag, head.aux);
        assert_eq!(Seen { tag, aux, payload }, expected);
    }
    assert_eq!(at, drained.bytes);
    (cost, drained.records)
}
