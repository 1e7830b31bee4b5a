//! Thoughts that one provider of this dialect made, on their way to another.
//!
//! Each provider has its own field for thoughts ([`reasoning`](super::reasoning)), and strict ones refuse the others'.
//! A thought's mark tells where it was told; here it becomes the mark of the field that the asked provider knows.
//! Called by the translation of requests, before they are written.

use super::reasoning::Home;
use crate::dialect::{Dialect, ThoughtField};
use crate::model::{Feature, Losses, PartBody, Reasoning, Request, Signature};

/// Moves the thoughts of `request` to `field`, and leaves out what has no place there.
pub(crate) fn move_thoughts(request: &mut Request<'_>, field: ThoughtField, losses: &mut Losses) {
    let (home, keeps_signatures) = match field {
        ThoughtField::AsTold => return,
        ThoughtField::ReasoningContent => (Some(Home::ReasoningContent), false),
        ThoughtField::Reasoning => (Some(Home::Reasoning), false),
        ThoughtField::Parts => (Some(Home::Thinking), false),
        ThoughtField::Signatures => (None, true),
        ThoughtField::Nowhere => (None, false),
    };
    for turn in &mut request.turns {
        turn.parts.retain_mut(|part| match &mut part.body {
            PartBody::Reasoning(thought) if keeps_signatures && Home::of_part(thought) == Some(Home::Call) => true,
            PartBody::Reasoning(thought) => move_thought(thought, home, losses),
            PartBody::ToolCall(call) => {
                if !keeps_signatures {
                    leave_out(&mut call.signature, losses);
                }
                true
            }
            PartBody::Text { signature, .. } => {
                if !keeps_signatures {
                    leave_out(signature, losses);
                }
                true
            }
            PartBody::Media(_) | PartBody::ToolResult(_) | PartBody::Refusal(_) | PartBody::Opaque(_) => true,
        });
    }
}

/// Gives `thought` the mark of `home`; `false` if nothing of it stays. What no chat provider
/// made is the writer's to tell.
fn move_thought(thought: &mut Reasoning<'_>, home: Option<Home<'static>>, losses: &mut Losses) -> bool {
    let Some(told_in) = Home::of_part(thought) else { return true };
    match told_in {
        Home::ReasoningContent | Home::Reasoning | Home::Thinking => {}
        Home::Detail(_) | Home::Call => losses.lose(Feature::ReasoningSignature),
    }
    if thought.text.is_empty() {
        return false;
    }
    thought.encrypted = None;
    thought.signature = home.map(Home::mark);
    if home.is_none() {
        losses.lose(Feature::Reasoning);
    }
    home.is_some()
}

/// Takes out a signature that Google's models want back.
fn leave_out(signature: &mut Option<Signature<'_>>, losses: &mut Losses) {
    if signature.as_ref().is_some_and(|proof| proof.native(Dialect::OpenAiChat).is_some()) {
        *signature = None;
        losses.lose(Feature::ReasoningSignature);
    }
}
