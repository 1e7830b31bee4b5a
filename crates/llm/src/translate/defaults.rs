//! Values that say what happens anyway: leaving them out loses nothing, and no request is refused for them.
//!
//! Clients that keep nothing at OpenAI send `"store": false` with every request, and some SDKs write every default out.

use crate::dialect::Dialect;
use crate::model::{Feature, Json, ReasoningRequest, Request};

/// Longer values are no defaults.
const MOST_BYTES: usize = 64;

/// Fields that the model does not know, and what their provider takes where nothing is said.
const DEFAULTS: [(&str, &str); 11] = [
    ("store", "false"),
    ("background", "false"),
    ("truncation", r#""disabled""#),
    ("modalities", r#"["text"]"#),
    ("generationConfig.responseModalities", r#"["TEXT"]"#),
    ("performanceConfig", r#"{"latency":"standard"}"#),
    ("safety_mode", r#""CONTEXTUAL""#),
    ("citation_options", r#"{"mode":"ENABLED"}"#),
    ("strict_tools", "false"),
    ("priority", "0"),
    ("eager_input_streaming", "false"),
];

/// `true` if the field `name` with this value is as good as none.
pub(super) fn is_default(name: &str, value: &Json<'_>) -> bool {
    let usual = DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, usual)| *usual);
    usual.is_some_and(|usual| value.bytes().len() <= MOST_BYTES && without_blanks(value.bytes()) == usual.as_bytes())
}

/// JSON without what stands between its tokens; none of the defaults has a blank in a text.
fn without_blanks(json: &[u8]) -> Vec<u8> {
    json.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// Takes out what is as good as unsaid. `carried` is what the target has words for.
pub(super) fn leave_unsaid(request: &mut Request<'_>, carried: &[Feature]) {
    request.metadata = request.metadata.take().filter(|metadata| !metadata.says_nothing());
    request.logit_bias = request.logit_bias.take().filter(|bias| !bias.says_nothing());
    let tells_tier = carried.contains(&Feature::ServiceTier);
    request.service_tier = request.service_tier.take().filter(|tier| tells_tier || tier != "auto");
    request.reasoning = request.reasoning.take().filter(|wanted| *wanted != ReasoningRequest::default());
    if request.dialect == Dialect::Cohere {
        // There, no limit.
        request.top_k = request.top_k.take().filter(|count| count.number() != Some(0.0));
    }
}
