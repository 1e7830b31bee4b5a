//! What a provider does not take, though its dialect has words for it, is taken out of a request before it is written.
//!
//! Providers of OpenAI's chat dialect that check strictly refuse a request for one field that they do not know. Which
//! these are stands in the provider's row ([`Quirks::refuses`](crate::dialect::Quirks)).

use crate::dialect::Refused;
use crate::model::{Feature, Losses, Part, PartBody, Request, ToolBody};

/// Takes out what the provider `refuses`, and tells.
pub(super) fn leave_out(request: &mut Request<'_>, refuses: &[Refused], losses: &mut Losses) {
    for refused in refuses {
        match refused {
            Refused::Penalties => {
                losses.lose_some(Feature::FrequencyPenalty, request.frequency_penalty.take().as_ref());
                losses.lose_some(Feature::PresencePenalty, request.presence_penalty.take().as_ref());
            }
            Refused::StrictTools => leave_out_strictness(request, losses),
            Refused::EndUser => losses.lose_some(Feature::EndUser, request.end_user.take().as_ref()),
            Refused::LogitBias => losses.lose_some(Feature::LogitBias, request.logit_bias.take().as_ref()),
            Refused::ServiceTier => {
                let tier = request.service_tier.take().filter(|tier| tier != "auto");
                losses.lose_some(Feature::ServiceTier, tier.as_ref());
            }
            Refused::Verbosity => losses.lose_some(Feature::Verbosity, request.verbosity.take().as_ref()),
            Refused::TurnNames => {
                for turn in &mut request.turns {
                    losses.lose_some(Feature::TurnName, turn.name.take().as_ref());
                }
            }
            Refused::Refusals => tell_refusals_as_text(request, losses),
        }
    }
}

fn leave_out_strictness(request: &mut Request<'_>, losses: &mut Losses) {
    for tool in &mut request.tools {
        if let ToolBody::Function(function) = &mut tool.body {
            losses.lose_some(Feature::StrictTools, function.strict.take().filter(|strict| *strict).as_ref());
        }
    }
}

fn tell_refusals_as_text(request: &mut Request<'_>, losses: &mut Losses) {
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if let PartBody::Refusal(text) = &mut part.body {
            losses.lose(Feature::Refusal);
            part.body = Part::text(std::mem::take(text)).body;
        }
    }
}
