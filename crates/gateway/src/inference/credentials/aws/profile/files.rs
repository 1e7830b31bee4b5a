//! The shared files themselves: `~/.aws/credentials` and `~/.aws/config`, read anew for each fetch.
//!
//! Invariant: where both files say something of a profile, the credentials file wins, setting by setting.

use std::collections::HashMap;
use std::path::PathBuf;

use super::super::super::fetch::{FetchError, World};
use super::super::super::sigv4::AwsKeys;

/// Settings by name.
type Settings = HashMap<String, String>;

/// Both files, taken apart.
#[derive(Default)]
pub(super) struct SharedFiles {
    /// Sections by heading.
    credentials: HashMap<String, Settings>,
    config: HashMap<String, Settings>,
}

/// What the files say of one profile.
pub(super) struct Profile<'f> {
    credentials: Option<&'f Settings>,
    config: Option<&'f Settings>,
}

impl SharedFiles {
    /// Reads the files; one that is not there says nothing.
    pub(super) async fn read(world: &World) -> Result<Self, FetchError> {
        Ok(Self {
            credentials: read(world, "AWS_SHARED_CREDENTIALS_FILE", "credentials").await?,
            config: read(world, "AWS_CONFIG_FILE", "config").await?,
        })
    }

    /// `None` if neither file knows the profile.
    pub(super) fn profile(&self, name: &str) -> Option<Profile<'_>> {
        let plain = || self.config.get(name).filter(|_| name == "default");
        let profile = Profile {
            credentials: self.credentials.get(name),
            config: self.config.get(&format!("profile {name}")).or_else(plain),
        };
        (profile.credentials.is_some() || profile.config.is_some()).then_some(profile)
    }

    /// A setting of a sign-on that profiles share (`[sso-session NAME]`).
    pub(super) fn of_sign_on(&self, session: &str, setting: &str) -> Option<&str> {
        self.config.get(&format!("sso-session {session}"))?.get(setting).map(String::as_str)
    }
}

impl<'f> Profile<'f> {
    pub(super) fn get(&self, setting: &str) -> Option<&'f str> {
        let sections = [self.credentials, self.config];
        sections.into_iter().flatten().find_map(|section| section.get(setting)).map(String::as_str)
    }

    /// Keys that stand in a file: all of them in one.
    pub(super) fn keys(&self) -> Option<AwsKeys> {
        [self.credentials, self.config].into_iter().flatten().find_map(|section| {
            Some(AwsKeys {
                access_key_id: section.get("aws_access_key_id")?.clone(),
                secret_access_key: section.get("aws_secret_access_key")?.as_str().into(),
                session_token: section.get("aws_session_token").map(|token| token.as_str().into()),
            })
        })
    }

    /// The profile's keys come from IAM Identity Center.
    pub(super) fn is_signed_on(&self) -> bool {
        self.get("sso_account_id").is_some() && self.get("sso_role_name").is_some()
    }

    /// There is some way from the profile to keys.
    pub(super) fn gives_keys(&self) -> bool {
        let ways = ["role_arn", "credential_process"];
        self.keys().is_some() || self.is_signed_on() || ways.iter().any(|way| self.get(way).is_some())
    }
}

/// The file that `variable` names, else `name` in the home's `.aws`.
async fn read(world: &World, variable: &str, name: &str) -> Result<HashMap<String, Settings>, FetchError> {
    let in_home = || Some(PathBuf::from(world.variable("HOME")?).join(".aws").join(name));
    let path = world.variable(variable).map(PathBuf::from).or_else(in_home);
    match path.filter(|path| path.exists()) {
        Some(path) => Ok(sections(&world.file(path).await?)),
        None => Ok(HashMap::new()),
    }
}

/// Sections by heading, with single blanks in it. Settings of a setting, which stand indented
/// below it, are passed over.
fn sections(text: &str) -> HashMap<String, Settings> {
    let mut sections: HashMap<String, Settings> = HashMap::new();
    let mut open: Option<&mut Settings> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(heading) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let heading = heading.split_whitespace().collect::<Vec<_>>().join(" ");
            open = Some(sections.entry(heading).or_default());
            continue;
        }
        let is_setting = !line.starts_with([' ', '\t', '#', ';']);
        if let (Some(section), Some((name, value))) = (&mut open, trimmed.split_once('=').filter(|_| is_setting)) {
            section.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    sections
}
