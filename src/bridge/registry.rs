//! The slots of a worker: who may use which index, in which generation.
//!
//! Owns: the free list, the generations and the addresses of each slot.
//! JavaScript threads reserve, the worker releases when JavaScript said that it
//! is done. Runs on: any.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

/// A connection's identity within its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId {
    /// Index in the worker's tables.
    pub slot: u32,
    /// How many connections used the index before.
    pub generation: u32,
}

/// Local and remote address of a connection.
pub type Addresses = (SocketAddr, SocketAddr);

#[derive(Debug, Default)]
struct Entry {
    generation: u32,
    addresses: Option<Addresses>,
}

/// Gives slots away and takes them back.
#[derive(Debug, Default)]
pub struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Registry {
    /// Reserves a slot.
    #[must_use]
    pub fn reserve(&self) -> SlotId {
        let mut inner = self.lock();
        let slot = match inner.free.pop() {
            Some(slot) => slot,
            None => {
                inner.entries.push(Entry::default());
                (inner.entries.len() - 1) as u32
            }
        };
        SlotId {
            slot,
            generation: inner.entries[slot as usize].generation,
        }
    }

    /// Frees a slot; its next user gets another generation. Stale identities are ignored.
    pub fn release(&self, id: SlotId) {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(id.slot as usize) else {
            return;
        };
        if entry.generation == id.generation {
            entry.generation = entry.generation.wrapping_add(1);
            entry.addresses = None;
            inner.free.push(id.slot);
        }
    }

    /// Notes the local and the remote address of a connection.
    pub fn set_addresses(&self, id: SlotId, addresses: Addresses) {
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.get_mut(id.slot as usize)
            && entry.generation == id.generation
        {
            entry.addresses = Some(addresses);
        }
    }

    /// The local and the remote address of a connection that is still there.
    #[must_use]
    pub fn addresses(&self, id: SlotId) -> Option<Addresses> {
        let inner = self.lock();
        let entry = inner.entries.get(id.slot as usize)?;
        (entry.generation == id.generation)
            .then_some(entry.addresses)
            .flatten()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_in_a_new_generation() {
        let registry = Registry::default();
        let (a, b) = (registry.reserve(), registry.reserve());
        assert_ne!(a.slot, b.slot);
        registry.release(a);
        registry.release(a);
        let c = registry.reserve();
        assert_eq!((c.slot, c.generation), (a.slot, a.generation + 1));
        assert_ne!(
            registry.reserve().slot,
            c.slot,
            "a double release frees once"
        );
    }

    #[test]
    fn stale_identities_see_nothing() {
        let registry = Registry::default();
        let old = registry.reserve();
        let here: SocketAddr = ([127, 0, 0, 1], 1).into();
        registry.set_addresses(old, (here, here));
        assert_eq!(registry.addresses(old), Some((here, here)));
        registry.release(old);
        let new = registry.reserve();
        registry.set_addresses(old, (here, here));
        assert_eq!(
            (registry.addresses(old), registry.addresses(new)),
            (None, None)
        );
    }
}
