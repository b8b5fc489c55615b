//! The Sec-WebSocket-Extensions header (RFC 6455, section 9.1).
//!
//! Owns: [`parse_extensions`]. Called through `lib/extension.js`. Runs on: any.
//! One pass over the bytes; what is accepted is ASCII.
//! Tests: here, `__test__/unit/headers.test.js` (against ws), `fuzz/`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::token::{GrammarError, is_blank, is_token};

/// One element of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionOffer<'a> {
    /// The name of the extension.
    pub name: &'a str,
    /// Its parameters in their order, values unquoted; `None` for one without a value.
    pub params: Vec<(&'a str, Option<String>)>,
}

/// Reads a list of extensions with their parameters.
///
/// # Errors
/// Where the header leaves the grammar.
pub fn parse_extensions(header: &str) -> Result<Vec<ExtensionOffer<'_>>, GrammarError> {
    let mut reader = Reader { header, at: 0 };
    let mut offers = Vec::new();
    loop {
        let mut offer = ExtensionOffer {
            name: reader.token(b";,", !offers.is_empty())?,
            params: Vec::new(),
        };
        while reader.accept(b';') {
            let name = reader.token(b";,=", true)?;
            let value = if reader.accept(b'=') {
                Some(reader.value()?)
            } else {
                None
            };
            offer.params.push((name, value));
        }
        offers.push(offer);
        if !reader.accept(b',') {
            return Ok(offers);
        }
    }
}

struct Reader<'a> {
    header: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.header.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self) -> Result<T, GrammarError> {
        Err(match self.peek() {
            Some(_) => GrammarError::UnexpectedCharacter(self.at),
            None => GrammarError::UnexpectedEnd,
        })
    }

    fn accept(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn skip_while(&mut self, test: fn(u8) -> bool) {
        while self.peek().is_some_and(test) {
            self.at += 1;
        }
    }

    /// Blanks may surround a token, but not stand next to `=`.
    /// COMPAT(ws 8.23): nor at the very beginning.
    fn token(&mut self, terminators: &[u8], after_blanks: bool) -> Result<&'a str, GrammarError> {
        if after_blanks {
            self.skip_while(is_blank);
        }
        let start = self.at;
        self.skip_while(is_token);
        let Some(token) = self
            .header
            .get(start..self.at)
            .filter(|token| !token.is_empty())
        else {
            return self.fail();
        };
        match self.peek() {
            None => return Ok(token),
            Some(b'=') => {}
            Some(_) => {
                self.skip_while(is_blank);
                if matches!(self.peek(), None | Some(b'=')) {
                    return self.fail();
                }
            }
        }
        match self.peek() {
            Some(byte) if terminators.contains(&byte) => Ok(token),
            _ => self.fail(),
        }
    }

    /// A token, perhaps quoted.
    fn value(&mut self) -> Result<String, GrammarError> {
        if !self.accept(b'"') {
            return self.token(b";,", false).map(str::to_owned);
        }
        let mut value = String::new();
        while !self.accept(b'"') {
            self.accept(b'\\');
            match self.peek().filter(|byte| is_token(*byte)) {
                Some(byte) => value.push(char::from(byte)),
                None => return self.fail(),
            }
            self.at += 1;
        }
        if value.is_empty() {
            self.at -= 1;
            return self.fail();
        }
        let end = self.at;
        self.skip_while(is_blank);
        match self.peek() {
            Some(b';' | b',') => Ok(value),
            None if self.at == end => Ok(value),
            _ => self.fail(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_order() {
        let offers = parse_extensions("foo; a ;b=1, foo;c=\"\\x\", bar").unwrap();
        let param = |name, value: Option<&str>| (name, value.map(str::to_owned));
        let offer = |name, params| ExtensionOffer { name, params };
        assert_eq!(
            offers,
            [
                offer("foo", vec![param("a", None), param("b", Some("1"))]),
                offer("foo", vec![param("c", Some("x"))]),
                offer("bar", vec![]),
            ]
        );
    }

    #[test]
    fn faults_are_located() {
        for (header, expect) in [
            ("", GrammarError::UnexpectedEnd),
            (" foo", GrammarError::UnexpectedCharacter(0)),
            ("foo,", GrammarError::UnexpectedEnd),
            ("foo;a=\"", GrammarError::UnexpectedEnd),
            ("foo;a=\"\"", GrammarError::UnexpectedCharacter(7)),
            ("foo;a =1", GrammarError::UnexpectedCharacter(6)),
            ("foo ", GrammarError::UnexpectedEnd),
            ("foo é", GrammarError::UnexpectedCharacter(4)),
        ] {
            assert_eq!(parse_extensions(header), Err(expect), "{header:?}");
        }
    }
}
