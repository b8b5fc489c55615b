//! What an engine has to do for a backbone, and what backbones have in common.
//!
//! Owns: [`Engine`], one live connection to Redis or NATS; [`connect`], how a stream to
//! either is made. Called by `carry.rs`, which reconnects: an engine that failed is
//! dropped. Runs on: worker.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::config::{Address, Config, Failure};
use super::history::{Asked, Kept};
use super::outgoing::Waiting;
use super::shared::Shared;
use super::tls;

/// A message that the engine did not take, by its place in the batch.
pub(super) type Refusal = (usize, Failure);

/// A connection to an engine. What comes is given to [`Shared::receive`].
pub(super) trait Engine: Sized + Send {
    /// Connects to the address of this number and introduces itself.
    fn connect(
        shared: &Arc<Shared>,
        address: usize,
    ) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// What the engine says that it is.
    fn version(&self) -> &str;

    /// Asks for topics. It is done when messages of them come. Those that it refuses it returns.
    fn subscribe(
        &mut self,
        topics: &[Arc<str>],
    ) -> impl Future<Output = Result<Vec<Refusal>, Failure>> + Send;

    /// Asks for them no more.
    fn unsubscribe(
        &mut self,
        topics: &[Arc<str>],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Publishes messages in order. It is done when the engine has them. Those that it refuses it
    /// returns.
    fn publish(
        &mut self,
        batch: &[Waiting],
    ) -> impl Future<Output = Result<Vec<Refusal>, Failure>> + Send;

    /// What is kept of topics, each of them or why not. All that came live before an answer was given
    /// to [`Shared::receive`], or will be soon.
    fn history(
        &mut self,
        asked: &[Asked],
    ) -> impl Future<Output = Result<Vec<Result<Kept, Failure>>, Failure>> + Send;

    /// Waits for an answer on every connection that it has.
    fn ping(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Waits until it is over, or has something to tell: that is `Ok`.
    fn ended(&mut self) -> impl Future<Output = Result<Failure, Failure>> + Send;
}

/// Bytes to and from an engine.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream to an address, encrypted if that is wanted.
pub(super) async fn connect(
    config: &Config,
    Address { host, port }: &Address,
) -> Result<Box<dyn Stream>, Failure> {
    let socket = TcpStream::connect((host.as_str(), *port)).await?;
    socket.set_nodelay(true)?;
    match &config.tls {
        None => Ok(Box::new(socket)),
        Some(options) => Ok(Box::new(tls::connect(options, host, socket).await?)),
    }
}
