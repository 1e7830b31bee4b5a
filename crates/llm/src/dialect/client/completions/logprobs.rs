//! Log probabilities in the older form: lists side by side instead of a list of objects.

use crate::json::{ObjectWriter, Raw, write_number};
use crate::model::Json;

/// One token of Chat's list.
#[derive(Default)]
struct Token<'a> {
    text: std::borrow::Cow<'a, str>,
    logprob: Option<Raw<'a>>,
    alternatives: Option<Raw<'a>>,
}

/// Writes OpenAI Chat's `logprobs` object as the older form tells it. `offset` is how many characters of text stand
/// before; it is moved behind the last token.
pub(super) fn write(logprobs: Option<&Json<'_>>, offset: &mut u64, object: &mut ObjectWriter<'_>) {
    let content = logprobs.and_then(|told| told.raw().get("content"));
    let Some(content) = content else { return object.null("logprobs") };
    let tokens: Vec<Token<'_>> = content.elements().map(read_token).collect();
    let mut told = object.object("logprobs");
    let mut texts = told.array("tokens");
    tokens.iter().for_each(|token| texts.string(&token.text));
    drop(texts);
    let mut numbers = told.array("token_logprobs");
    tokens.iter().for_each(|token| numbers.raw(number(token.logprob)));
    drop(numbers);
    let mut alternatives = told.array("top_logprobs");
    tokens.iter().for_each(|token| write_alternatives(token.alternatives, &mut alternatives.object()));
    drop(alternatives);
    let mut offsets = told.array("text_offset");
    for token in &tokens {
        write_number(offsets.element(), *offset);
        *offset += token.text.chars().count() as u64;
    }
}

fn read_token(told: Raw<'_>) -> Token<'_> {
    let mut token = Token::default();
    for (key, value) in told.members() {
        match key {
            b"token" => token.text = value.text().unwrap_or_default(),
            b"logprob" => token.logprob = Some(value),
            b"top_logprobs" => token.alternatives = Some(value),
            _ => {}
        }
    }
    token
}

fn number(value: Option<Raw<'_>>) -> &[u8] {
    value.filter(|value| value.number().is_some()).map_or(b"null", |value| value.bytes)
}

fn write_alternatives(told: Option<Raw<'_>>, object: &mut ObjectWriter<'_>) {
    for alternative in told.into_iter().flat_map(Raw::elements).map(read_token) {
        object.raw(&alternative.text, number(alternative.logprob));
    }
}
