//! The HTTP/1 side of an upgrade, as a server sees it before any frame.
//!
//! A [`Conversation`] reads requests as Node's HTTP parser does and answers what needs no
//! JavaScript; a [`Head`] is an upgrade request on its way there; [`accept_key`] proves
//! to a client that its key was read; [`parse_extensions`] and
//! [`parse_subprotocols`] read the two headers with a grammar. The policy (paths, subprotocols,
//! `verifyClient`) is JavaScript's.

mod body;
mod conversation;
mod extension;
mod fields;
mod head;
mod request_line;
mod response;
mod rules;
mod scan;
mod subprotocol;
mod token;
mod words;

pub use conversation::{Conversation, Turn, Unanswered};
pub use extension::{ExtensionOffer, parse_extensions};
pub use head::{Head, layout};
pub use rules::{Llhttp, Rules};
pub use subprotocol::parse_subprotocols;
pub use token::GrammarError;

/// The `Sec-WebSocket-Accept` value for a `Sec-WebSocket-Key` (RFC 6455 section
/// 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    tungstenite::handshake::derive_accept_key(key)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_of_the_rfc() {
        let accept = super::accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="); // RFC 6455 section 1.3
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
