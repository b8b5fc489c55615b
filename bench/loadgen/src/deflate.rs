//! Compressed messages, as a browser would send them.

use std::io;

use flate2::{Compress, Compression, FlushCompress};

/// Both ends may refer to earlier messages.
pub(crate) const TAKEOVER: &str = "permessage-deflate";
/// Neither end may.
pub(crate) const NO_TAKEOVER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Text of about `size` bytes that looks like the answer of an API.
pub(crate) fn json(size: usize) -> Vec<u8> {
    let mut text = String::from("[");
    for id in 0.. {
        let entry = format!(
            "{{\"id\":{id},\"name\":\"user {}\",\"active\":{},\"score\":{}}},",
            id * 7919 % 1000,
            id % 3 == 0,
            id * 104_729 % 9973,
        );
        if text.len() + entry.len() > size {
            break;
        }
        text.push_str(&entry);
    }
    text.truncate(text.len() - 1);
    text.push(']');
    text.into_bytes()
}

/// The payload of a compressed message.
pub(crate) fn compressed(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len() + 64);
    Compress::new(Compression::default(), false)
        .compress_vec(data, &mut out, FlushCompress::Sync)
        .map_err(io::Error::other)?;
    out.truncate(out.len() - 4);
    Ok(out)
}
