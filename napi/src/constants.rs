//! Numbers and texts that both sides need, exported once.
//!
//! Runs on: js, at load time.

use ferrows_core::bridge::layout::{
    self, command, compression, event, flag, policy, settings, tally, turn,
};
use ferrows_core::protocol::Violation;
use ferrows_core::protocol::upgrade::layout as head;
use napi_derive::napi;

/// What a peer can do wrong.
#[napi(object)]
pub struct ViolationEntry {
    /// The number that records carry.
    pub id: u32,
    /// ws's `error.code`.
    pub code: String,
    /// Text; `%d` stands for the number.
    pub text: String,
    /// Close code to send.
    pub close_code: u32,
    /// `error.errno`, where it has one.
    pub errno: Option<i32>,
    /// Whether the error is a RangeError.
    pub is_range_error: bool,
}

/// The table of violations.
#[napi]
pub fn violations() -> Vec<ViolationEntry> {
    Violation::all()
        .map(|violation| ViolationEntry {
            id: violation.id().into(),
            code: violation.code().into(),
            text: violation.template().into(),
            close_code: violation.close_code().into(),
            errno: violation.errno(),
            is_range_error: violation.is_range_error(),
        })
        .collect()
}

/// A named number.
#[napi(object)]
pub struct Constant {
    /// Its name, `GROUP_NAME`.
    pub name: String,
    /// Its value.
    pub value: u32,
}

/// The record layout of the bridge.
#[napi]
pub fn constants() -> Vec<Constant> {
    macro_rules! table {
        ($($path:path => $name:literal),* $(,)?) => {
            vec![$(Constant { name: $name.into(), value: ($path) as u32 }),*]
        };
    }
    table![
        layout::RECORD_WORDS => "RECORD_WORDS",
        layout::RECORD_BYTES => "RECORD_BYTES",
        layout::RECORD_COST => "RECORD_COST",
        layout::INLINE_LIMIT => "INLINE_LIMIT",
        layout::LANDING_RECORDS => "LANDING_RECORDS",
        layout::LANDING_BYTES => "LANDING_BYTES",
        layout::OUTBOX_SLAB_BYTES => "OUTBOX_SLAB_BYTES",
        layout::OUTBOX_SUBMIT_BYTES => "OUTBOX_SUBMIT_BYTES",
        layout::OUTBOX_INLINE_LIMIT => "OUTBOX_INLINE_LIMIT",
        layout::PREPARED_PLACES => "PREPARED_PLACES",
        layout::STATUS_WORDS => "STATUS_WORDS",
        layout::STATUS_COMMITTED => "STATUS_COMMITTED",
        layout::STATUS_IN_TURN => "STATUS_IN_TURN",
        layout::STATUS_SLOT => "STATUS_SLOT",
        layout::STATUS_GENERATION => "STATUS_GENERATION",
        layout::STATUS_DISPATCHING => "STATUS_DISPATCHING",
        layout::STATUS_ASLEEP => "STATUS_ASLEEP",
        turn::DELIVERED => "TURN_DELIVERED",
        turn::REFUSED => "TURN_REFUSED",
        layout::TABLE_CHUNK => "TABLE_CHUNK",
        event::MESSAGE => "EVENT_MESSAGE",
        event::FRAGMENTS => "EVENT_FRAGMENTS",
        event::PING => "EVENT_PING",
        event::PONG => "EVENT_PONG",
        event::CLOSE => "EVENT_CLOSE",
        event::VIOLATION => "EVENT_VIOLATION",
        event::EOF => "EVENT_EOF",
        event::GONE => "EVENT_GONE",
        event::WRITTEN => "EVENT_WRITTEN",
        event::UPGRADE => "EVENT_UPGRADE",
        event::EXTRACTED => "EVENT_EXTRACTED",
        event::DEFLATED => "EVENT_DEFLATED",
        event::LIMITED => "EVENT_LIMITED",
        event::BACKPRESSURE => "EVENT_BACKPRESSURE",
        event::DROPPED => "EVENT_DROPPED",
        policy::BUFFER => "POLICY_BUFFER",
        policy::DROP_NEWEST => "POLICY_DROP_NEWEST",
        policy::DROP_OLDEST => "POLICY_DROP_OLDEST",
        policy::LATEST => "POLICY_LATEST",
        policy::CLOSE => "POLICY_CLOSE",
        event::PUBLISHED => "EVENT_PUBLISHED",
        command::FRAME => "COMMAND_FRAME",
        command::RAW => "COMMAND_RAW",
        command::END => "COMMAND_END",
        command::DESTROY => "COMMAND_DESTROY",
        command::PAUSE => "COMMAND_PAUSE",
        command::RESUME => "COMMAND_RESUME",
        command::ACCEPT => "COMMAND_ACCEPT",
        command::RELEASE => "COMMAND_RELEASE",
        command::NO_DELAY => "COMMAND_NO_DELAY",
        command::KEEP_ALIVE => "COMMAND_KEEP_ALIVE",
        command::MAX_PAYLOAD => "COMMAND_MAX_PAYLOAD",
        command::WATCH => "COMMAND_WATCH",
        command::SUBSCRIBE => "COMMAND_SUBSCRIBE",
        command::UNSUBSCRIBE => "COMMAND_UNSUBSCRIBE",
        command::LEAVE => "COMMAND_LEAVE",
        command::EXCEPT => "COMMAND_EXCEPT",
        command::PUBLISH => "COMMAND_PUBLISH",
        command::GUARD => "COMMAND_GUARD",
        command::PREPARE => "COMMAND_PREPARE",
        command::POST => "COMMAND_POST",
        command::FORGET => "COMMAND_FORGET",
        command::ENLIST => "COMMAND_ENLIST",
        layout::BACKPRESSURE_CLOSES => "BACKPRESSURE_CLOSES",
        layout::BACKPRESSURE_ON => "BACKPRESSURE_ON",
        layout::PUBLISHED_COMPRESS => "PUBLISHED_COMPRESS",
        flag::BINARY => "FLAG_BINARY",
        flag::BLOCK => "FLAG_BLOCK",
        flag::FIN => "FLAG_FIN",
        flag::MASK => "FLAG_MASK",
        flag::ACK => "FLAG_ACK",
        flag::COMPRESS => "FLAG_COMPRESS",
        flag::WHOLE => "FLAG_WHOLE",
        settings::WORDS => "SETTINGS_WORDS",
        settings::ACCOUNT => "SETTINGS_ACCOUNT",
        tally::NUMBERS => "TALLY_NUMBERS",
        tally::RECEIVED => "TALLY_RECEIVED",
        tally::RECEIVED_BYTES => "TALLY_RECEIVED_BYTES",
        tally::PINGS_RECEIVED => "TALLY_PINGS_RECEIVED",
        tally::PONGS_RECEIVED => "TALLY_PONGS_RECEIVED",
        tally::SENT => "TALLY_SENT",
        tally::SENT_BYTES => "TALLY_SENT_BYTES",
        tally::PINGS_SENT => "TALLY_PINGS_SENT",
        tally::PONGS_SENT => "TALLY_PONGS_SENT",
        tally::DELIVERED => "TALLY_DELIVERED",
        tally::DROPPED => "TALLY_DROPPED",
        settings::MAX_PAYLOAD => "SETTINGS_MAX_PAYLOAD",
        settings::MAX_FRAGMENTS => "SETTINGS_MAX_FRAGMENTS",
        settings::MAX_BUFFERED_CHUNKS => "SETTINGS_MAX_BUFFERED_CHUNKS",
        settings::FLAGS => "SETTINGS_FLAGS",
        settings::COMPRESSION => "SETTINGS_COMPRESSION",
        settings::THRESHOLD => "SETTINGS_THRESHOLD",
        settings::HEARTBEAT_INTERVAL => "SETTINGS_HEARTBEAT_INTERVAL",
        settings::HEARTBEAT_TIMEOUT => "SETTINGS_HEARTBEAT_TIMEOUT",
        settings::INBOUND_MESSAGES => "SETTINGS_INBOUND_MESSAGES",
        settings::INBOUND_BYTES => "SETTINGS_INBOUND_BYTES",
        settings::INBOUND_CLOSES => "SETTINGS_INBOUND_CLOSES",
        settings::MAX_BACKPRESSURE => "SETTINGS_MAX_BACKPRESSURE",
        settings::POLICY_SHIFT => "SETTINGS_POLICY_SHIFT",
        settings::CLIENT => "SETTINGS_CLIENT",
        settings::SKIP_UTF8_VALIDATION => "SETTINGS_SKIP_UTF8_VALIDATION",
        compression::ON => "COMPRESSION_ON",
        compression::INFLATE_TAKEOVER => "COMPRESSION_INFLATE_TAKEOVER",
        compression::DEFLATE_TAKEOVER => "COMPRESSION_DEFLATE_TAKEOVER",
        compression::PASS_ON => "COMPRESSION_PASS_ON",
        compression::INFLATE_BITS => "COMPRESSION_INFLATE_BITS",
        compression::DEFLATE_BITS => "COMPRESSION_DEFLATE_BITS",
        compression::LEVEL => "COMPRESSION_LEVEL",
        compression::MEM_LEVEL => "COMPRESSION_MEM_LEVEL",
        compression::STRATEGY => "COMPRESSION_STRATEGY",
        head::MAJOR => "HEAD_MAJOR",
        head::MINOR => "HEAD_MINOR",
        head::COUNT => "HEAD_COUNT",
        head::METHOD => "HEAD_METHOD",
        head::TARGET => "HEAD_TARGET",
        head::HEADERS => "HEAD_HEADERS",
        head::WORD_BYTES => "HEAD_WORD_BYTES",
        head::MAX_PARSED => "HEAD_MAX_PARSED",
    ]
}

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455, section 4.2.2).
#[napi]
pub fn accept_key(key: String) -> String {
    ferrows_core::protocol::upgrade::accept_key(key.as_bytes())
}
