//! What comes before the first frame: the header grammars, and the listener's side of HTTP.
//!
//! Called by `lib/extension.js` and `lib/subprotocol.js`, which make objects and errors of what
//! comes out, and by tests. Runs on: js.

use ferrows_core::protocol::upgrade::{self, Conversation, GrammarError, Llhttp, Rules, Turn};
use napi::bindgen_prelude::Buffer;
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

/// What the running Node makes of requests, see `lib/http-rules.js`.
#[napi(object)]
pub struct HttpRules {
    /// `http.maxHeaderSize`.
    pub max_header_size: u32,
    /// Major version of its parser.
    pub llhttp_major: u32,
    /// Minor version of its parser.
    pub llhttp_minor: u32,
}

impl From<HttpRules> for Rules {
    fn from(rules: HttpRules) -> Self {
        Self {
            max_header_size: rules.max_header_size as usize,
            llhttp: Llhttp::of(rules.llhttp_major, rules.llhttp_minor),
        }
    }
}

/// How a peer's part of a conversation ends.
#[napi(string_enum = "lowercase")]
pub enum Ending {
    /// The peer ends its side.
    End,
    /// The peer takes too long.
    Timeout,
}

/// What a listener makes of a peer's bytes.
#[napi(object)]
pub struct Conversed {
    /// What is answered, one element for each chunk that was looked at and one for the end.
    pub answers: Vec<Buffer>,
    /// The upgrade request as `EVENT_UPGRADE` carries it, if there is one.
    pub head: Option<Buffer>,
    /// Bytes of the last chunk that belong to the upgrade request.
    pub used: u32,
    /// Whether the connection ends without an upgrade.
    pub over: bool,
}

/// Plays a listener's side of a conversation up to an upgrade request, for tests: each chunk
/// arrives by itself.
#[napi]
pub fn converse(
    chunks: Vec<&[u8]>,
    rules: HttpRules,
    date: String,
    ending: Option<Ending>,
) -> Conversed {
    let mut conversation = Conversation::new(rules.into());
    let mut conversed = Conversed {
        answers: Vec::with_capacity(chunks.len()),
        head: None,
        used: 0,
        over: false,
    };
    for chunk in chunks {
        let mut answers = Vec::new();
        let turn = conversation.handle_bytes(chunk, || date.clone(), &mut answers);
        conversed.answers.push(answers.into());
        match turn {
            Turn::Waits => continue,
            Turn::Over => conversed.over = true,
            Turn::Upgrade { head, used } => {
                conversed.head = Some(head.describe().into());
                conversed.used = used as u32;
            }
        }
        return conversed;
    }
    if let Some(ending) = ending {
        let mut answers = Vec::new();
        match ending {
            Ending::End => conversation.handle_end(&mut answers),
            Ending::Timeout => conversation.handle_timeout(&mut answers),
        }
        conversed.answers.push(answers.into());
        conversed.over = true;
    }
    conversed
}
