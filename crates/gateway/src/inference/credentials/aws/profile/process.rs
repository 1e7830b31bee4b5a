//! Keys from a program that the operator's own AWS files name (`credential_process`).
//!
//! Invariant: no shell reads the command, the program gets no input, and what it says beside the keys is neither kept
//! nor told. One that takes longer than [`LIMIT`] is ended with all that it has started.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use config::secret::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use super::super::super::fetch::FetchError;
use super::super::super::sigv4::AwsKeys;
use super::super::super::token_cache::Lease;
use super::PROGRAM_PERIOD;

/// Below the limit of a fetch as a whole.
const LIMIT: Duration = Duration::from_secs(15);

/// How often a program that has said all is looked at until it has ended.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// More than any keys.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    version: u64,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    expiration: Option<String>,
}

/// The keys that `command` prints.
pub(super) async fn keys(command: &str) -> Result<Lease<AwsKeys>, FetchError> {
    let words = words(command).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| unusable("is no command: a quote is open"))?;
    let output = match tokio::time::timeout(LIMIT, Running::start(&words)?.output()).await {
        Ok(output) => output?,
        Err(_) => return Err(unusable(&format!("took longer than {LIMIT:?}"))),
    };
    // serde's words may repeat parts of the keys.
    let output: Output = serde_json::from_slice(&output).map_err(|_| unusable("printed no keys"))?;
    if output.version != 1 {
        return Err(unusable("printed keys of another version than 1"));
    }
    let keys = AwsKeys {
        access_key_id: output.access_key_id,
        secret_access_key: output.secret_access_key,
        session_token: output.session_token,
    };
    match output.expiration {
        None => Ok(Lease::looked_up(keys, PROGRAM_PERIOD)),
        Some(at) => super::super::expiring(keys, &at).ok_or_else(|| unusable("printed an Expiration that is no time")),
    }
}

fn unusable(fault: &str) -> FetchError {
    FetchError::Unusable(format!("the AWS profile's credential_process {fault}"))
}

/// A program that has been started, as the first of a process group; the group is ended when this is dropped before the
/// program has ended.
struct Running {
    child: Child,
    /// `None` once its end has been seen: the number may then be another's.
    group: Option<Pid>,
}

impl Running {
    fn start(words: &[String]) -> Result<Self, FetchError> {
        let (program, arguments) = words.split_first().ok_or_else(|| unusable("is empty"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.process_group(0);
        let child = command.spawn().map_err(|error| unusable(&format!("cannot be started: {}", error.kind())))?;
        let group = Some(Pid::from_child(&child));
        Ok(Self { child, group })
    }

    /// What it prints until it ends, if it ends well.
    async fn output(mut self) -> Result<Vec<u8>, FetchError> {
        let stdout = self.child.stdout.take().ok_or_else(|| unusable("prints nothing"))?;
        let unheard = |_| unusable("could not be heard");
        let stdout = Receiver::from_owned_fd(OwnedFd::from(stdout)).map_err(unheard)?;
        let mut output = Vec::new();
        stdout.take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut output).await.map_err(unheard)?;
        if u64::try_from(output.len()).is_ok_and(|length| length > MAX_OUTPUT_BYTES) {
            return Err(unusable(&format!("printed more than {MAX_OUTPUT_BYTES} bytes")));
        }
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.group = None;
                    return if status.success() { Ok(output) } else { Err(unusable("failed")) };
                }
                Err(_) => return Err(unusable("failed")),
                // It has said all, and is about to end.
                Ok(None) => tokio::time::sleep(BETWEEN_LOOKS).await,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        // All of it may have ended already, which is as good.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The words of a command: parted by blanks, with quotes around what holds some. `None` if a quote is open.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = command.chars();
    while let Some(character) = rest.next() {
        match (quote, character) {
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if character == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(rest.next()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Running, words};

    #[tokio::test]
    async fn what_a_program_has_started_ends_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let pid_file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
        let running = Running::start(&["sh".to_owned(), "-c".to_owned(), script]).expect("a shell");
        let pid = until(|| std::fs::read_to_string(&pid_file).ok().filter(|pid| pid.ends_with('\n'))).await;
        drop(running);
        let stat = format!("/proc/{}/stat", pid.trim());
        // Ended: gone, or left for its new parent to look at.
        until(|| std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")).then_some(())).await;
    }

    /// What `look` finds at last.
    async fn until<T>(look: impl Fn() -> Option<T>) -> T {
        let found = async {
            loop {
                match look() {
                    Some(found) => return found,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("it comes true")
    }

    #[test]
    fn a_command_is_parted_at_blanks_outside_quotes() {
        let cases: [(&str, Option<&[&str]>); 5] = [
            ("keys  --for bedrock", Some(&["keys", "--for", "bedrock"])),
            (r#""/opt/my tools/keys" 'a "b"' c\ d"#, Some(&["/opt/my tools/keys", "a \"b\"", "c d"])),
            (r#"keys "" $HOME;ls"#, Some(&["keys", "", "$HOME;ls"])),
            ("keys 'open", None),
            ("", Some(&[])),
        ];
        for (command, expected) in cases {
            let expected = expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
            assert_eq!(words(command), expected, "{command}");
        }
    }
}
