//! Texts with variables in them: `$name`, `${name}`, `${name ?? default}`. A template is compiled once into
//! segments and rendered per request. Invariant: what a variable's value contains is never read as a template
//! again. Called by plugins with templated fields, by log formats and by the balancer's combined hash keys.

use crate::vars::Vars;

#[cfg(test)]
mod tests;

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    segments: Box<[Segment]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Variable { name: Box<str>, default: Option<Box<str>> },
    Capture(usize),
}

/// What `$1` means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Digits {
    Name,
    Capture,
}

impl Template {
    /// Compiles a template in which `$1` is a variable named `1`. Every text is a template: a `$` before
    /// something that is no name is a dollar, and `\$` is kept as written (both characters), as APISIX does.
    pub fn new(source: &str) -> Self {
        Self::compile(source, Digits::Name)
    }

    /// Compiles a template in which `$1` and `${1}` are groups of a regular expression's match.
    pub fn with_captures(source: &str) -> Self {
        Self::compile(source, Digits::Capture)
    }

    /// Appends the rendered text. Returns how many variables had a value or a default: some plugins treat a
    /// key with none as missing. An unknown variable without default is empty.
    pub fn render(&self, vars: &dyn Vars, out: &mut String) -> usize {
        self.render_with_captures(vars, &|_| None, out)
    }

    /// As [`Template::render`], with the groups of a match by number. A missing group is empty; groups do not
    /// count as variables.
    pub fn render_with_captures<'c>(
        &self,
        vars: &dyn Vars,
        group: &dyn Fn(usize) -> Option<&'c str>,
        out: &mut String,
    ) -> usize {
        let mut resolved = 0;
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Capture(number) => out.push_str(group(*number).unwrap_or_default()),
                Segment::Variable { name, default } => {
                    if let Some(text) = vars.var(name).to_text() {
                        out.push_str(&text);
                        resolved += 1;
                    } else if let Some(text) = default {
                        out.push_str(text);
                        resolved += 1;
                    }
                }
            }
        }
        resolved
    }

    /// The rendered text alone.
    pub fn render_to_string(&self, vars: &dyn Vars) -> String {
        let mut out = String::new();
        self.render(vars, &mut out);
        out
    }

    /// `true` if every rendering gives the same text.
    pub fn is_literal(&self) -> bool {
        self.as_literal().is_some()
    }

    /// The text, if it has no variables.
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.segments {
            [] => Some(""),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The names of the variables, in order, repeated as they are.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable { name, .. } => Some(&**name),
            Segment::Literal(_) | Segment::Capture(_) => None,
        })
    }

    fn compile(source: &str, digits: Digits) -> Self {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(dollar) = rest.find('$') {
            let (before, from_dollar) = rest.split_at(dollar);
            literal.push_str(before);
            let after = &from_dollar[1..];
            // The character before the dollar may stand in an earlier piece: `literal` has seen them all, and a
            // segment boundary is never a backslash.
            let escaped = literal.ends_with('\\');
            match (!escaped).then(|| reference(after, digits)).flatten() {
                Some((segment, after)) => {
                    if !literal.is_empty() {
                        segments.push(Segment::Literal(std::mem::take(&mut literal).into()));
                    }
                    segments.push(segment);
                    rest = after;
                }
                None => {
                    literal.push('$');
                    rest = after;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal.into()));
        }
        Self { segments: segments.into() }
    }
}

/// Reads what follows a `$`; returns the segment and the text behind it.
fn reference(text: &str, digits: Digits) -> Option<(Segment, &str)> {
    if let Some(inner) = text.strip_prefix('{') {
        let (inner, after) = inner.split_once('}')?;
        let (name, default) = match inner.split_once("??") {
            Some((name, default)) => (name.trim(), Some(default.trim())),
            None => (inner.trim(), None),
        };
        if name.is_empty() {
            return None;
        }
        let segment = match (digits, name.parse()) {
            (Digits::Capture, Ok(number)) => Segment::Capture(number),
            _ => Segment::Variable { name: name.into(), default: default.map(Into::into) },
        };
        return Some((segment, after));
    }
    if digits == Digits::Capture && text.starts_with(|c: char| c.is_ascii_digit()) {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        return Some((Segment::Capture(text[..end].parse().ok()?), &text[end..]));
    }
    let end = text.find(|c: char| !is_name_character(c)).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() || (after.starts_with("://") && is_secret_scheme(name)) {
        return None;
    }
    Some((Segment::Variable { name: name.into(), default: None }, after))
}

/// `$env://…` and `$secret://…` are no variables: those that could be resolved are gone before a template is compiled.
fn is_secret_scheme(name: &str) -> bool {
    name.eq_ignore_ascii_case("env") || name == "secret"
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}
