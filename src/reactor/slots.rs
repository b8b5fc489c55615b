//! The slots of a reactor: how JavaScript names its connections.
//!
//! Owns: the free list, the generations, and which entry each slot stands for.
//! Runs on: whoever turns the reactor. INVARIANT: a slot is given away again only
//! when JavaScript released it, and then in another generation.

use crate::bridge::SlotId;

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    used: bool,
    /// The connection, until it is gone.
    token: Option<usize>,
    /// What it had carried when it went.
    last: Counts,
}

/// Bytes that a connection has carried, as they were on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that were read.
    pub received: u64,
    /// Bytes that were written, or wait for it.
    pub sent: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    /// Reserves a slot.
    pub(crate) fn reserve(&mut self) -> SlotId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let mut generation = 0;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.used = true;
            slot.last = Counts::default();
            generation = slot.generation;
        }
        SlotId {
            slot: index,
            generation,
        }
    }

    /// Says which entry a slot stands for, or that it is gone.
    pub(crate) fn set_token(&mut self, id: SlotId, token: Option<usize>) {
        if let Some(slot) = self.get_mut(id) {
            slot.token = token;
        }
    }

    /// The entry that a slot stands for.
    pub(crate) fn token(&self, id: SlotId) -> Option<usize> {
        let slot = self.slots.get(id.slot as usize)?;
        (slot.used && slot.generation == id.generation)
            .then_some(slot.token)
            .flatten()
    }

    /// Notes that the entry of a slot is gone, and what it has carried.
    pub(crate) fn set_gone(&mut self, id: SlotId, last: Counts) {
        if let Some(slot) = self.get_mut(id) {
            slot.token = None;
            slot.last = last;
        }
    }

    /// What the entry of a slot had carried when it went.
    pub(crate) fn last(&self, id: SlotId) -> Option<Counts> {
        let slot = self.slots.get(id.slot as usize)?;
        (slot.used && slot.generation == id.generation).then_some(slot.last)
    }

    /// Frees a slot. `false` for an identity that is stale.
    pub(crate) fn release(&mut self, id: SlotId) -> bool {
        let Some(slot) = self.get_mut(id) else {
            return false;
        };
        slot.generation = slot.generation.wrapping_add(1);
        slot.used = false;
        slot.token = None;
        self.free.push(id.slot);
        true
    }

    fn get_mut(&mut self, id: SlotId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        (slot.used && slot.generation == id.generation).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_in_a_new_generation() {
        let mut slots = Slots::default();
        let (a, b) = (slots.reserve(), slots.reserve());
        assert_ne!(a.slot, b.slot);
        slots.set_token(a, Some(7));
        assert_eq!(slots.token(a), Some(7));
        assert!(slots.release(a));
        assert!(!slots.release(a), "a double release frees once");
        let c = slots.reserve();
        assert_eq!((c.slot, c.generation), (a.slot, a.generation + 1));
        assert_ne!(slots.reserve().slot, c.slot);
    }

    #[test]
    fn stale_identities_see_and_change_nothing() {
        let mut slots = Slots::default();
        let old = slots.reserve();
        slots.release(old);
        let new = slots.reserve();
        slots.set_token(new, Some(1));
        slots.set_token(old, Some(2));
        assert_eq!((slots.token(old), slots.token(new)), (None, Some(1)));
    }
}
