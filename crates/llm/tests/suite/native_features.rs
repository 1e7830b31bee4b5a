//! What the providers' own forms carry: each request has one feature, and shows what the form's writer does with it.

use tidegate_llm::model::{Feature, Losses, Part, Request, Role, Turn};
use tidegate_llm::{Dialect, ProviderDialect, Quirks};

use crate::features::having;

/// A question that came in Gemini's dialect, to the form's model that knows most.
fn question(form: ProviderDialect) -> Request<'static> {
    let model = match form {
        ProviderDialect::Shared(_) | ProviderDialect::BedrockInvoke => "anthropic.claude-sonnet-4-5",
        ProviderDialect::Ollama => "qwen3",
        ProviderDialect::DashScope => "qwen-vl-max",
    };
    let mut request = Request::new(Dialect::Gemini);
    request.model = Some(model.into());
    request.turns = vec![Turn::new(Role::User, vec![Part::text("hi")])];
    request
}

#[test]
fn each_form_loses_exactly_what_it_has_no_words_for() {
    let mut wrong = Vec::new();
    for form in ProviderDialect::OWN_FORMS {
        // Signatures of the form's own provider, if it makes any.
        let origin = form.relative();
        for feature in Feature::ALL {
            let Some(request) = having(question(form), *feature, origin) else { continue };
            let mut losses = Losses::default();
            form.write_request(&request, &Quirks::default(), &mut losses);
            if losses.lost(*feature) == form.carries().contains(feature) {
                wrong.push(format!("{form} {feature}: {losses}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
