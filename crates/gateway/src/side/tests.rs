use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn client() -> SideClient {
    SideClient::new(&ClientConfigs::new(None).expect("system roots"))
}

/// Answers one request with `answer` and gives what was asked.
async fn serve_once(listener: TcpListener, answer: &'static str) -> String {
    let (mut socket, _) = listener.accept().await.expect("a client");
    let mut asked = Vec::new();
    while !asked.ends_with(b"[1,2]") {
        let mut piece = [0; 1024];
        let length = socket.read(&mut piece).await.expect("bytes");
        assert!(length > 0, "the client left: {}", String::from_utf8_lossy(&asked));
        asked.extend_from_slice(&piece[..length]);
    }
    socket.write_all(answer.as_bytes()).await.expect("the client listens");
    String::from_utf8(asked).expect("text")
}

#[tokio::test]
async fn a_message_is_posted_and_the_status_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(serve_once(listener, "HTTP/1.1 503 Full\r\nContent-Length: 4\r\n\r\nnope"));
    let uri: Uri = format!("http://{address}/logs?x=1").parse().expect("a URL");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let body = Bytes::from_static(b"[1,2]");
    let status = client().post(&uri, headers, body, Duration::from_secs(5), Verify::No).await.expect("an answer");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let asked = server.await.expect("no panic");
    assert!(asked.starts_with("POST /logs?x=1 HTTP/1.1\r\n"), "{asked}");
    for line in ["content-type: application/json", "content-length: 5", &format!("host: {address}")] {
        assert!(asked.lines().any(|found| found == line), "{line} is not in {asked}");
    }
}

#[tokio::test]
async fn an_answer_comes_back_with_its_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(serve_once(listener, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntoken"));
    let request = Request::put(format!("http://{address}/t")).body(Bytes::from_static(b"[1,2]")).expect("a request");
    let answer = client().send(request, Duration::from_secs(5), Verify::No).await.expect("an answer");
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"token"[..]));
    assert!(server.await.expect("no panic").starts_with("PUT /t HTTP/1.1\r\n"));
}

#[tokio::test]
async fn half_an_answer_is_none_to_those_who_want_its_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(serve_once(listener, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ntoken"));
    let request = Request::put(format!("http://{address}/t")).body(Bytes::from_static(b"[1,2]")).expect("a request");
    let failed = client().send(request, Duration::from_secs(5), Verify::No).await;
    assert!(matches!(failed, Err(SideError::Body { .. })), "{failed:?}");
    server.await.expect("no panic");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let uri: Uri = format!("http://{}/", listener.local_addr().expect("bound")).parse().expect("a URL");
    let limit = Duration::from_millis(50);
    let failed = client().post(&uri, HeaderMap::new(), Bytes::new(), limit, Verify::No).await;
    assert!(matches!(failed, Err(SideError::Timeout { .. })), "{failed:?}");
}

#[tokio::test]
async fn what_is_no_url_is_refused() {
    for uri in ["/path", "ftp://host/", "host:80"] {
        let uri: Uri = uri.parse().expect("a URI");
        let failed = client().post(&uri, HeaderMap::new(), Bytes::new(), Duration::from_secs(1), Verify::No).await;
        assert!(matches!(failed, Err(SideError::Url { .. })), "{uri}: {failed:?}");
    }
}

#[tokio::test]
async fn errors_tell_no_password_of_a_url() {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = Uri::from_static("ftp://user:s3cret@host:21/path?key=s3cret");
    let failed = client().send(request, Duration::from_secs(5), Verify::Yes).await.expect_err("no such scheme");
    assert_eq!(failed.to_string(), r#""host:21" is not reached by an http or https URL with a host"#);
}
