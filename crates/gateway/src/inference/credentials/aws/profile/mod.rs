//! Keys of a profile in the files that AWS's tools share: keys that stand there, or that a role, a sign-on or a program
//! gives.
//!
//! A profile which names a role takes the keys to ask for it from another profile, and so on. Invariants: no profile is
//! asked twice in one chain, and a program runs only where the configuration names profiles as the source.

mod files;
mod process;
mod sso;

use super::super::fetch::{FetchError, World};
use super::super::sigv4::AwsKeys;
use super::super::token_cache::Lease;
use super::{endpoint, of_environment, role};
use files::{Profile, SharedFiles};

/// How often a program is asked whose keys do not tell when they expire.
const PROGRAM_PERIOD: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Whether a profile's `credential_process` may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Programs {
    Run,
    Refuse,
}

/// How keys are looked for.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub world: &'a World,
    /// Whose Security Token Service is asked for roles, unless a profile says otherwise.
    pub region: &'a str,
    pub programs: Programs,
}

/// The keys of the profile `name`, else of the one that `AWS_PROFILE` names, else of `default`.
pub(super) async fn keys(search: Search<'_>, name: Option<&str>) -> Result<Lease<AwsKeys>, FetchError> {
    let named = search.world.variable("AWS_PROFILE");
    let name = name.or(named.as_deref()).unwrap_or("default");
    let files = SharedFiles::read(search.world).await?;
    Chain { search, files: &files, asked: Vec::new() }.keys(name).await
}

/// `true` if a profile was asked for by a variable, or the default one gives keys.
pub(super) async fn exists(world: &World) -> bool {
    let gives_keys = |files: SharedFiles| files.profile("default").is_some_and(|profile| profile.gives_keys());
    world.variable("AWS_PROFILE").is_some() || SharedFiles::read(world).await.is_ok_and(gives_keys)
}

/// Profiles that take their keys from one another.
struct Chain<'a> {
    search: Search<'a>,
    files: &'a SharedFiles,
    /// Names of the profiles on the way.
    asked: Vec<&'a str>,
}

impl<'a> Chain<'a> {
    async fn keys(&mut self, name: &'a str) -> Result<Lease<AwsKeys>, FetchError> {
        let missing = || FetchError::Unusable(format!("no shared AWS file has keys of the profile {name:?}"));
        let profile = self.files.profile(name).ok_or_else(missing)?;
        if self.asked.contains(&name) {
            return Err(FetchError::Unusable(format!("the AWS profile {name:?} takes its keys from itself")));
        }
        self.asked.push(name);
        if let Some(role) = profile.get("role_arn") {
            return self.keys_of_role(name, &profile, role).await;
        }
        if profile.is_signed_on() {
            return sso::keys(self.search.world, self.files, &profile).await;
        }
        if let Some(keys) = profile.keys() {
            return Ok(Lease::looked_up(keys, super::LOOK_UP_PERIOD));
        }
        match (profile.get("credential_process"), self.search.programs) {
            (None, _) => Err(missing()),
            (Some(command), Programs::Run) => process::keys(command).await,
            (Some(_), Programs::Refuse) => Err(FetchError::Unusable(format!(
                "the AWS profile {name:?} gets its keys from a program, which runs only where auth.aws.source is profile or \
                 auth.aws.profile is set"
            ))),
        }
    }

    async fn keys_of_role(
        &mut self,
        name: &'a str,
        profile: &Profile<'a>,
        role: &str,
    ) -> Result<Lease<AwsKeys>, FetchError> {
        let Search { world, region, .. } = self.search;
        let session = profile.get("role_session_name").map_or_else(|| role::session_name(world), str::to_owned);
        let region = profile.get("region").unwrap_or(region);
        if let Some(file) = profile.get("web_identity_token_file") {
            let token = world.file(file).await?;
            let identity = role::WebIdentity { role, session: &session, token: &token };
            return role::for_web_identity(world, region, &identity).await;
        }
        if profile.get("mfa_serial").is_some() {
            let message = format!("the AWS profile {name:?} asks for a code (mfa_serial), which no gateway can type");
            return Err(FetchError::Unusable(message));
        }
        let source = self.keys_to_ask_with(name, profile).await?;
        let assumed = role::Assumed {
            role,
            session: &session,
            external_id: profile.get("external_id"),
            duration: profile.get("duration_seconds"),
        };
        role::with_keys(world, region, &source.value, &assumed).await
    }

    /// The keys with which the profile `name` asks for its role.
    async fn keys_to_ask_with(&mut self, name: &'a str, profile: &Profile<'a>) -> Result<Lease<AwsKeys>, FetchError> {
        let world = self.search.world;
        match (profile.get("source_profile"), profile.get("credential_source")) {
            // A role may be assumed with the keys that stand beside it.
            (Some(source), _) if source == name => {
                let keys = profile.keys().ok_or_else(|| {
                    FetchError::Unusable(format!("the AWS profile {name:?} is its own source and has no keys"))
                })?;
                Ok(Lease::looked_up(keys, super::LOOK_UP_PERIOD))
            }
            (Some(source), _) => Box::pin(self.keys(source)).await,
            (None, Some("Environment")) => of_environment(world),
            (None, Some("EcsContainer")) => endpoint::of_container(world).await,
            (None, Some("Ec2InstanceMetadata")) => endpoint::of_instance(world).await,
            (None, _) => Err(FetchError::Unusable(format!(
                "the AWS profile {name:?} names a role, but no source_profile or credential_source"
            ))),
        }
    }
}
