//! nginx's `log_format`: a text with variables, whose values are escaped so that no client can forge a line.

use config::settings::LogEscape;
use config::vars::Vars;

/// What stands for a variable without a value.
const NO_VALUE: u8 = b'-';

/// A compiled format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineFormat {
    pieces: Box<[Piece]>,
    escape: LogEscape,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(Box<str>),
    Variable(Box<str>),
}

impl LineFormat {
    /// Every text is a format: a dollar before something that is no name is a dollar.
    pub fn new(source: &str, escape: LogEscape) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            match variable(after) {
                None => {
                    literal.push('$');
                    rest = after;
                }
                Some((name, after)) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
                    }
                    pieces.push(Piece::Variable(name.into()));
                    rest = after;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        Self { pieces: pieces.into(), escape }
    }

    /// The names of the variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(&**name),
            Piece::Literal(_) => None,
        })
    }

    /// Appends the line, without its end.
    pub fn write(&self, vars: &dyn Vars, line: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => line.extend_from_slice(text.as_bytes()),
                Piece::Variable(name) => match (vars.var(name).to_text(), self.escape) {
                    (Some(value), LogEscape::Default) => escape_default(value.as_bytes(), line),
                    (Some(value), LogEscape::Json) => escape_json(&value, line),
                    (Some(value), LogEscape::None) => line.extend_from_slice(value.as_bytes()),
                    (None, LogEscape::Default) => line.push(NO_VALUE),
                    (None, LogEscape::Json | LogEscape::None) => {}
                },
            }
        }
    }
}

/// `name` or `{name}`, and what comes after it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = |text: &str| text.bytes().take_while(is_part).count();
    let (name, after) = match text.strip_prefix('{') {
        Some(braced) => {
            let (name, after) = braced.split_at(length(braced));
            (name, after.strip_prefix('}')?)
        }
        None => text.split_at(length(text)),
    };
    (!name.is_empty()).then_some((name, after))
}

/// Quotes, backslashes, control characters and what is not ASCII become `\xHH`.
fn escape_default(value: &[u8], line: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in value {
        match byte {
            b'"' | b'\\' | ..0x20 | 0x7f.. => {
                let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
                line.extend_from_slice(&[b'\\', b'x', high, low]);
            }
            _ => line.push(byte),
        }
    }
}

/// As between the quotes of a JSON text.
fn escape_json(value: &str, line: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0x08 => line.extend_from_slice(b"\\b"),
            0x0c => line.extend_from_slice(b"\\f"),
            ..0x20 => line.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            _ => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use config::vars::Var;

    use super::*;

    struct Values(HashMap<&'static str, &'static str>);

    impl Vars for Values {
        fn var(&self, name: &str) -> Var<'_> {
            self.0.get(name).map_or(Var::Nil, |value| Var::Text((*value).into()))
        }
    }

    fn line(format: &str, escape: LogEscape) -> String {
        let values = Values(HashMap::from([("a", "1"), ("empty", ""), ("odd", "x\"\\\n\u{1}\u{e9}\u{7f}")]));
        let mut line = Vec::new();
        LineFormat::new(format, escape).write(&values, &mut line);
        String::from_utf8(line).expect("text")
    }

    #[test]
    fn variables_stand_where_nginx_has_them() {
        let rows = [
            ("$a - $b [${a}b] $a.x", "1 - - [1b] 1.x"),
            ("\"$empty\"", "\"\""),
            ("100$ ${a $$a {a}", "100$ ${a $1 {a}"),
            ("", ""),
        ];
        for (format, expected) in rows {
            assert_eq!(line(format, LogEscape::Default), expected, "{format}");
        }
    }

    #[test]
    fn values_are_escaped_so_that_they_stay_on_their_line() {
        assert_eq!(line("$odd", LogEscape::Default), "x\\x22\\x5C\\x0A\\x01\\xC3\\xA9\\x7F");
        assert_eq!(
            line("{\"v\":\"$odd\",\"b\":\"$b\"}", LogEscape::Json),
            "{\"v\":\"x\\\"\\\\\\n\\u0001\u{e9}\u{7f}\",\"b\":\"\"}"
        );
        assert_eq!(line("$odd$b", LogEscape::None), "x\"\\\n\u{1}\u{e9}\u{7f}");
    }
}
