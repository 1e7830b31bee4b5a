//! Requests whose bodies are no JSON, and those about what a provider keeps: they pass unharmed, with the provider's
//! credentials, and are counted.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::super::fixture::{Gateway, PATIENCE, log_entries};
use super::super::websocket::{CLOSE, UPGRADE, head, says_hello};
use super::{CHAT, overlay, straight};

const FORM: &str = "multipart/form-data; boundary=XX";
/// Bytes of every kind, so that whoever took them for text would break them.
const RECORDING: [u8; 6] = [0, 0xff, b'\r', b'\n', b'-', 0x80];

/// A request as it came over the wire.
struct Received {
    /// In lower case.
    head: String,
    path: String,
    body: Vec<u8>,
}

impl Received {
    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let head = head.to_ascii_lowercase();
        let mut body = Vec::new();
        if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()) {
            body.resize(length, 0);
            reader.read_exact(&mut body).expect("a body");
        } else if head.contains("transfer-encoding: chunked") {
            body = read_chunks(&mut reader);
        }
        Self { head, path, body }
    }
}

fn read_chunks(reader: &mut impl std::io::BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a chunk's length");
        let length = usize::from_str_radix(line.trim_end(), 16).expect("a length");
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).expect("a chunk");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

/// A gateway in front of a provider that answers everything with the same bytes, and a log of
/// what became of each request.
struct Passing {
    gateway: Gateway,
    received: Receiver<Received>,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Passing {
    /// With a provider whose answer has `headers` (each with its line end) and `body`.
    fn answered(headers: &str, body: &[u8]) -> Self {
        Self::with(json!({}), headers, body)
    }

    /// With `proxy` laid over the configuration of `ai-proxy`, whose endpoint is one of chats.
    fn with(proxy: Value, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
        let (address, received) = provider([head.as_bytes(), body].concat());
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("entries.log");
        let mut ai_proxy = json!({
            "provider": "openai-compatible", "auth": {"header": {"Authorization": "Bearer provider-key"}},
            "override": {"endpoint": format!("http://{address}")}, "options": {"model": "configured"},
            "logging": {"summaries": true, "payloads": true},
        });
        overlay(&mut ai_proxy, proxy);
        let logger = json!({"path": log, "include_resp_body": true});
        let gateway = Gateway::with_plugins(json!({"ai-proxy": ai_proxy, "file-logger": logger}));
        Self { gateway, received, log, _folder: folder }
    }

    /// The answer's head and body to `method path` with `body` of `content_type`.
    fn ask(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> (String, Vec<u8>) {
        let length = body.len().to_string();
        let headers = [
            ("Content-Type", content_type),
            ("Authorization", "Bearer client-key"),
            ("x-api-key", "client-key"),
            ("Content-Length", &length),
        ];
        let headers = if body.is_empty() { &headers[..3] } else { &headers[..] };
        let mut stream = self.gateway.open(method, path, headers, "");
        stream.write_all(body).expect("a body");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|piece| piece == b"\r\n\r\n").expect("a head") + 4;
        (String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), answer.split_off(end))
    }

    fn received(&self) -> Received {
        self.received.recv_timeout(PATIENCE).expect("a request")
    }

    fn entry(&self) -> Value {
        log_entries(&self.log, 1).remove(0)
    }
}

fn provider(answer: Vec<u8>) -> (SocketAddr, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Nobody may be interested, in the request or in the answer.
            let _ = sender.send(Received::read(&stream));
            let _ = stream.write_all(&answer);
        }
    });
    (address, received)
}

fn form(model: &str) -> Vec<u8> {
    let fields = format!("--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n");
    let file = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
    [fields.as_bytes(), file.as_bytes(), &RECORDING, b"\r\n--XX--\r\n"].concat()
}

#[test]
fn a_form_passes_byte_by_byte_with_the_provider_s_key_and_is_counted() {
    let answer = br#"{"text":"hello","usage":{"type":"tokens","input_tokens":14,"output_tokens":3,"total_tokens":17}}"#;
    let passing = Passing::answered("Content-Type: application/json\r\n", answer);
    let (head, body) = passing.ask("POST", "/v1/audio/transcriptions?a=1", FORM, &form("whisper-1"));
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, answer);
    let received = passing.received();
    assert_eq!(received.body, form("whisper-1"));
    assert_eq!(received.path, "/v1/audio/transcriptions?a=1");
    assert!(received.head.contains("content-type: multipart/form-data; boundary=xx\r\n"), "{}", received.head);
    assert!(received.head.contains("authorization: bearer provider-key\r\n"), "{}", received.head);
    assert!(!received.head.contains("client-key"), "{}", received.head);
    let entry = passing.entry();
    assert_eq!(entry["llm_summary"]["request_model"], "whisper-1", "{entry:#}");
    assert_eq!(entry["llm_summary"]["model"], "whisper-1", "{entry:#}");
    assert_eq!(entry["llm_usage"]["prompt"], 14, "{entry:#}");
    assert_eq!(entry["llm_usage"]["completion"], 3, "{entry:#}");
    assert_eq!(entry["outcome"], "complete");
    let size = entry["request"]["size"].as_u64().expect("a size");
    assert!(size > form("whisper-1").len() as u64 && size < 1000, "{size}");
}

#[test]
fn spoken_text_comes_as_it_is_made_and_its_request_is_shaped() {
    let passing = Passing::answered("Content-Type: audio/mpeg\r\n", &RECORDING);
    let request = br#"{"model":"tts-1","input":"hello","voice":"alloy"}"#;
    let (head, body) = passing.ask("POST", "/v1/audio/speech", "application/json", request);
    assert!(head.contains("content-type: audio/mpeg\r\n") && head.contains("content-length: 6\r\n"), "{head}");
    assert_eq!(body, RECORDING);
    let received = passing.received();
    let sent: Value = serde_json::from_slice(&received.body).expect("JSON");
    assert_eq!(sent, json!({"model": "configured", "input": "hello", "voice": "alloy"}));
    let entry = passing.entry();
    assert_eq!(entry["llm_summary"]["request_model"], "tts-1", "{entry:#}");
    assert_eq!(entry["llm_usage"], Value::Null, "nothing is estimated: {entry:#}");
    assert_eq!(entry["outcome"], "complete");
}

#[test]
fn what_a_provider_keeps_is_asked_for_at_its_own_path_whatever_the_endpoint_s() {
    let rows = [
        ("GET", "/v1/files"),
        ("GET", "/v1/files/file-1/content?x=y"),
        ("DELETE", "/v1/files/file-1"),
        ("POST", "/v1/batches/batch_1/cancel"),
        ("GET", "/v1/messages/batches/b/results"),
        ("GET", "/v1/models/a%2Fb"),
        ("GET", "/v1/responses/resp_1?include[]=a&include[]=b&stream"),
        ("DELETE", "/v1/responses/resp_1"),
        ("GET", "/v1/videos/video_1/content"),
        ("GET", "/v1beta/files/abc"),
    ];
    for (method, path) in rows {
        let passing = Passing::answered("Content-Type: application/octet-stream\r\n", &RECORDING);
        let (head, body) = passing.ask(method, path, "application/json", b"");
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert_eq!(body, RECORDING, "{path}");
        let received = passing.received();
        assert_eq!(received.path, path);
        assert!(received.head.starts_with(&format!("{} ", method.to_ascii_lowercase())), "{}", received.head);
        assert!(!received.head.contains("client-key"), "{}", received.head);
        assert_eq!(passing.entry()["outcome"], "complete", "{path}");
    }
    let chats = |address: &str| json!({"override": {"endpoint": format!("{address}{CHAT}")}});
    let (address, received) = provider(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_vec());
    let passing = Passing::with(chats(&format!("http://{address}")), "", b"");
    assert!(passing.ask("DELETE", "/v1/files/file-1", "", b"").0.starts_with("http/1.1 204 "));
    assert_eq!(received.recv_timeout(PATIENCE).expect("a request").path, "/v1/files/file-1");
}

#[test]
fn json_about_what_a_provider_keeps_stays_as_it_is() {
    let passing = Passing::answered("Content-Type: application/json\r\n", b"{\"id\":\"batch_1\",\"usage\":{}}");
    let request = br#"{"input_file_id":"file-1",  "endpoint":"/v1/chat/completions"}"#;
    passing.ask("POST", "/v1/batches", "application/json", request);
    assert_eq!(passing.received().body, request);
}

#[test]
fn endpoints_of_json_take_nothing_else() {
    let passing = Passing::answered("", b"");
    for path in [CHAT, "/v1/images/generations", "/v1/audio/speech", "/v1/responses"] {
        let (head, body) = passing.ask("POST", path, FORM, &form("m"));
        assert!(head.starts_with("http/1.1 400 "), "{path}: {head}");
        let text = String::from_utf8_lossy(&body);
        assert!(
            text.contains(&format!("unsupported content-type: {FORM}, only application/json is supported")),
            "{text}"
        );
        let (head, body) = passing.ask("GET", path, "application/json", b"");
        assert!(head.starts_with("http/1.1 400 "), "{path}: {head}");
        assert!(String::from_utf8_lossy(&body).contains("request body is empty"), "{path}");
    }
}

#[test]
fn a_recording_may_be_written_down_as_a_stream() {
    let events = b"event: transcript.text.delta\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}\n\n\
        event: transcript.text.done\ndata: {\"type\":\"transcript.text.done\",\"text\":\"hi\",\
        \"usage\":{\"type\":\"tokens\",\"input_tokens\":5,\"output_tokens\":2,\"total_tokens\":7}}\n\n";
    let passing = Passing::answered("Content-Type: text/event-stream\r\n", events);
    let (_, body) = passing.ask("POST", "/v1/audio/transcriptions", FORM, &form("gpt-4o-transcribe"));
    assert!(String::from_utf8_lossy(&body).contains("transcript.text.done"));
    let entry = passing.entry();
    assert_eq!(entry["llm_usage"]["total"], 7, "{entry:#}");
    assert_eq!(entry["outcome"], "complete");
}

#[test]
fn an_upload_passes_while_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let passing = Passing::with(json!({"override": {"endpoint": endpoint}}), "", b"");
    let headers = [("Content-Type", FORM), ("Content-Length", "100000")];
    let mut client = passing.gateway.open("POST", "/v1/files", &headers, "");
    client.write_all(b"the beginning").expect("a beginning");
    let (mut upstream, _) = listener.accept().expect("a call");
    upstream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    super::read_until(&mut upstream, "the beginning");
    client.write_all(&vec![b'x'; 100_000 - 13]).expect("the rest");
    let mut rest = vec![0; 100_000 - 13];
    upstream.read_exact(&mut rest).expect("the rest");
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("an answer");
    super::read_until(&mut client, "\r\n\r\nok");
    let size = passing.entry()["request"]["size"].as_u64().expect("a size");
    assert!(size > 100_000 && size < 101_000, "{size}");
}

#[test]
fn a_provider_s_refusal_of_a_form_is_the_client_s_to_see() {
    let (address, received) = provider(
        b"HTTP/1.1 413 X\r\nContent-Type: application/json\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{\"error\":\"no\"".to_vec(),
    );
    let passing = Passing::with(json!({"override": {"endpoint": format!("http://{address}")}}), "", b"");
    let (head, body) = passing.ask("POST", "/v1/images/edits", FORM, &form("gpt-image-1"));
    assert!(head.starts_with("http/1.1 413 "), "{head}");
    assert_eq!(body, b"{\"error\":\"no\"");
    assert_eq!(received.recv_timeout(PATIENCE).expect("a request").body, form("gpt-image-1"));
    assert_eq!(passing.entry()["llm_usage"], Value::Null);
}

#[test]
fn realtime_is_a_tunnel_with_the_provider_s_key_and_one_request() {
    let provider = simulator::spawn(simulator::Options::embedded()).expect("a provider");
    let endpoint = format!("http://{}", provider.addr);
    let passing = Passing::with(json!({"override": {"endpoint": endpoint}}), "", b"");
    let shown = [
        ("Authorization", "Bearer client-key"),
        ("Sec-WebSocket-Protocol", "openai-insecure-api-key.client-key, realtime, openai-beta.realtime-v1"),
    ];
    let headers = [&UPGRADE[..], &shown[..]].concat();
    let mut stream = passing.gateway.open("GET", "/v1/realtime?model=gpt-realtime&key=client-key", &headers, "");
    let answer = head(&mut stream);
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("sec-websocket-protocol: realtime\r\n"), "{answer}");
    says_hello(&mut stream);
    says_hello(&mut stream);
    stream.write_all(CLOSE).expect("a close");
    stream.read_to_end(&mut Vec::new()).expect("the end");
    let journal = straight(provider.addr, "/__simulator/requests", "GET", "", "");
    assert!(journal.contains("Bearer provider-key") && journal.contains("model=gpt-realtime"), "{journal}");
    assert!(!journal.contains("client-key"), "{journal}");
    let entry = passing.entry();
    assert_eq!((&entry["outcome"], &entry["response"]["status"]), (&json!("complete"), &json!(101)), "{entry:#}");
    assert_eq!(entry["llm_summary"]["request_model"], "gpt-realtime", "{entry:#}");
    assert!(entry["response"]["size"].as_u64() >= Some(14), "{entry:#}");
}

#[test]
fn a_switch_that_the_provider_refuses_is_the_client_s_to_see() {
    let passing = Passing::answered("Content-Type: application/json\r\n", b"{\"error\":1}");
    let mut stream = passing.gateway.open("GET", "/v1/realtime?model=m", &UPGRADE, "");
    assert!(head(&mut stream).starts_with("http/1.1 200 "));
    let mut body = [0; 11];
    stream.read_exact(&mut body).expect("a body");
    assert_eq!(&body, b"{\"error\":1}");
}
