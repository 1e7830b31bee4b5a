//! What changes requests on their way to the upstream, and responses on their way back.

pub(crate) mod proxy_rewrite;
pub(crate) mod request_id;
pub(crate) mod response_rewrite;
