//! The header grammars of the opening handshake.
//!
//! Called by `lib/extension.js` and `lib/subprotocol.js`, which make objects and errors of what
//! comes out. Runs on: js.

use ferrows_core::protocol::upgrade::{self, GrammarError};
use napi_derive::napi;

/// A parameter of an extension.
#[napi(object)]
pub struct ExtensionParam {
    /// Its name.
    pub name: String,
    /// Its value, unquoted, if it has one.
    pub value: Option<String>,
}

/// An element of a Sec-WebSocket-Extensions header.
#[napi(object)]
pub struct ExtensionOffer {
    /// The name of the extension.
    pub name: String,
    /// Its parameters in their order.
    pub params: Vec<ExtensionParam>,
}

/// The elements of a Sec-WebSocket-Extensions header, or the index at which it leaves the
/// grammar: the header's length if more should follow.
#[napi]
pub fn parse_extensions(header: String) -> napi::Either<Vec<ExtensionOffer>, u32> {
    match upgrade::parse_extensions(&header) {
        Ok(offers) => napi::Either::A(offers.into_iter().map(converted).collect()),
        Err(error) => napi::Either::B(index_of(error, &header)),
    }
}

/// What a Sec-WebSocket-Protocol header holds.
#[napi(object)]
pub struct Subprotocols {
    /// The names before the fault, in their order.
    pub names: Vec<String>,
    /// The index at which the header leaves the grammar, if it does: its length if more should
    /// follow.
    pub fault: Option<u32>,
}

/// Reads a Sec-WebSocket-Protocol header.
#[napi]
pub fn parse_subprotocols(header: String) -> Subprotocols {
    let (names, fault) = upgrade::parse_subprotocols(&header);
    Subprotocols {
        names: names.into_iter().map(str::to_owned).collect(),
        fault: fault.map(|error| index_of(error, &header)),
    }
}

fn converted(offer: upgrade::ExtensionOffer<'_>) -> ExtensionOffer {
    let params = offer
        .params
        .into_iter()
        .map(|(name, value)| ExtensionParam {
            name: name.to_owned(),
            value,
        });
    ExtensionOffer {
        name: offer.name.to_owned(),
        params: params.collect(),
    }
}

/// Everything before a fault is ASCII, so that bytes count characters.
fn index_of(error: GrammarError, header: &str) -> u32 {
    match error {
        GrammarError::UnexpectedCharacter(index) => index as u32,
        GrammarError::UnexpectedEnd => header.len() as u32,
    }
}

/// Whether bytes are UTF-8.
#[napi]
pub fn is_utf8(bytes: &[u8]) -> bool {
    ferrows_core::protocol::is_utf8(bytes)
}
