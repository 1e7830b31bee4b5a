//! AWS keys: where they come from, and signing with them.
//!
//! Fixed keys are those of APISIX's `auth.aws`. The other sources are AWS's own, under the names that its SDKs use, and
//! so are the variables which move their endpoints. A source that is there and fails is an error: no other source
//! stands in for it, for that could be somebody else's account.

mod endpoint;
mod profile;
mod role;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use self::profile::{Programs, Search};
use super::fetch::{FetchError, World};
use super::sigv4::{AwsKeys, PayloadHash, SignError, Signing};
use super::token_cache::{Lease, Source, TokenCache};
use crate::transport::OutgoingBody;
use crate::variables::timestamp;

/// Bedrock's name in signatures.
const SERVICE: &str = "bedrock";

/// How often keys are looked up that do not tell when they expire.
const LOOK_UP_PERIOD: Duration = Duration::from_secs(60);

/// `auth.aws`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsConfig {
    pub region: String,
    pub keys: AwsKeyConfig,
}

/// Which keys are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsKeyConfig {
    Static(AwsKeys),
    Fetched(AwsSource),
}

/// `auth.aws.source`, but for `static`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsSource {
    /// `AWS_ACCESS_KEY_ID` and its kin.
    Environment,
    /// The shared credentials and configuration files: keys, roles, sign-ons and programs. `None`: the profile that
    /// `AWS_PROFILE` names, else `default`.
    Profile(Option<String>),
    /// The endpoint that ECS and EKS give to containers.
    Container,
    /// A role, for a token in the file that `AWS_WEB_IDENTITY_TOKEN_FILE` names.
    WebIdentity,
    /// EC2's metadata service, version 2.
    Instance,
    /// The first of all that is there: environment, web identity, profile, container, instance. The profile's name is
    /// as in [`AwsSource::Profile`]; programs run only for one that is named.
    Default(Option<String>),
}

/// Signs requests.
pub(super) struct AwsSigner {
    region: String,
    keys: Keys,
}

enum Keys {
    Static(Arc<AwsKeys>),
    Fetched(TokenCache<KeyFetcher>),
}

/// Why a request is not signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AwsError {
    #[error(transparent)]
    Keys(#[from] Arc<FetchError>),
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl AwsError {
    /// What clients are told.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Keys(error) => error.kind(),
            Self::Sign(_) => "the request cannot be signed",
        }
    }
}

impl AwsSigner {
    /// A signer for Bedrock.
    pub(super) fn new(config: AwsConfig, world: World, side: Handle) -> Self {
        let AwsConfig { region, keys } = config;
        let keys = match keys {
            AwsKeyConfig::Static(keys) => Keys::Static(Arc::new(keys)),
            AwsKeyConfig::Fetched(source) => {
                Keys::Fetched(TokenCache::new(KeyFetcher { source, region: region.clone(), world }, side))
            }
        };
        Self { region, keys }
    }

    /// Signs `request`, which must not be changed any more.
    ///
    /// # Errors
    /// If there are no keys, or the request cannot be signed.
    pub(super) async fn sign(&self, request: &mut http::Request<OutgoingBody>) -> Result<(), AwsError> {
        let keys = match &self.keys {
            Keys::Static(keys) => keys.clone(),
            Keys::Fetched(cache) => cache.get().await?,
        };
        let payload = match request.body() {
            OutgoingBody::Empty => PayloadHash::of(&[]),
            OutgoingBody::Full(body) => PayloadHash::of(body),
            OutgoingBody::Stream(_) => return Err(SignError::Body.into()),
        };
        let signing = Signing { keys: &keys, region: &self.region, service: SERVICE, at: timestamp::now() };
        let signed = signing.sign(request, &payload);
        Ok(signed.inspect_err(|error| tracing::warn!(%error, "a request for AWS could not be signed"))?)
    }
}

/// Gets keys that are not fixed.
pub(super) struct KeyFetcher {
    pub source: AwsSource,
    pub region: String,
    pub world: World,
}

impl Source for KeyFetcher {
    type Value = AwsKeys;

    async fn fetch(&self) -> Result<Lease<AwsKeys>, FetchError> {
        let world = &self.world;
        match &self.source {
            AwsSource::Environment => of_environment(world),
            AwsSource::Profile(name) => profile::keys(self.search(Programs::Run), name.as_deref()).await,
            AwsSource::Container => endpoint::of_container(world).await,
            AwsSource::WebIdentity => role::of_variables(world, &self.region).await,
            AwsSource::Instance => endpoint::of_instance(world).await,
            AwsSource::Default(name) => self.first(name.as_deref()).await,
        }
    }
}

impl KeyFetcher {
    fn search(&self, programs: Programs) -> Search<'_> {
        Search { world: &self.world, region: &self.region, programs }
    }

    /// Keys from the first source that is there.
    async fn first(&self, name: Option<&str>) -> Result<Lease<AwsKeys>, FetchError> {
        let world = &self.world;
        if world.variable("AWS_ACCESS_KEY_ID").is_some() {
            return of_environment(world);
        }
        if world.variable(role::TOKEN_FILE).is_some() && world.variable(role::ROLE).is_some() {
            return role::of_variables(world, &self.region).await;
        }
        if name.is_some() || profile::exists(world).await {
            let programs = if name.is_some() { Programs::Run } else { Programs::Refuse };
            return profile::keys(self.search(programs), name).await;
        }
        if endpoint::is_container(world) {
            return endpoint::of_container(world).await;
        }
        endpoint::of_instance(world).await
    }
}

/// Under which AWS's services in `region` are found: China's regions have a domain of their own.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

fn of_environment(world: &World) -> Result<Lease<AwsKeys>, FetchError> {
    let keys = AwsKeys {
        access_key_id: world.needed_variable("AWS_ACCESS_KEY_ID")?,
        secret_access_key: world.needed_variable("AWS_SECRET_ACCESS_KEY")?.into(),
        session_token: world.variable("AWS_SESSION_TOKEN").map(Into::into),
    };
    Ok(Lease::looked_up(keys, LOOK_UP_PERIOD))
}

/// Keys that expire at `expiration`, such as `2026-11-20T18:51:18Z` or `2026-11-20T18:51:18+00:00`.
fn expiring(keys: AwsKeys, expiration: &str) -> Option<Lease<AwsKeys>> {
    Some(Lease::expiring(keys, timestamp::read_rfc3339(expiration)?.saturating_sub(timestamp::now())))
}
