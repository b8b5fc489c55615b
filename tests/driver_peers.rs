//! Drivers without JavaScript: real sockets, tokio-tungstenite at the other end.
#![cfg(all(unix, feature = "driver"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod driver_support;

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use driver_support::{Facade, Mode, in_every_mode};
use ferrows_core::bridge::layout::{command, event, flag, settings};
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Peer = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Runs a tungstenite client on a thread of its own.
fn client<T: Send + 'static, F: Future<Output = T>>(
    address: SocketAddr,
    act: impl FnOnce(Peer) -> F + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (peer, _) = connect_async(format!("ws://{address}/")).await.unwrap();
            act(peer).await
        })
    })
}

/// Two ends of a TCP connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

#[test]
fn echoes_messages_of_all_sizes_and_closes() {
    in_every_mode(|mut facade| {
        let peer = client(facade.listen(), |mut peer| async move {
            for length in [0, 1, 125, 126, 4096, 4097, 65535, 65536, 3_000_000] {
                let sent = Message::binary(vec![length as u8; length]);
                peer.send(sent.clone()).await.unwrap();
                assert_eq!(peer.next().await.unwrap().unwrap(), sent);
            }
            peer.send(Message::text("kälte")).await.unwrap();
            assert_eq!(peer.next().await.unwrap().unwrap(), Message::text("kälte"));
            peer.send(Message::Ping(b"hey".as_slice().into()))
                .await
                .unwrap();
            let frame = CloseFrame {
                code: CloseCode::Library(4001),
                reason: "enough".into(),
            };
            peer.close(Some(frame)).await.unwrap();
            while peer.next().await.is_some() {}
        });
        let id = facade.accept();
        for _ in 0..10 {
            let message = facade.next();
            assert_eq!(
                (message.head.tag, message.id()),
                (event::MESSAGE, id),
                "{message:?}"
            );
            let opcode = if message.head.has(flag::BINARY) { 2 } else { 1 };
            facade.frame(id, opcode, &message.payload);
        }
        let ping = facade.next();
        assert_eq!(
            (ping.head.tag, ping.payload.as_slice()),
            (event::PING, b"hey".as_slice())
        );
        let close = facade.next();
        assert_eq!((close.head.tag, close.head.aux), (event::CLOSE, 4001));
        assert_eq!(close.payload, b"enough");
        facade.frame(id, 8, &4001_u16.to_be_bytes());
        facade.command(command::END, 0, 0, id, &[]);
        peer.join().unwrap();
        let gone = facade.next();
        assert_eq!((gone.head.tag, gone.head.argument), (event::GONE, 0));
    });
}

#[test]
fn ten_thousand_messages_of_each_connection_stay_in_order_both_ways() {
    in_every_mode(|mut facade| {
        const CLIENTS: usize = 4;
        const MESSAGES: u32 = 10_000;
        let address = facade.listen();
        let peers: Vec<_> = (0..CLIENTS)
            .map(|_| {
                client(address, |peer| async move {
                    let (mut sink, mut stream) = peer.split();
                    let sending = async {
                        for index in 0..MESSAGES {
                            sink.feed(Message::binary(index.to_le_bytes().to_vec()))
                                .await
                                .unwrap();
                        }
                        sink.flush().await.unwrap();
                    };
                    let receiving = async {
                        for index in 0..MESSAGES {
                            let message = stream.next().await.unwrap().unwrap();
                            assert_eq!(message.into_data().as_ref(), index.to_le_bytes());
                        }
                    };
                    tokio::join!(sending, receiving);
                })
            })
            .collect();
        let ids: Vec<_> = peers.iter().map(|_| facade.accept()).collect();
        let mut expected = [0_u32; CLIENTS];
        let mut left = MESSAGES as usize * CLIENTS;
        while left > 0 {
            let message = facade.next();
            if message.head.tag == event::EOF {
                continue; // A peer that has everything leaves.
            }
            assert_eq!(message.head.tag, event::MESSAGE);
            let which = ids.iter().position(|id| *id == message.id()).unwrap();
            assert_eq!(message.payload, expected[which].to_le_bytes());
            expected[which] += 1;
            facade.frame(message.id(), 2, &message.payload);
            left -= 1;
        }
        for peer in peers {
            peer.join().unwrap();
        }
    });
}

#[test]
fn a_client_masks_and_a_tungstenite_server_understands() {
    in_every_mode(|mut facade| {
        let (near, far) = pair();
        let id = facade.adopt(near, settings::CLIENT);
        let server = thread::spawn(move || {
            let mut server =
                tokio_tungstenite::tungstenite::WebSocket::from_raw_socket(far, Role::Server, None);
            let message = server.read().unwrap();
            server.send(message.clone()).unwrap();
            assert!(matches!(
                server.read(),
                Err(Error::Io(_) | Error::Protocol(_))
            ));
            message
        });
        let (tag, flags) = (command::FRAME, flag::FIN | flag::MASK);
        facade.command(tag, flags, 1, id, "gruß".as_bytes());
        let echo = facade.next();
        assert_eq!(echo.payload, "gruß".as_bytes());
        facade.command(command::DESTROY, 0, 0, id, &[]);
        assert_eq!(facade.next().head.tag, event::GONE);
        assert_eq!(server.join().unwrap(), Message::text("gruß"));
    });
}

#[test]
fn commands_for_an_earlier_generation_do_nothing() {
    in_every_mode(|mut facade| {
        let (near, far) = pair();
        let first = facade.adopt(near, 0);
        drop(far);
        assert_eq!(facade.next().head.tag, event::EOF);
        facade.command(command::DESTROY, 0, 0, first, &[]);
        assert_eq!(facade.next().head.tag, event::GONE);
        facade.command(command::RELEASE, 0, 0, first, &[]);
        // The worker releases before it runs what was pushed later.
        let mut second = first;
        while second.slot != first.slot || second.generation == first.generation {
            let (near, far) = pair();
            second = facade.adopt(near, 0);
            if second.slot == first.slot {
                for command in [command::DESTROY, command::RELEASE, command::END] {
                    facade.command(command, 0, 0, first, &[]);
                }
                facade.frame(first, 1, b"stale");
                facade.frame(second, 1, b"fresh");
                let mut bytes = [0; 7];
                (&far).read_exact(&mut bytes).unwrap();
                assert_eq!(&bytes, b"\x81\x05fresh");
            }
        }
    });
}

#[test]
fn an_exhausted_budget_stops_reading_and_loses_nothing() {
    in_every_mode(|mut facade| {
        const MESSAGES: usize = 2000;
        const LENGTH: usize = 65_536;
        let peer = client(facade.listen(), |mut peer| async move {
            for index in 0..MESSAGES {
                peer.feed(Message::binary(vec![index as u8; LENGTH]))
                    .await
                    .unwrap();
            }
            peer.flush().await.unwrap();
            // Stay until told to go.
            assert!(peer.next().await.unwrap().unwrap().is_close());
        });
        let id = facade.accept();
        // 125 MiB are on offer and nobody looks.
        while !facade.environment().budget.is_exhausted(0) {
            facade.turn();
            thread::sleep(Duration::from_millis(1));
        }
        for index in 0..MESSAGES {
            let message = facade.next();
            assert_eq!(message.payload, vec![index as u8; LENGTH]);
        }
        facade.frame(id, 8, &1000_u16.to_be_bytes());
        peer.join().unwrap();
    });
}

#[test]
fn detaching_closes_connections_and_listeners_of_that_environment() {
    in_every_mode(|mut facade| {
        let address = facade.listen();
        let peer = client(address, |mut peer| async move {
            peer.send(Message::text("here")).await.unwrap();
            matches!(peer.next().await, None | Some(Err(_)))
        });
        facade.accept();
        assert_eq!(facade.next().payload, b"here");
        facade.detach();
        assert!(peer.join().unwrap(), "the connection ends");
        assert!(TcpStream::connect(address).is_err(), "the port is free");
    });
}

#[test]
fn what_ticks_send_to_many_connections_goes_out_before_the_loop_polls() {
    let facade = Facade::start(Mode::Inline);
    let (ids, peers): (Vec<_>, Vec<_>) = (0..40)
        .map(|_| {
            let (near, far) = pair();
            (facade.adopt(near, 0), far)
        })
        .unzip();
    let write = |count: usize, text: &[u8]| {
        for id in &ids[..count] {
            facade.write_frame(*id, 1, text);
        }
    };
    let received = |peer: &TcpStream| {
        let mut bytes = [0; 64];
        let count = (&*peer).read(&mut bytes).unwrap();
        bytes[..count].to_vec()
    };

    write(3, b"few");
    assert!(facade.end_tick(), "what goes to a few is written at once");
    for peer in &peers[..3] {
        assert_eq!(received(peer), b"\x81\x03few");
    }

    write(40, b"one");
    assert!(!facade.end_tick(), "what goes to many waits");
    write(1, b"two");
    assert!(!facade.end_tick(), "and what follows with it");
    for peer in &peers {
        peer.set_nonblocking(true).unwrap();
        let nothing = (&*peer).read(&mut [0; 64]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        peer.set_nonblocking(false).unwrap();
    }
    facade.submit();
    assert_eq!(received(&peers[0]), b"\x81\x03one\x81\x03two");
    for peer in &peers[1..] {
        assert_eq!(received(peer), b"\x81\x03one");
    }
    facade.detach();
}
