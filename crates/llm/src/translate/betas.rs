//! Previews of Anthropic's models: a header at Anthropic itself, the list `anthropic_beta` in bodies at the clouds.

use crate::dialect::BETAS;
use crate::json::{ArrayWriter, Raw};
use crate::model::{Json, Request, Text};

/// Takes out the list in which clients of the clouds ask for previews, as the header has it.
pub(super) fn take(request: &mut Request<'_>) -> Option<String> {
    let (_, betas) = take_list(request)?;
    let names: Vec<_> = betas.raw().elements().filter_map(Raw::text).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// Takes out the list with its name.
pub(super) fn take_list<'a>(request: &mut Request<'a>) -> Option<(Text<'a>, Json<'a>)> {
    let at = request.extras.0.iter().position(|(name, _)| name == BETAS)?;
    Some(request.extras.0.remove(at))
}

/// Puts the names in `header` into the list, unless there is one.
pub(super) fn add(request: &mut Request<'_>, header: &str) {
    let mut names = header.split(',').map(str::trim).filter(|name| !name.is_empty()).peekable();
    if names.peek().is_none() || request.extras.get(BETAS).is_some() {
        return;
    }
    let mut list = Vec::new();
    let mut written = ArrayWriter::new(&mut list);
    names.for_each(|name| written.string(name));
    drop(written);
    request.extras.0.push((BETAS.into(), Json::owned(list)));
}
