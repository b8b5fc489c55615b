//! Request heads, and what Node 20's HTTP server made of each of them.

use ferrows_core::protocol::upgrade::{HeadParser, HeadStatus, parse_head};

/// What matters about a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Partial,
    Bad,
    TooLarge,
    Upgrade,
    /// A plain request: keep-alive, body.
    Plain(bool, bool),
}
use Outcome::{Bad, Partial, Plain, TooLarge, Upgrade};

const KEPT: Outcome = Plain(true, false);
const CLOSED: Outcome = Plain(false, false);

fn outcome(status: &HeadStatus<'_>) -> Outcome {
    match status {
        HeadStatus::Partial => Partial,
        HeadStatus::Bad => Bad,
        HeadStatus::TooLarge => TooLarge,
        HeadStatus::Complete(head) if head.is_upgrade => Upgrade,
        HeadStatus::Complete(head) => Plain(head.keep_alive, head.has_body),
    }
}

/// Parses the head whole and byte by byte.
fn check(head: impl AsRef<[u8]>, expect: Outcome) {
    let head = head.as_ref();
    let shown = String::from_utf8_lossy(&head[..head.len().min(200)]).into_owned();
    assert_eq!(outcome(&parse_head(head)), expect, "{shown:?}");
    let mut parser = HeadParser::new();
    let mut trickled = Partial;
    for end in 1..=head.len() {
        trickled = outcome(&parser.parse(&head[..end]));
        if trickled != Partial {
            break;
        }
    }
    assert_eq!(trickled, expect, "byte by byte: {shown:?}");
}

/// A GET with a Host header, then `lines`, then the empty line.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

fn post(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn keep_alive_follows_version_and_connection() {
    check(get(""), KEPT);
    check(get("Connection: close\r\n"), CLOSED);
    check(get("connection: foo , CLOSE\r\n"), CLOSED);
    check("GET / HTTP/1.0\r\n\r\n", CLOSED);
    check("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", KEPT);
    check("GET / HTTP/0.9\r\n\r\n", CLOSED);
    check("GET / HTTP/2.0\r\n\r\n", CLOSED);
    check("GET /\r\nHost: a\r\n\r\n", CLOSED);
}

#[test]
fn upgrades_need_two_headers() {
    check(get("Connection: upgrade\r\nUpgrade: x\r\n"), Upgrade);
    check(
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        Upgrade,
    );
    check(
        get("Connection: keep-alive, Upgrade\r\nUpgrade: x\r\n"),
        Upgrade,
    );
    check(
        get("Connection: foo,Upgrade ,bar\r\nUpgrade: x\r\n"),
        Upgrade,
    );
    check(
        get("Connection: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n"),
        Upgrade,
    );
    check(get("Connection: close, upgrade\r\nUpgrade: x\r\n"), Upgrade);
    check(get("Connection: upgraded\r\nUpgrade: x\r\n"), KEPT);
    check(get("Connection: foo upgrade\r\nUpgrade: x\r\n"), KEPT);
    check(get("Connection: upgrade\r\nUpgrade:\r\n"), KEPT);
    check(get("Connection: upgrade\r\n"), KEPT);
    check(get("Upgrade: websocket\r\n"), KEPT);
    check(
        post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n"),
        Upgrade,
    );
}

#[test]
fn request_lines() {
    check("\r\n\n\r\rGET / HTTP/1.1\r\n\r\n", KEPT);
    check("GET  /  HTTP/1.1\r\n\r\n", KEPT);
    check("OPTIONS * HTTP/1.1\r\n\r\n", KEPT);
    check("GET http://a/b HTTP/1.1\r\n\r\n", KEPT);
    check("GET /\"<>\\^`{|}#a#b HTTP/1.1\r\n\r\n", KEPT);
    check("CONNECT a:1 HTTP/1.1\r\n\r\n", KEPT);
    for line in [
        " GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET\t/ HTTP/1.1\r\n",
        "get / HTTP/1.1\r\n",
        "FOO / HTTP/1.1\r\n",
        "GET foo HTTP/1.1\r\n",
        "GET ?a HTTP/1.1\r\n",
        "GET /\x01 HTTP/1.1\r\n",
        "GET /\x7f HTTP/1.1\r\n",
        "GET /\t HTTP/1.1\r\n",
        "GET /é HTTP/1.1\r\n",
        "GET / HTTP/1.2\r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/1.1\n",
        "PRI * HTTP/2.0\r\n",
    ] {
        check(format!("{line}Host: a\r\n\r\n"), Bad);
    }
}

#[test]
fn garbage_is_refused_at_its_first_byte() {
    check("\x16\x03\x01", Bad); // a TLS hello
    check("garb", Bad);
    check("GETS", Bad);
    check("GET / HTTP/1.1\r\nHost ", Bad);
    check("GET / HTTP/1.1\r\nHost: a\0", Bad);
    check("GET / HTTP/1.1\r\n ", Bad);
    check("GET / HTTP/1.1\r\nHost: a\rb", Bad);
    check("GET / HTTP/1.1\r\nHost: a\r\n\rX", Bad);
    check("", Partial);
    check("GE", Partial);
    check("GET / HTTP/1.1\r\nHost: a\r\n\r", Partial);
}

#[test]
fn header_lines() {
    check(get("X: a\tb\r\n"), KEPT);
    check(
        [get("X: a").trim_end().as_bytes(), b"\xff\r\n\r\n"].concat(),
        KEPT,
    );
    check(get("X:\r\nY:   \r\n"), KEPT);
    for line in [
        "Host : a",
        " Host: a",
        "X: b\r\n c",
        "X: b\r\n\tc",
        ": a",
        "Host",
        "X: \x01",
        "X: \x7f",
        "X: a\nY: b",
        "H(st: a",
        "Hést: a",
        "Connection: a\r\n upgrade\r\nUpgrade: x",
    ] {
        check(get(&format!("{line}\r\n")), Bad);
    }
    check("GET / HTTP/1.1\r\nHost: a\r\n\n", Bad);
}

#[test]
fn bodies() {
    const BODY: Outcome = Plain(true, true);
    check(post("Content-Length: 3\r\n"), BODY);
    check(post("Content-Length: 3 \r\n"), BODY);
    check(post("Content-Length: 0\r\n"), KEPT);
    check(post("Content-Length: 18446744073709551615\r\n"), BODY);
    check(post("Transfer-Encoding: gzip, chunked\r\n"), BODY);
    check(post("Transfer-Encoding: gzip\r\n"), BODY);
    check(post("Transfer-Encoding:\r\n"), BODY);
    for lines in [
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: x",
        "Content-Length:",
        "Content-Length: 1 1",
        "Content-Length: +1",
        "Content-Length: 18446744073709551616",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Transfer-Encoding: chunked, gzip",
    ] {
        check(post(&format!("{lines}\r\n")), Bad);
    }
}

#[test]
fn sizes_are_counted_as_node_counts() {
    // Counted: "/", "Host", "a", "X" and the value; 16383 bytes pass.
    check(get(&format!("X: {}\r\n", "a".repeat(16_376))), KEPT);
    check(get(&format!("X: {}\r\n", "a".repeat(16_377))), TooLarge);
    check(
        format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(16_400)),
        TooLarge,
    );
    check(format!("GET /{}", "a".repeat(17_000)), TooLarge);
    check(get(&format!("X: a{}\r\n", " ".repeat(17_000))), TooLarge);
    check(get(&format!("X: {}a\r\n", " ".repeat(8_000))), KEPT);
    check(get(&format!("X: {}a\r\n", " ".repeat(40_000))), TooLarge); // Node has no bound here
    check("\r\n".repeat(20_000), TooLarge);
    check(get(&"a:\r\n".repeat(1_999)), KEPT);
    check(get(&"a:\r\n".repeat(2_000)), TooLarge); // with Host, one too many
}

#[test]
fn parts_of_a_head() {
    let request = "\r\nGET /chat?x=1 HTTP/1.1\r\nHost: example\r\nCookie: a\r\ncookie:  b \r\nUpgrade: WebSocket\r\n\
                   Connection: Upgrade\r\n\r\n\x01\x00rest";
    let HeadStatus::Complete(head) = parse_head(request.as_bytes()) else {
        panic!("complete")
    };
    assert_eq!(&request[head.len..], "\x01\x00rest");
    assert!(head.is_upgrade && head.has_host && !head.has_body);
    assert_eq!(
        (head.method(), head.target(), head.version()),
        ("GET", "/chat?x=1", (1, 1))
    );
    assert_eq!(head.headers().count(), 5);
    assert_eq!(head.values("COOKIE").collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(head.headers().next(), Some(("Host", &b"example"[..])));
    assert!(head.raw().starts_with(b"GET ") && head.raw().ends_with(b"Upgrade\r\n\r\n"));

    let HeadStatus::Complete(head) = parse_head(b"GET / HTTP/1.1\r\n\r\n") else {
        panic!("complete")
    };
    assert!(!head.has_host);
}
