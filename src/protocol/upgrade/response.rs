//! Answers that a listener gives without asking JavaScript, byte for byte as
//! Node's HTTP server and ws write them.
//!
//! Owns: the texts. Called by `conversation`. Runs on: any. Must never read a
//! clock: dates are arguments, in the form `Mon, 23 Nov 2026 09:54:38 GMT`.

/// For a head that is not HTTP, or not the kind that Node accepts.
pub(super) const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
/// For a head above the limits.
pub(super) const HEADERS_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n";
/// For a chunk of a body with extensions above the limit.
pub(super) const PAYLOAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\n\r\n";
/// For a request that waits to be told to go on; its own answer follows.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// For a head that does not arrive in time.
pub(super) const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/// ws's answer to a request that is not an upgrade. `with_body` is false for
/// HEAD requests.
#[must_use]
pub(super) fn upgrade_required(date: &str, keep_alive: bool, with_body: bool) -> Vec<u8> {
    let connection = connection(keep_alive);
    let body = if with_body { "Upgrade Required" } else { "" };
    format!(
        "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 16\r\nContent-Type: text/plain\r\n\
         Date: {date}\r\nConnection: {connection}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Node's answer to an HTTP/1.1 request with an expectation that it does not know.
#[must_use]
pub(super) fn expectation_failed(date: &str, keep_alive: bool, with_body: bool) -> Vec<u8> {
    let connection = connection(keep_alive);
    let body = empty_body(with_body);
    format!("HTTP/1.1 417 Expectation Failed\r\nDate: {date}\r\nConnection: {connection}\r\n{body}")
        .into_bytes()
}

/// Node's answer to an HTTP/1.1 request without a `Host` header. Upgrades are
/// not asked for one.
#[must_use]
pub(super) fn missing_host(date: &str, with_body: bool) -> Vec<u8> {
    let body = empty_body(with_body);
    format!("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nDate: {date}\r\n{body}").into_bytes()
}

fn connection(keep_alive: bool) -> &'static str {
    if keep_alive {
        "keep-alive\r\nKeep-Alive: timeout=5"
    } else {
        "close"
    }
}

/// The end of a head whose body has no length but is empty.
fn empty_body(with_body: bool) -> &'static str {
    if with_body {
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    } else {
        "\r\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Mon, 23 Nov 2026 09:54:38 GMT";

    fn check(response: &[u8], expect: &str) {
        assert_eq!(std::str::from_utf8(response), Ok(expect));
    }

    // The expectations are what Node 20 put on the wire.
    #[test]
    fn upgrade_required_as_node_writes_it() {
        check(
            &upgrade_required(DATE, true, true),
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 16\r\nContent-Type: text/plain\r\n\
             Date: Mon, 23 Nov 2026 09:54:38 GMT\r\nConnection: keep-alive\r\n\
             Keep-Alive: timeout=5\r\n\r\nUpgrade Required",
        );
        check(
            &upgrade_required(DATE, false, false),
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 16\r\nContent-Type: text/plain\r\n\
             Date: Mon, 23 Nov 2026 09:54:38 GMT\r\nConnection: close\r\n\r\n",
        );
    }

    #[test]
    fn missing_host_as_node_writes_it() {
        check(
            &missing_host(DATE, true),
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
             Date: Mon, 23 Nov 2026 09:54:38 GMT\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        );
    }

    #[test]
    fn expectation_failed_as_node_writes_it() {
        check(
            &expectation_failed(DATE, true, true),
            "HTTP/1.1 417 Expectation Failed\r\nDate: Mon, 23 Nov 2026 09:54:38 GMT\r\n\
             Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        );
        check(
            &expectation_failed(DATE, false, false),
            "HTTP/1.1 417 Expectation Failed\r\nDate: Mon, 23 Nov 2026 09:54:38 GMT\r\n\
             Connection: close\r\n\r\n",
        );
    }
}
