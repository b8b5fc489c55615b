//! The reactors of one environment.
//!
//! Owns: [`Fleet`]: seats, helm, and the environment's share of the workers, which
//! start when they are first needed. Called by the binding. Runs on: js.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::helm::{Helm, Setting};
use super::hub::Membership;
use super::policy::Driver;
use super::pool::Pool;
use super::seat::Seat;
use super::worker;
use crate::bridge::Environment;
use crate::reactor::Turn;

/// All reactors of an environment: as many as there may be workers, so that these can share them.
#[derive(Debug)]
pub struct Fleet {
    environment: Arc<Environment>,
    helm: Arc<Helm>,
    pool: Mutex<Option<Arc<Pool>>>,
    hubs: Mutex<Vec<Membership>>,
}

impl Fleet {
    /// The reactors for the calling JavaScript thread.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new(setting: Setting) -> io::Result<Self> {
        let environment = Arc::<Environment>::default();
        let driver = setting.first_driver();
        let inline_only = setting == Setting::Fixed(Driver::Inline);
        let count = if inline_only { 1 } else { Pool::size() };
        let seats = (0..count)
            .map(|_| Seat::new(&environment, driver))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            helm: Helm::new(&environment, seats, setting),
            environment,
            pool: Mutex::new(None),
            hubs: Mutex::default(),
        })
    }

    /// What all its lanes share.
    #[must_use]
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// The reactors.
    #[must_use]
    pub fn seats(&self) -> &[Arc<Seat>] {
        self.helm.seats()
    }

    /// What decides who drives.
    #[must_use]
    pub fn helm(&self) -> &Arc<Helm> {
        &self.helm
    }

    /// Whether the JavaScript thread may ever drive.
    #[must_use]
    pub fn may_be_inline(&self) -> bool {
        self.helm.setting() != Setting::Fixed(Driver::Worker)
    }

    /// Starts the workers. Called when there is something to drive.
    ///
    /// # Errors
    /// When threads cannot be started. The JavaScript thread drives as long as there are none,
    /// where it can.
    pub fn start(&self) -> io::Result<()> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.is_some() {
            return Ok(());
        }
        let shared = Pool::shared()?;
        if self.helm.setting() != Setting::Fixed(Driver::Inline) {
            for (index, seat) in self.seats().iter().enumerate() {
                shared.spawn(index, worker::drive(Arc::clone(seat)));
            }
        }
        shared.sentinel().look_after(&self.helm);
        *pool = Some(shared);
        Ok(())
    }

    /// JavaScript side: takes part in the topics of all threads under a name, or in topics that no
    /// other thread knows. What it is called in [`hub`](Self::hub).
    pub fn open_hub(&self, name: Option<&str>) -> usize {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.push(Membership::new(name, &self.helm));
        hubs.len() - 1
    }

    /// JavaScript side: lets `act` use a membership. `None` if there is none of this number.
    pub fn hub<T>(&self, index: usize, act: impl FnOnce(&mut Membership) -> T) -> Option<T> {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.get_mut(index).map(act)
    }

    /// JavaScript side: lets `act` use a membership and the workers, which start if need be.
    ///
    /// # Errors
    /// When threads cannot be started, or there is no membership of this number.
    pub fn hub_and_pool<T>(
        &self,
        index: usize,
        act: impl FnOnce(&mut Membership, &Pool) -> T,
    ) -> io::Result<T> {
        self.start()?;
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match &*pool {
            Some(pool) => self.hub(index, |hub| act(hub, pool)),
            None => None,
        };
        outcome.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// JavaScript side: acts on what a turn on this thread came to.
    pub fn after_turn(&self, turn: Turn) {
        if !turn.compressing {
            return;
        }
        self.helm.note_compressing();
        let started = self.helm.is_auto() && self.has_workers();
        if started && self.helm.policy.lock().ask() {
            self.helm.hand_to(Driver::Worker);
            // Somebody has to give it back.
            self.helm.note_turn();
        }
    }

    /// Takes bytes off the inbound budget and lets reading go on if there is room again.
    pub fn credit(&self, bytes: usize) {
        self.helm.credit(bytes);
    }

    /// Writes everything, at most for `limit`. Whether all is written.
    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let flushed: Vec<bool> = self
            .seats()
            .iter()
            .map(|seat| seat.flush(deadline))
            .collect();
        flushed.iter().all(|flushed| *flushed)
    }

    /// Closes everything and lets go of the workers. The last environment joins their threads.
    pub fn detach(&self) {
        self.environment.doorbell.install(None);
        self.hubs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        for seat in self.seats() {
            seat.detach();
        }
        self.helm.close();
        let pool = self
            .pool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(pool);
    }

    fn has_workers(&self) -> bool {
        self.pool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.detach();
    }
}
