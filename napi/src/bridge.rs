//! The class through which `lib/bridge.js` reaches the workers.
//!
//! Owns: one environment's lanes and its share of the pool. Runs on: js.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ferrows_core::bridge::layout::{self, settings};
use ferrows_core::bridge::{Block, Command, Environment, Lane, SlotId};
use ferrows_core::transport::{
    self, Adoption, Control, Flushed, ListenOptions, Listening, Pool, Worker,
};
use napi::bindgen_prelude::{
    ArrayBuffer, BufferSlice, Function, Uint8ArraySlice, Uint32ArraySlice,
};
use napi::{Env, Error, Result};
use napi_derive::napi;

use crate::buffers::{self, Exposed};
use crate::doorbell;

/// Local and remote address of a connection.
#[napi(object)]
pub struct AddressPair {
    /// Address of our side.
    pub local_address: String,
    /// Port of our side.
    pub local_port: u32,
    /// Address of the peer.
    pub remote_address: String,
    /// Port of the peer.
    pub remote_port: u32,
    /// `IPv4` or `IPv6`.
    pub family: String,
}

/// What came of trying to listen.
#[napi(object)]
pub struct ListenOutcome {
    /// The operating system's error number, 0 for success.
    pub errno: i32,
    /// The bound address.
    pub address: String,
    /// The bound port.
    pub port: u32,
    /// `IPv4` or `IPv6`.
    pub family: String,
}

/// One instance of the JavaScript facade, seen from Rust.
#[napi]
pub struct Bridge {
    shared: Arc<Shared>,
    exposed: Exposed,
}

struct Shared {
    pool: std::sync::Mutex<Option<Arc<Pool>>>,
    environment: Arc<Environment>,
    workers: Vec<Arc<Worker>>,
    lanes: Vec<Arc<Lane>>,
}

impl Shared {
    /// Lets go of the workers; everything that is ours there closes.
    fn detach(&self) {
        let pool = self
            .pool
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if pool.is_none() {
            return;
        }
        self.environment.doorbell.install(None);
        for (worker, lane) in self.workers.iter().zip(&self.lanes) {
            worker
                .outbox
                .push(Command::Control(Control::Detach(Arc::clone(lane))));
        }
        // The last environment joins the threads here.
        drop(pool);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.detach();
    }
}

#[napi]
impl Bridge {
    /// Joins the process-wide pool.
    #[napi(constructor)]
    pub fn new(env: Env) -> Result<Self> {
        let pool = Pool::shared().map_err(|error| Error::from_reason(error.to_string()))?;
        let environment = Arc::<Environment>::default();
        let workers = pool.workers().to_vec();
        let lanes: Vec<Arc<Lane>> = workers.iter().map(|_| Lane::new(&environment)).collect();
        for (worker, lane) in workers.iter().zip(&lanes) {
            worker
                .outbox
                .push(Command::Control(Control::Attach(Arc::clone(lane))));
        }
        let pool = std::sync::Mutex::new(Some(pool));
        let shared = Arc::new(Shared {
            pool,
            environment,
            workers,
            lanes,
        });
        env.add_env_cleanup_hook(Arc::downgrade(&shared), |shared| {
            if let Some(shared) = shared.upgrade() {
                shared.detach();
            }
        })?;
        Ok(Self {
            shared,
            exposed: Exposed::default(),
        })
    }

    /// How many lanes there are: one a worker.
    #[napi(getter)]
    pub fn lane_count(&self) -> u32 {
        self.shared.lanes.len() as u32
    }

    /// Status words and command slab of a lane.
    #[napi]
    pub fn lane_memory<'env>(&self, env: &'env Env, lane: u32) -> Result<ArrayBuffer<'env>> {
        buffers::lane_memory(env, self.lane(lane)?)
    }

    /// Counters of written bytes of `TABLE_CHUNK` neighbouring slots, as f64.
    #[napi]
    pub fn table_memory<'env>(
        &self,
        env: &'env Env,
        lane: u32,
        chunk: u32,
    ) -> Result<ArrayBuffer<'env>> {
        buffers::table_memory(env, self.worker(lane)?.table.chunk(chunk as usize))
    }

    /// Puts the doorbell up; `drain` is called when there is news. A referenced one keeps the
    /// process alive. Replaces an earlier one.
    #[napi]
    pub fn open(&self, drain: Function<'_, (), ()>, referenced: bool) -> Result<()> {
        let bell = doorbell::bell(&drain, referenced)?;
        self.shared.environment.doorbell.install(Some(bell));
        Ok(())
    }

    /// Takes the doorbell down.
    #[napi]
    pub fn close(&self) {
        self.shared.environment.doorbell.install(None);
    }

    /// Copies events into `heads` and their inline payloads into `slab` from `offset` on.
    /// Returns the number of records; bit 31 tells that the room ran out.
    #[napi]
    pub fn drain(
        &self,
        lane: u32,
        mut heads: Uint32ArraySlice<'_>,
        mut slab: Uint8ArraySlice<'_>,
        offset: u32,
    ) -> Result<u32> {
        let environment = &self.shared.environment;
        environment.doorbell.answer();
        let (heads, slab) = buffers::writable(&mut heads, &mut slab);
        let slab = slab.get_mut(offset as usize..).unwrap_or_default();
        let drained = self.lane(lane)?.inbox().drain(heads, slab);
        self.credit(drained.cost);
        Ok(drained.records as u32 | u32::from(drained.more) << 31)
    }

    /// The payload of the next drained record that is flagged as a block.
    #[napi]
    pub fn take_block<'env>(&self, env: &'env Env, lane: u32) -> Result<BufferSlice<'env>> {
        let block = self.lane(lane)?.inbox().take_block();
        let block = block.ok_or_else(|| Error::from_reason("no record waits for a block"))?;
        self.credit(block.len());
        self.exposed.buffer(env, block)
    }

    /// Adds the payload of the next command that is flagged as a block. A Buffer that
    /// `takeBlock` made is passed on by reference unless the worker is to read it itself
    /// (`copy`): JavaScript may write to it meanwhile. Others are copied.
    #[napi]
    pub fn attach(&self, lane: u32, bytes: &[u8], copy: bool) -> Result<()> {
        let pool = &self.shared.environment.pool;
        let exposed = self.exposed.find(bytes).filter(|_| !copy);
        let block = exposed.unwrap_or_else(|| Block::copy_of(bytes, pool));
        self.lane(lane)?.attach(block);
        Ok(())
    }

    /// Passes the command slab of a lane on. It is empty afterwards.
    #[napi]
    pub fn submit(&self, lane: u32) -> Result<()> {
        self.lane(lane)?.submit(&self.worker(lane)?.outbox);
        Ok(())
    }

    /// Reserves an identity; it is written into the lane's status words.
    #[napi]
    pub fn reserve(&self, lane: u32) -> Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        let id = self.worker(lane)?.registry.reserve();
        let slab = self.lane(lane)?.slab();
        slab.status(layout::STATUS_SLOT).store(id.slot, Relaxed);
        slab.status(layout::STATUS_GENERATION)
            .store(id.generation, Relaxed);
        Ok(())
    }

    /// Takes a duplicate of a descriptor over. `preface` is written first; `initial` was read.
    /// Throws the operating system's error.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "a JavaScript call, all of it needed"
    )]
    pub fn adopt(
        &self,
        lane: u32,
        slot: u32,
        generation: u32,
        fd: i32,
        settings: &[u32],
        preface: &[u8],
        initial: &[u8],
    ) -> Result<()> {
        let stream =
            transport::duplicate(fd).map_err(|error| Error::from_reason(error.to_string()))?;
        let words: [u32; settings::WORDS] = settings
            .try_into()
            .map_err(|_| Error::from_reason("settings are four words"))?;
        let target = self.lane(lane)?;
        let outbox = &self.worker(lane)?.outbox;
        target.submit(outbox);
        outbox.push(Command::Control(Control::Adopt(Box::new(Adoption {
            id: SlotId { slot, generation },
            lane: Arc::clone(target),
            stream,
            settings: words,
            preface: preface.to_vec(),
            initial: initial.to_vec(),
        }))));
        Ok(())
    }

    /// Binds and listens. `id` is the number that upgrade requests will carry.
    #[napi]
    pub fn listen(
        &self,
        id: u16,
        address: String,
        port: u16,
        backlog: i32,
        ipv6_only: bool,
    ) -> Result<ListenOutcome> {
        let address: IpAddr = address
            .parse()
            .map_err(|_| Error::from_reason("an IP address is needed"))?;
        let options = ListenOptions {
            address: (address, port).into(),
            backlog,
            ipv6_only,
        };
        let bound = transport::bind(options).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(-1);
                let (address, family) = (String::new(), String::new());
                return Ok(ListenOutcome {
                    errno,
                    address,
                    port: 0,
                    family,
                });
            }
        };
        let home = usize::from(id) % self.shared.workers.len();
        let lanes = self.shared.lanes.clone();
        let listening = Listening {
            listener,
            id,
            lanes,
            home,
        };
        let outbox = &self.worker(home as u32)?.outbox;
        outbox.push(Command::Control(Control::Listen(Box::new(listening))));
        Ok(ListenOutcome {
            errno: 0,
            address: address.ip().to_string(),
            port: address.port().into(),
            family: family(address).into(),
        })
    }

    /// The addresses of a TCP connection that is still there.
    #[napi]
    pub fn addresses(&self, lane: u32, slot: u32, generation: u32) -> Result<Option<AddressPair>> {
        let known = self
            .worker(lane)?
            .registry
            .addresses(SlotId { slot, generation });
        Ok(known.map(|(local, remote)| AddressPair {
            local_address: local.ip().to_string(),
            local_port: local.port().into(),
            remote_address: remote.ip().to_string(),
            remote_port: remote.port().into(),
            family: family(remote).into(),
        }))
    }

    /// Submits everything and waits until the workers have written it, at most `limit` ms.
    #[napi]
    pub fn flush(&self, limit: u32) -> bool {
        let flushed = Arc::<Flushed>::default();
        for (worker, lane) in self.shared.workers.iter().zip(&self.shared.lanes) {
            lane.submit(&worker.outbox);
            worker
                .outbox
                .push(Command::Control(Control::Flush(Arc::clone(&flushed))));
        }
        flushed.wait(
            self.shared.workers.len(),
            Duration::from_millis(limit.into()),
        )
    }

    fn lane(&self, index: u32) -> Result<&Arc<Lane>> {
        self.shared
            .lanes
            .get(index as usize)
            .ok_or_else(|| Error::from_reason("no such lane"))
    }

    fn worker(&self, index: u32) -> Result<&Arc<Worker>> {
        self.shared
            .workers
            .get(index as usize)
            .ok_or_else(|| Error::from_reason("no such lane"))
    }

    /// Takes bytes off the inbound budget and wakes readers if there is room again.
    fn credit(&self, bytes: usize) {
        if self.shared.environment.budget.credit(bytes) {
            for (worker, lane) in self.shared.workers.iter().zip(&self.shared.lanes) {
                worker
                    .outbox
                    .push(Command::Control(Control::ReadAgain(Arc::clone(lane))));
            }
        }
    }
}

fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}
