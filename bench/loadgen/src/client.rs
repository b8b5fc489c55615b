//! One connection of the load: handshake, pre-built frames, checking what comes back.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use crate::plan::Plan;
use crate::wire::Wire;

const PATH: &str = "/echo";
const SOCKETIO_PATH: &str = "/socket.io/?EIO=4&transport=websocket";
/// What both sides say to each other before the first event, and how many frames the server does.
const SOCKETIO_CONNECT: &[u8] = b"40";
const SOCKETIO_GREETINGS: usize = 2;
const REQUEST: &str = "HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";
const TEXT: u8 = 0x81;
const MASK: [u8; 4] = [0x5a, 0x17, 0xc3, 0x88];

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, payload.len(), 0x80);
    out.extend_from_slice(&MASK);
    out.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    out
}

/// The header of a frame, without a mask.
pub(crate) fn header(first: u8, length: usize, mask_bit: u8) -> Vec<u8> {
    match length {
        0..126 => vec![first, mask_bit | length as u8],
        126..65536 => {
            let [high, low] = (length as u16).to_be_bytes();
            vec![first, mask_bit | 126, high, low]
        }
        _ => [&[first, mask_bit | 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// What a server sends back, over and over.
pub(crate) enum Expected {
    /// These bytes.
    Exactly(Vec<u8>),
    /// Frames that begin with this byte, whatever is in them: compressed, it changes.
    Frames(u8),
}

/// A TCP connection and where it is in the stream of expected frames.
pub(crate) struct Client {
    pub(crate) stream: Wire,
    pub(crate) open: bool,
    upgraded: bool,
    head: Vec<u8>,
    /// Frames that the server is still to send before it counts as open.
    greetings: usize,
    /// Position within the frame that is arriving.
    at: usize,
    /// Where its length is not known beforehand: the header so far, the payload still to come.
    frame_head: Vec<u8>,
    missing: usize,
    /// Frames that are to be sent, and how far the first of them is.
    pending: usize,
    sent: usize,
}

impl Client {
    /// Begins to connect. `index` spreads connections over loopback source addresses, so that
    /// ports do not run out; `abort` makes closing leave no trace.
    pub(crate) fn connect(plan: &Plan, index: usize, abort: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // A range of its own for each run: ports of the last one may still be in TIME_WAIT.
        let source = (index / 4_000 + std::process::id() as usize) % 200;
        let source = Ipv4Addr::new(127, 0, 0, 1 + source as u8);
        socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into())?;
        socket.set_tcp_nodelay(true)?;
        if abort {
            socket.set_linger(Some(std::time::Duration::ZERO))?;
        }
        let server: SocketAddr = (Ipv4Addr::LOCALHOST, plan.port_of(index)).into();
        socket.connect(&server.into())?;
        socket.set_nonblocking(true)?;
        let mut stream = Wire::new(TcpStream::from_std(socket.into()), plan.tls.as_ref())?;
        let (path, greetings) = if plan.socketio {
            (SOCKETIO_PATH, SOCKETIO_GREETINGS)
        } else {
            (PATH, 0)
        };
        let offer = plan.offer.map_or(String::new(), |offer| {
            format!("Sec-WebSocket-Extensions: {offer}\r\n")
        });
        stream.write_all(format!("GET {path} {REQUEST}{offer}\r\n").as_bytes())?;
        Ok(Self {
            stream,
            open: false,
            upgraded: false,
            head: Vec::new(),
            greetings,
            at: 0,
            frame_head: Vec::new(),
            missing: 0,
            pending: 0,
            sent: 0,
        })
    }

    /// Reads everything that is there; returns how many frames as `expected` ended.
    pub(crate) fn receive(&mut self, scratch: &mut [u8], expected: &Expected) -> io::Result<usize> {
        let mut frames = 0;
        loop {
            let read = match self.stream.read(scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(frames),
                Err(error) => return Err(error),
            };
            let mut bytes = &scratch[..read];
            if !self.upgraded {
                self.head.extend_from_slice(bytes);
                let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
                    continue;
                };
                if !self.head.starts_with(b"HTTP/1.1 101") {
                    return Err(io::Error::other("the server did not upgrade"));
                }
                self.upgraded = true;
                self.open = self.greetings == 0;
                bytes = &scratch[read - (self.head.len() - end - 4)..read];
                self.head = Vec::new();
                if !self.open {
                    self.stream.write_all(&frame(TEXT, SOCKETIO_CONNECT))?;
                }
            }
            if !self.open {
                self.greetings = self.greetings.saturating_sub(self.count(bytes, TEXT)?);
                self.open = self.greetings == 0;
                return Ok(0);
            }
            frames += match expected {
                Expected::Exactly(frame) => self.check(bytes, frame)?,
                Expected::Frames(first) => self.count(bytes, *first)?,
            };
            // A short read has emptied a plain socket.
            if read < scratch.len() && !self.stream.is_tls() {
                return Ok(frames);
            }
        }
    }

    fn check(&mut self, mut bytes: &[u8], expected: &[u8]) -> io::Result<usize> {
        let mut frames = 0;
        while !bytes.is_empty() {
            let length = bytes.len().min(expected.len() - self.at);
            let (now, later) = bytes.split_at(length);
            if now != &expected[self.at..self.at + length] {
                return Err(io::Error::other("the server sent something else"));
            }
            bytes = later;
            self.at += length;
            if self.at == expected.len() {
                self.at = 0;
                frames += 1;
            }
        }
        Ok(frames)
    }

    fn count(&mut self, mut bytes: &[u8], first: u8) -> io::Result<usize> {
        let mut frames = 0;
        while let Some((byte, later)) = bytes.split_first() {
            if self.missing > 0 {
                let skipped = self.missing.min(bytes.len());
                bytes = &bytes[skipped..];
                self.missing -= skipped;
                frames += usize::from(self.missing == 0);
                continue;
            }
            self.frame_head.push(*byte);
            bytes = later;
            self.missing = match self.frame_head[..] {
                [other, ..] if other != first => {
                    return Err(io::Error::other("the server sent another kind of frame"));
                }
                [_, length @ 1..126] => usize::from(length),
                [_, 126, high, low] => usize::from(u16::from_be_bytes([high, low])),
                [_] | [_, 126] | [_, 126, _] => continue,
                _ => return Err(io::Error::other("a frame of unexpected length")),
            };
            self.frame_head.clear();
        }
        Ok(frames)
    }

    /// Sends `count` more frames, as far as the socket takes them. `burst` is the frame
    /// repeated.
    pub(crate) fn send(&mut self, count: usize, frame: usize, burst: &[u8]) -> io::Result<()> {
        self.pending += count;
        self.stream.flush()?;
        while self.pending > 0 {
            let whole = (self.pending * frame).min(burst.len());
            match self.stream.write(&burst[self.sent..whole]) {
                Ok(written) => {
                    self.sent += written;
                    self.pending -= self.sent / frame;
                    self.sent %= frame;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_carry_minimal_lengths_and_the_mask() {
        assert_eq!(frame(0x82, &[]), [0x82, 0x80, 0x5a, 0x17, 0xc3, 0x88]);
        assert_eq!(frame(0x82, &[0x5a, 0x17])[6..], [0, 0]);
        assert_eq!(header(0x82, 300, 0), [0x82, 126, 1, 44]);
        assert_eq!(header(0x82, 65_536, 0), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
