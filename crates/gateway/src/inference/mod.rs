//! Dispatch to LLM providers. A plugin admits the request (its protocol is found, its model and flags are read) and
//! names a [`Backend`]; the dispatch shapes the body, calls the provider, and either answers whole or streams, with
//! usage read on the side. Where the provider speaks another dialect than the client, request and answer are
//! translated on the way. What is no JSON passes with its body unread.

mod admit;
mod answer_head;
mod arrival;
pub mod ask;
mod attempt;
mod backend;
mod call;
mod counted;
mod credentials;
mod dispatch;
mod fault;
mod keys;
mod passed;
mod prompt;
mod request;
mod retelling;
mod stream;
mod streamed;
mod target;
mod translation;
mod whole;

pub use admit::{Admission, admit};
pub use backend::{Backend, BackendConfig, BackendError, ProviderAuth};
pub use call::LlmCall;
pub use credentials::{
    AwsConfig, AwsKeyConfig, AwsKeys, AwsSource, CredentialsConfig, EXPIRE_EARLY_SECS, EntraConfig, GoogleConfig,
};
pub use dispatch::{dispatch, open_tunnel};
pub(crate) use keys::is_key_argument;
pub use passed::offers_key;
pub use stream::LlmStream;
pub use target::Place;
