//! Previews of Anthropic's models: a header at Anthropic itself, the list `anthropic_beta` in bodies at the clouds.

use crate::dialect::{BETAS, InvokeFamily};
use crate::json::{ArrayWriter, Raw};
use crate::model::{Json, Losses, Request, Text};

/// What the user guide of Amazon Bedrock names. It refuses a request for any name that it does not know, and clients
/// such as Claude Code ask Anthropic for more.
const AT_BEDROCK: [&str; 8] = [
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "token-efficient-tools-2025-02-19",
    "output-128k-2025-02-19",
    "interleaved-thinking-2025-05-14",
    "fine-grained-tool-streaming-2025-05-14",
    "context-management-2025-06-27",
    "context-1m-2025-08-07",
];

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

/// Puts the names in `header` that Bedrock knows into the list, unless there is one, and tells the others. No other
/// model than Claude is asked for any.
pub(super) fn add(request: &mut Request<'_>, header: &str) -> Losses {
    let mut left_out = Losses::default();
    if request.extras.get(BETAS).is_some() {
        return left_out;
    }
    let reads_any = request.model.as_deref().and_then(InvokeFamily::of_model) == Some(InvokeFamily::Anthropic);
    let mut list = Vec::new();
    let mut written = ArrayWriter::new(&mut list);
    for name in header.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match reads_any && AT_BEDROCK.contains(&name) {
            true => written.string(name),
            false => left_out.lose_field(name),
        }
    }
    drop(written);
    if list != b"[]" {
        request.extras.0.push((BETAS.into(), Json::owned(list)));
    }
    left_out
}
