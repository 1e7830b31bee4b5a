use std::path::Path;
use std::time::Duration;

use super::server::TokenServer;
use super::world;
use crate::inference::credentials::fetch::TokenRequest;

async fn read(path: &Path) -> Result<String, String> {
    let text = tokio::time::timeout(Duration::from_secs(10), world(&[]).file(path)).await.expect("nothing to wait for");
    text.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_file_is_read_without_white_space_around_it() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "token\n").expect("written");
    assert_eq!(read(file.path()).await, Ok("token".to_owned()));
}

#[tokio::test]
async fn what_is_no_regular_file_is_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    for path in [Path::new("/dev/zero"), &pipe, folder.path()] {
        let error = read(path).await.expect_err("no text");
        assert_eq!(error, format!("{} cannot be read: it is no regular file", path.display()));
    }
}

#[tokio::test]
async fn a_long_file_is_not_read() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    for (length, is_read) in [(65_536, true), (65_537, false)] {
        std::fs::write(file.path(), "x".repeat(length)).expect("written");
        assert_eq!(read(file.path()).await.is_ok(), is_read, "{length}");
    }
}

#[tokio::test]
async fn errors_tell_host_and_port_of_a_url_alone() {
    let refusing = TokenServer::answering(|_| (403, String::new()));
    let with_password = format!("http://user:s3cret@{}/token?key=s3cret", refusing.authority());
    let refused = world(&[]).ask(TokenRequest::get(with_password)).await.err().expect("a refusal");
    assert_eq!(refused.to_string(), format!("{} answered 403 Forbidden", refusing.authority()));
    let none = world(&[]).ask(TokenRequest::get("http://user:s3cret@a host/")).await.err().expect("no URL");
    assert_eq!(none.to_string(), "what should be the URL of a token server is none");
    assert_eq!(
        [refused.kind(), none.kind()],
        ["the token server refused", "the configured credentials cannot be used"]
    );
}
