//! An echo server by other hands, for `__test__/interop/tungstenite.test.js`: prints its port,
//! sends every message back, ends when standard input does.
#![allow(clippy::print_stdout, reason = "the port is its output")]

use futures::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

async fn echo(stream: TcpStream) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut websocket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = websocket.next().await {
        let message = message?;
        // Pings and closes are answered by the library.
        if message.is_text() || message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
