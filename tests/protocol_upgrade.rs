//! Requests, and what Node's HTTP server made of each of them: versions 20 and 24, which agree unless
//! a test says otherwise.

use ferrows_core::protocol::upgrade::{Conversation, Head, Llhttp, Rules, Turn, layout};

const DATE: &str = "Mon, 23 Nov 2026 09:54:38 GMT";

/// What matters about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Partial,
    /// Closed without an answer.
    Silent,
    Upgrade(Head, Vec<u8>),
    /// Status codes of the answers; whether the connection goes on.
    Answered(Vec<u16>, bool),
}
use Outcome::{Answered, Partial, Silent};

/// As all generations see it.
fn outcome(bytes: &[u8], size: usize) -> Outcome {
    let outcome = outcome_with(Llhttp::V6, bytes, size);
    assert_eq!(outcome_with(Llhttp::V9_3, bytes, size), outcome);
    assert_eq!(outcome_with(Llhttp::V9_4, bytes, size), outcome);
    outcome
}

/// Splits the bytes at each multiple of `size` and plays the listener.
fn outcome_with(llhttp: Llhttp, bytes: &[u8], size: usize) -> Outcome {
    let mut conversation = Conversation::new(Rules {
        llhttp,
        ..Rules::default()
    });
    let mut answers = Vec::new();
    for (index, chunk) in bytes.chunks(size).enumerate() {
        match conversation.handle_bytes(chunk, || DATE.to_owned(), &mut answers) {
            Turn::Waits => {}
            Turn::Over if answers.is_empty() => return Silent,
            Turn::Over => return Answered(status_codes(&answers), false),
            Turn::Upgrade { head, used } => {
                return Outcome::Upgrade(head, bytes[index * size + used..].to_vec());
            }
        }
    }
    if answers.is_empty() {
        Partial
    } else {
        Answered(status_codes(&answers), true)
    }
}

fn status_codes(answers: &[u8]) -> Vec<u16> {
    let text = std::str::from_utf8(answers).expect("answers are ASCII");
    let lines = text.split("HTTP/1.1 ").skip(1);
    lines
        .map(|answer| answer[..3].parse().expect("a number"))
        .collect()
}

fn check(bytes: impl AsRef<[u8]>, expect: Outcome) {
    check_with(Llhttp::V6, bytes.as_ref(), &expect);
    check_with(Llhttp::V9_3, bytes.as_ref(), &expect);
    check_with(Llhttp::V9_4, bytes.as_ref(), &expect);
}

/// Gives the bytes whole, in pieces and one by one.
fn check_with(llhttp: Llhttp, bytes: &[u8], expect: &Outcome) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    for size in [bytes.len().max(1), 7, 2, 1] {
        let actual = outcome_with(llhttp, bytes, size);
        assert_eq!(&actual, expect, "{llhttp:?}, {size} at a time: {shown:?}");
    }
}

fn kept() -> Outcome {
    Answered(vec![426], true)
}

fn closed() -> Outcome {
    Answered(vec![426], false)
}

fn bad() -> Outcome {
    Answered(vec![400], false)
}

fn too_large() -> Outcome {
    Answered(vec![431], false)
}

fn check_upgrade(bytes: &str) -> Head {
    let head = check_upgrade_with(Llhttp::V6, bytes);
    assert_eq!(check_upgrade_with(Llhttp::V9_3, bytes), head);
    assert_eq!(check_upgrade_with(Llhttp::V9_4, bytes), head);
    head
}

fn check_upgrade_with(llhttp: Llhttp, bytes: &str) -> Head {
    let Outcome::Upgrade(head, rest) = outcome_with(llhttp, bytes.as_bytes(), bytes.len()) else {
        panic!(
            "{llhttp:?}, an upgrade: {:?}",
            bytes.get(..200).unwrap_or(bytes)
        );
    };
    let expect = Outcome::Upgrade(head.clone(), rest);
    check_with(llhttp, bytes.as_bytes(), &expect);
    head
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
    check(get(""), kept());
    check(get("Connection: close\r\n"), closed());
    check(get("connection: foo , CLOSE\r\n"), closed());
    check("GET / HTTP/1.0\r\n\r\n", closed());
    check("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", kept());
    check("GET / HTTP/0.9\r\n\r\n", closed());
    check("GET / HTTP/2.0\r\n\r\n", closed());
    check("GET /\r\nHost: a\r\n\r\n", closed());
}

#[test]
fn upgrades_need_two_headers() {
    check_upgrade(&get("Connection: upgrade\r\nUpgrade: x\r\n"));
    check_upgrade("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    check_upgrade(&get("Connection: keep-alive, Upgrade\r\nUpgrade: x\r\n"));
    check_upgrade(&get("Connection: foo,Upgrade ,bar\r\nUpgrade: x\r\n"));
    check_upgrade(&get(
        "Connection: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n",
    ));
    check_upgrade(&get("Connection: close, upgrade\r\nUpgrade: x\r\n"));
    check(get("Connection: upgraded\r\nUpgrade: x\r\n"), kept());
    check(get("Connection: foo upgrade\r\nUpgrade: x\r\n"), kept());
    check(get("Connection: upgrade\r\nUpgrade:\r\n"), kept());
    check(get("Connection: upgrade\r\n"), kept());
    check(get("Upgrade: websocket\r\n"), kept());
    check_upgrade(&post(
        "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n",
    ));
}

#[test]
fn request_lines() {
    check("\r\n\n\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", kept());
    for line in [
        "GET  /  HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://a/b HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http://a@b@c:d?/ HTTP/1.1",
        "GET /\"<>\\^`{|}#a#b HTTP/1.1",
        "OPTIONS / RTSP/1.1",
        "SOURCE / ICE/1.1",
    ] {
        check(format!("{line}\r\nHost: a\r\n\r\n"), kept());
    }
    for line in [
        "PRI /",
        "SETUP /",
        "GET /\n",
        "GET / HTTP/0.9",
        "SETUP / RTSP/1.0",
    ] {
        check(format!("{line}\r\n\r\n"), closed());
    }
    check("CONNECT a:1 HTTP/1.1\r\n\r\n", Silent);
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
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET http://a@@b HTTP/1.1\r\n",
        "GET http://a#b HTTP/1.1\r\n",
        "GET http:/a HTTP/1.1\r\n",
        "GET a1://b HTTP/1.1\r\n",
        "GET / RTS/1.1\r\n",
        "GET / ICE/1.1\r\n",
        "SETUP / HTTP/1.1\r\n",
    ] {
        check(format!("{line}Host: a\r\n\r\n"), bad());
    }
}

#[test]
fn garbage_is_refused_at_its_first_byte() {
    check("\x16\x03\x01", bad()); // a TLS hello
    check("garb", bad());
    check("GETS", bad());
    check("GET / HTTP/1.1\r\nHost ", bad());
    check("GET / HTTP/1.1\r\nHost: a\0", bad());
    check("GET / HTTP/1.1\r\n ", bad());
    check("GET / HTTP/1.1\r\nHost: a\rb", bad());
    check("GET / HTTP/1.1\r\nHost: a\r\n\rX", bad());
    check("", Partial);
    check("GE", Partial);
    check("GET / HTTP/1.1\r\nHost: a\r\n\r", Partial);
}

#[test]
fn header_lines() {
    check(get("X: a\tb\r\n"), kept());
    check(
        [get("X: a").trim_end().as_bytes(), b"\xff\r\n\r\n"].concat(),
        kept(),
    );
    check(get("X:\r\nY:   \r\n"), kept());
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
        check(get(&format!("{line}\r\n")), bad());
    }
    check("GET / HTTP/1.1\r\nHost: a\r\n\n", bad());
}

#[test]
fn bodies_are_skipped() {
    let next = get("");
    let both = || Answered(vec![426, 426], true);
    let then = |lines: &str, body: &str| format!("{}{body}{next}", post(lines));
    check(then("Content-Length: 3\r\n", "abc"), both());
    check(then("Content-Length: 3 \r\n", "\r\n\r"), both());
    check(then("Content-Length: 0\r\n", ""), both());
    check(post("Content-Length: 18446744073709551615\r\n"), kept());
    let chunked = "Transfer-Encoding: gzip, chunked\r\n";
    check(then(chunked, "3\r\nabc\r\n0\r\n\r\n"), both());
    check(
        then(chunked, "1;a;b=c;d=\"\\\"\"\r\nx\r\n0\r\nA: b\r\n\r\n"),
        both(),
    );
    check(
        then(chunked, "0\r\nConnection: close\r\n\r\n\r\n").trim_end_matches(&next),
        kept(),
    );
    // Nobody could tell where these end.
    check(post("Transfer-Encoding: gzip\r\nX: a\r\n"), closed());
    for body in [
        "x",
        "3\r\nabcd",
        "3\n",
        "3 \r\n",
        "3; a\r\n",
        "3;a=\"\n",
        "11111111111111111",
    ] {
        let bytes = format!("{}{body}", post(chunked));
        let mut conversation = Conversation::new(Rules::default());
        let mut answers = Vec::new();
        let head = &bytes.as_bytes()[..bytes.len() - body.len()];
        let date = || DATE.to_owned();
        assert_eq!(
            conversation.handle_bytes(head, date, &mut answers),
            Turn::Waits
        );
        answers.clear();
        let turn = conversation.handle_bytes(body.as_bytes(), date, &mut answers);
        assert_eq!(
            (turn, status_codes(&answers)),
            (Turn::Over, vec![400]),
            "{body:?}"
        );
    }
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
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        check(post(&format!("{lines}\r\n")), bad());
    }
}

#[test]
fn sizes_are_counted_as_node_counts() {
    // Counted: "/", "Host", "a", "X" and the value; 16383 bytes pass.
    check(get(&format!("X: {}\r\n", "a".repeat(16_376))), kept());
    check(get(&format!("X: {}\r\n", "a".repeat(16_377))), too_large());
    check(format!("GET /{} ", "a".repeat(17_000)), too_large());
    check(get(&format!("X: a{}\r\n", " ".repeat(17_000))), too_large());
    check(get(&format!("X: {}a\r\n", " ".repeat(40_000))), kept());
    check("\r\n".repeat(20_000), Partial);
    let spaced = format!("GET{}/ HTTP/1.1\r\nHost: a\r\n\r\n", " ".repeat(40_000));
    check(spaced, kept());

    // A digit that is too much is counted; trailers are, until the next request.
    let length = "Content-Length: 18446744073709551616\r\n"; // 34 bytes
    let filled = |size: usize| get(&format!("X: {}\r\n{length}", "a".repeat(size)));
    check(filled(16_376 - 34), bad());
    check(filled(16_377 - 34), too_large());
    let chunked = post("Transfer-Encoding: chunked\r\n");
    let trailer = |size: usize| format!("{chunked}0\r\nX: {}\r\n\r\n", "a".repeat(size));
    check(trailer(16_382), kept());
    let long = trailer(16_383);
    assert_eq!(
        outcome(long.as_bytes(), 100),
        Answered(vec![426, 431], false)
    );
    let next = get(&format!("X: {}\r\n", "a".repeat(16_376)));
    check(trailer(1_000) + &next, Answered(vec![426, 426], true));
}

#[test]
fn a_size_is_looked_at_when_a_part_ends_and_when_what_arrived_does() {
    let long = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(16_400));
    assert_eq!(outcome(long.as_bytes(), 16_000), too_large());
    assert_eq!(outcome(long.as_bytes(), long.len()), too_large());
    let name = format!("GET / HTTP/1.1\r\n{}(", "a".repeat(16_400));
    assert_eq!(outcome(name.as_bytes(), name.len()), bad());
    assert_eq!(outcome(name.as_bytes(), name.len() - 1), too_large());
}

#[test]
fn expectations() {
    let expect = |value: &str| get(&format!("Expect: {value}\r\n"));
    check(expect("100-continue"), Answered(vec![100, 426], true));
    check(expect("a, 100-Continue; b"), Answered(vec![100, 426], true));
    check(
        expect("a\r\nExpect: 100-continue"),
        Answered(vec![100, 426], true),
    );
    check(expect("a100-continue"), Answered(vec![417], true));
    check(expect("100-continue_"), Answered(vec![417], true));
    check(expect(""), Answered(vec![417], true));
    check(expect("a\r\nConnection: close"), Answered(vec![417], false));
    check("GET / HTTP/1.0\r\nExpect: a\r\n\r\n", closed());
}

#[test]
fn what_follows_an_answer() {
    let later = |first: &str, second: &str| {
        let mut conversation = Conversation::new(Rules::default());
        let mut answers = Vec::new();
        let date = || DATE.to_owned();
        let turn = conversation.handle_bytes(first.as_bytes(), date, &mut answers);
        assert_eq!(turn, Turn::Waits);
        answers.clear();
        let turn = conversation.handle_bytes(second.as_bytes(), date, &mut answers);
        (turn, status_codes(&answers))
    };
    assert_eq!(later(&get(""), &get("")), (Turn::Waits, vec![426]));
    assert_eq!(later(&get(""), "garbage"), (Turn::Over, vec![400]));
    // What is being answered is not interrupted.
    assert_eq!(outcome(format!("{}x", get("")).as_bytes(), 1000), closed());
    assert_eq!(
        outcome(format!("{}{}x", get(""), get("")).as_bytes(), 1000),
        closed()
    );
    // Only the last request counts, and what waits behind the first answer is dropped.
    let preface = "PRI /\r\nConnection: keep-alive\r\n\r\n";
    check(preface, closed());
    assert_eq!(outcome((get("") + preface).as_bytes(), 1000), closed());
    assert_eq!(
        outcome((preface.to_owned() + &get("")).as_bytes(), 1000),
        Answered(vec![426, 426], true)
    );
    let two = format!(
        "{}{}rest",
        get(""),
        get("Connection: upgrade\r\nUpgrade: x\r\n")
    );
    let Outcome::Upgrade(_, rest) = outcome(two.as_bytes(), 1000) else {
        panic!("an upgrade");
    };
    assert_eq!(rest, b"rest");
}

#[test]
fn ends_and_timeouts() {
    let play = |bytes: &str| {
        let mut conversation = Conversation::new(Rules::default());
        let date = || DATE.to_owned();
        let turn = conversation.handle_bytes(bytes.as_bytes(), date, &mut Vec::new());
        assert_eq!(turn, Turn::Waits);
        let (mut end, mut timeout) = (Vec::new(), Vec::new());
        conversation.clone().handle_end(&mut end);
        conversation.handle_timeout(&mut timeout);
        (status_codes(&end), status_codes(&timeout))
    };
    assert_eq!(play(""), (vec![], vec![408]));
    assert_eq!(play("\r\n"), (vec![], vec![408]));
    assert_eq!(play("GE"), (vec![400], vec![408]));
    assert_eq!(play(&get("")), (vec![], vec![]));
    assert_eq!(play(&format!("{}G", get(""))), (vec![400], vec![408]));
    assert_eq!(play(&post("Content-Length: 5\r\n")), (vec![400], vec![408]));
}

#[test]
fn parts_of_a_head() {
    let request = "\r\nGET  /chat?x=1 HTTP/1.1\r\nHost: example\r\nCookie: a\r\ncookie:  b \t\r\nE:\r\n\
                   Upgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n\x01\x00rest";
    let head = check_upgrade(request);
    let Outcome::Upgrade(_, rest) = outcome(request.as_bytes(), 5) else {
        panic!("an upgrade");
    };
    assert_eq!(rest, b"\x01\x00rest");
    assert_eq!(
        (head.method(), head.target(), head.version()),
        (&b"GET"[..], &b"/chat?x=1"[..], (1, 1))
    );
    let headers: Vec<_> = head.headers().collect();
    assert_eq!(headers.len(), 6);
    assert_eq!(headers[0], (&b"Host"[..], &b"example"[..]));
    assert_eq!(headers[3], (&b"E"[..], &b""[..]));
    assert_eq!(head.values(b"COOKIE").collect::<Vec<_>>(), [b"a", b"b"]);
}

#[test]
fn other_blanks_stay_in_a_value() {
    let lines = "Connection: upgrade\r\nUpgrade: x\r\nOrigin: ";
    let bytes = [get(lines).trim_end().as_bytes(), b" a\xa0\t \r\n\r\n"].concat();
    let Outcome::Upgrade(head, _) = outcome(&bytes, 1000) else {
        panic!("an upgrade");
    };
    assert_eq!(head.values(b"origin").collect::<Vec<_>>(), [b"a\xa0"]);
}

#[test]
fn headers_above_nodes_number_are_dropped_or_too_many() {
    let upgrade = "Connection: upgrade\r\nUpgrade: x\r\n";
    let many = get(&format!("{}{upgrade}", "a:\r\n".repeat(1_400)));
    let head = check_upgrade_with(Llhttp::V9_3, &many);
    assert_eq!(head.headers().count(), 1_023);
    assert_eq!(head.values(b"a").count(), layout::MAX_PARSED - 1); // the other is Host
    check_with(Llhttp::V9_4, many.as_bytes(), &too_large());

    check_upgrade(&get(&format!("{upgrade}{}", "a:\r\n".repeat(997))));
    let one_more = get(&format!("{upgrade}{}", "a:\r\n".repeat(998)));
    check_with(Llhttp::V9_4, one_more.as_bytes(), &too_large());
    // Trailers are not counted.
    let trailers = "a:\r\n".repeat(1_400);
    let chunked = post("Transfer-Encoding: chunked\r\n");
    check(format!("{chunked}0\r\n{trailers}\r\n"), kept());
}

#[test]
fn a_host_is_asked_for_by_newer_nodes() {
    let request = b"GET / HTTP/1.1\r\n\r\n";
    check_with(Llhttp::V6, request, &kept());
    check_with(Llhttp::V9_3, request, &bad());
    check_with(Llhttp::V9_4, request, &bad());
    check("GET / HTTP/1.0\r\n\r\n", closed());
}

#[test]
fn tabs_after_words_with_a_meaning() {
    for (lines, old, new) in [
        ("Content-Length: 0\t\r\n", bad(), kept()),
        ("Content-Length: 0 \t \r\n", bad(), kept()),
        ("Connection: close\t\r\n", kept(), closed()),
        ("Connection: close\t, x\r\n", kept(), closed()),
        ("Connection: close\tx\r\n", kept(), kept()),
    ] {
        check_with(Llhttp::V9_3, get(lines).as_bytes(), &old);
        check_with(Llhttp::V9_4, get(lines).as_bytes(), &new);
    }
    check(
        get("Content-Length:\t0\r\nConnection:\tclose\r\n"),
        closed(),
    );
    // Another coding, so that the length is not known.
    let chunked = get("Transfer-Encoding: chunked\t\r\n") + "0";
    check(chunked, Answered(vec![426], false));
}

#[test]
fn an_empty_transfer_encoding() {
    for lines in ["Transfer-Encoding:\r\n", "Transfer-Encoding: \t\r\n"] {
        check_with(Llhttp::V9_3, get(lines).as_bytes(), &kept());
        check_with(Llhttp::V9_4, get(lines).as_bytes(), &bad());
    }
}

#[test]
fn a_block_describes_a_head() {
    let head = check_upgrade("GET /a HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let block = head.describe();
    let word = |index: usize| {
        let at = index * layout::WORD_BYTES;
        u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes")) as usize
    };
    assert_eq!((word(layout::MAJOR), word(layout::MINOR)), (1, 0));
    assert_eq!(word(layout::COUNT), 2);
    let text = &block[(layout::HEADERS + 4) * layout::WORD_BYTES..];
    assert_eq!(&text[..word(layout::METHOD)], b"GET");
    assert_eq!(&text[word(layout::METHOD)..word(layout::TARGET)], b"/a");
    let mut from = word(layout::TARGET);
    let parts = (layout::HEADERS..layout::HEADERS + 4).map(|index| {
        let part = &text[from..word(index)];
        from = word(index);
        std::str::from_utf8(part).expect("ASCII")
    });
    assert_eq!(
        parts.collect::<Vec<_>>(),
        ["Connection", "upgrade", "Upgrade", "x"]
    );
    assert_eq!(from, text.len());
}
