//! What providers are shown of the gateway's credentials. A server that stands for Bedrock checks each signature by
//! AWS's rules, written down here once more and by other means than the gateway's.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use serde_json::{Value, json};

use super::super::fixture::{Gateway, Response};
use super::chat;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request as it came over the wire.
struct Received {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut next = || {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            line.trim_end().to_owned()
        };
        let first = next();
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        let mut headers = Vec::new();
        while let Some((name, value)) = next().split_once(": ") {
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut received = Self { method, path, headers, body: Vec::new() };
        received.body = vec![0; received.header("content-length").parse().expect("a length")];
        reader.read_exact(&mut received.body).expect("a body");
        received
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The signature that this request should have, with the headers signed that it says are.
    fn right_signature(&self, signed_headers: &str, scope: &str) -> String {
        let headers: String = signed_headers.split(';').map(|name| format!("{name}:{}\n", self.header(name))).collect();
        let (method, path, hash) = (&self.method, self.path.replace('%', "%25"), sha256(&self.body));
        let canonical = format!("{method}\n{path}\n\n{headers}\n{signed_headers}\n{hash}");
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", self.header("x-amz-date"), sha256(canonical.as_bytes()));
        let first = format!("AWS4{SECRET}").into_bytes();
        let key = scope.split('/').fold(first, |key, part| hmac(&key, part));
        hex(&hmac(&key, &to_sign))
    }

    fn is_rightly_signed(&self) -> bool {
        let authorization = self.header("authorization");
        let field = |name: &str| authorization.split([' ', ',']).find_map(|part| part.strip_prefix(name)).unwrap_or("");
        let Some((id, scope)) = field("Credential=").split_once('/') else { return false };
        let signed = field("SignedHeaders=");
        let needed = ["host", "x-amz-date", "x-amz-security-token"];
        id == "AKIDEXAMPLE"
            && scope.ends_with("/eu-central-1/bedrock/aws4_request")
            && needed.iter().all(|name| signed.split(';').any(|found| found == *name))
            && self.header("x-amz-security-token") == "session"
            && field("Signature=") == self.right_signature(signed, scope)
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers in Converse's words where the signature is right, and tells the path it was asked at.
fn bedrock() -> SocketAddr {
    serve(|received| match received.is_rightly_signed() {
        true => {
            let text = format!("{} {}", received.method, received.path);
            let message = json!({"role": "assistant", "content": [{"text": text}]});
            let usage = json!({"inputTokens": 1, "outputTokens": 1, "totalTokens": 2});
            (200, json!({"output": {"message": message}, "stopReason": "end_turn", "usage": usage}))
        }
        false => (403, json!({"message": "The request signature we calculated does not match"})),
    })
}

fn serve(answer: impl Fn(&Received) -> (u16, Value) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (status, body) = answer(&Received::read(&stream));
            let (body, kind) = (body.to_string(), "Content-Type: application/json\r\nConnection: close");
            let head = format!("HTTP/1.1 {status} X\r\n{kind}\r\nContent-Length: {}\r\n\r\n", body.len());
            // A client that is gone is no concern of the provider's.
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

fn signed_gateway(provider: SocketAddr, secret: &str) -> Gateway {
    Gateway::with_plugins(json!({"ai-proxy": {
        "provider": "bedrock", "provider_conf": {"region": "eu-central-1"},
        "auth": {"aws": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": secret, "session_token": "session"}},
        "override": {"endpoint": format!("http://{provider}")},
        "options": {"model": "anthropic.claude-v2:1"},
    }}))
}

fn said(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}"))
}

#[test]
fn bedrock_takes_the_gateways_signature() {
    let gateway = signed_gateway(bedrock(), SECRET);
    // A client with AWS's own SDK signs with keys of its own, which are none.
    let sdk = [("Authorization", "AWS4-HMAC-SHA256 Credential=client"), ("X-Amz-Date", "20200101T000000Z")];
    let converse = json!({"messages": [{"role": "user", "content": [{"text": "Hello! äöü"}]}]});
    let native = gateway.post("/model/m/converse", &sdk, &converse);
    assert_eq!(native.status, 200, "{native:?}");
    let text = "POST /model/anthropic.claude-v2%3A1/converse";
    assert_eq!(said(&native)["output"]["message"]["content"][0]["text"], text);

    let translated = gateway.post("/v1/chat/completions", &[("Authorization", "Bearer client")], &chat(false));
    assert_eq!(said(&translated)["choices"][0]["message"]["content"], text, "{translated:?}");
}

#[test]
fn a_form_is_signed_with_all_that_is_in_it() {
    let gateway = signed_gateway(bedrock(), SECRET);
    let form = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--XX--\r\n";
    let headers = [("Content-Type", "multipart/form-data; boundary=XX")];
    let response = gateway.post_text("/v1/audio/transcriptions", &headers, form);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(said(&response)["output"]["message"]["content"][0]["text"], "POST /v1/audio/transcriptions");
}

#[test]
fn bedrock_refuses_a_wrong_key() {
    let gateway = signed_gateway(bedrock(), "another");
    let converse = json!({"messages": [{"role": "user", "content": [{"text": "Hello!"}]}]});
    assert_eq!(gateway.post("/model/m/converse", &[], &converse).status, 403);
}

/// A gateway whose tokens come from `tokens`, as the key of a user of Google's has it.
fn google_gateway(provider: SocketAddr, tokens: SocketAddr) -> Gateway {
    let key = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "cs", "refresh_token": "rt",
        "token_uri": format!("http://{tokens}/token"),
    });
    Gateway::with_plugins(json!({"ai-proxy": {
        "provider": "openai-compatible",
        "auth": {"header": {"authorization": "Bearer overridden"}, "gcp": {"service_account_json": key.to_string()}},
        "override": {"endpoint": format!("http://{provider}")},
    }}))
}

/// Says which token it was shown.
fn token_teller() -> SocketAddr {
    serve(|received| (200, json!({"choices": [], "shown": received.header("authorization")})))
}

#[test]
fn a_token_of_googles_stands_over_every_other_key() {
    let tokens = serve(|received| match received.body.starts_with(b"grant_type=refresh_token") {
        true => (200, json!({"access_token": "fetched", "expires_in": 3599})),
        false => (400, json!({"error": "unsupported_grant_type"})),
    });
    let gateway = google_gateway(token_teller(), tokens);
    let response = gateway.post("/v1/chat/completions", &[("Authorization", "Bearer client")], &chat(false));
    assert_eq!(said(&response)["shown"], "Bearer fetched");
}

#[test]
fn without_a_token_no_provider_is_asked() {
    let tokens = serve(|_| (400, json!({"error": "invalid_grant", "error_description": "rt is wrong"})));
    let gateway = google_gateway(token_teller(), tokens);
    let response = gateway.post("/v1/chat/completions", &[], &chat(false));
    assert_eq!(response.status, 500);
    let reason = "failed to get gcp access token: the token server refused";
    assert_eq!(said(&response), json!({"error_msg": reason}));
}
