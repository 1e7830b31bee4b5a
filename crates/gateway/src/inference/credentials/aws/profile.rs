//! Keys from the files that AWS's tools share: `~/.aws/credentials` and `~/.aws/config`. Only keys that stand in a file
//! are taken: profiles which name a role, a program or a sign-on need AWS's own tools to become keys.

use std::path::PathBuf;

use super::super::fetch::{FetchError, World};
use super::super::sigv4::AwsKeys;
use super::super::token_cache::Lease;

/// One of the two files: how it is found, and how it heads a profile.
struct SharedFile {
    variable: &'static str,
    name: &'static str,
    heading: fn(&str) -> String,
}

/// The first that has the profile's keys counts.
const FILES: [SharedFile; 2] = [
    SharedFile { variable: "AWS_SHARED_CREDENTIALS_FILE", name: "credentials", heading: str::to_owned },
    SharedFile { variable: "AWS_CONFIG_FILE", name: "config", heading: config_heading },
];

fn config_heading(profile: &str) -> String {
    if profile == "default" { profile.to_owned() } else { format!("profile {profile}") }
}

/// The keys of the profile `name`, else of the one that `AWS_PROFILE` names, else of `default`.
pub(super) async fn keys(world: &World, name: Option<&str>) -> Result<Lease<AwsKeys>, FetchError> {
    let named = world.variable("AWS_PROFILE");
    let name = name.or(named.as_deref()).unwrap_or("default");
    for file in FILES {
        let Some(path) = file.path(world).filter(|path| path.exists()) else { continue };
        let text = world.file(path).await?;
        if let Some(keys) = keys_in(&text, &(file.heading)(name)) {
            return Ok(Lease::looked_up(keys, super::LOOK_UP_PERIOD));
        }
    }
    Err(FetchError::Unusable(format!("no shared AWS file has keys of the profile {name:?}")))
}

/// `true` if a profile was asked for by a variable, or the default one has keys.
pub(super) async fn exists(world: &World) -> bool {
    world.variable("AWS_PROFILE").is_some() || keys(world, None).await.is_ok()
}

impl SharedFile {
    fn path(&self, world: &World) -> Option<PathBuf> {
        let in_home = || Some(PathBuf::from(world.variable("HOME")?).join(".aws").join(self.name));
        world.variable(self.variable).map(PathBuf::from).or_else(in_home)
    }
}

/// The keys under `[heading]`.
fn keys_in(text: &str, heading: &str) -> Option<AwsKeys> {
    let mut inside = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(found) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = found.split_whitespace().eq(heading.split_whitespace());
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else { continue };
        match name.trim() {
            "aws_access_key_id" => id = Some(value.trim()),
            "aws_secret_access_key" => secret = Some(value.trim()),
            "aws_session_token" => token = Some(value.trim()),
            _ => {}
        }
    }
    Some(AwsKeys {
        access_key_id: id?.to_owned(),
        secret_access_key: secret?.into(),
        session_token: token.map(Into::into),
    })
}
