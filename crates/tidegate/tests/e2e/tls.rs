//! TLS on both sides: certificates chosen by name, clients that must show one, upstreams that speak it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, ServerConfig, StreamOwned};
use serde_json::{Value, json};

use crate::harness::{Authority, Gateway, Pair, Upstream, get, ok, route, upstream};

/// A client of `authority`, with its own certificate if there is one.
fn client(authority: &Authority, pair: Option<&Pair>) -> ClientConfig {
    let builder = ClientConfig::builder().with_root_certificates(authority.roots());
    match pair {
        Some(pair) => builder.with_client_auth_cert(pair.certificates(), pair.private_key()).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

/// A handshake for `name`.
fn connect(config: &ClientConfig, to: SocketAddr, name: &str) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config.clone()), name).unwrap();
    let socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(session, socket);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

/// One request for `path` on `name`; the whole answer as text.
fn ask(config: &ClientConfig, to: SocketAddr, name: &str, path: &str) -> io::Result<String> {
    let mut stream = connect(config, to, name)?;
    stream.write_all(&get(path).header("Host", name).header("Connection", "close").to_bytes())?;
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        // A peer that closes without a close_notify has still said everything if there is an answer.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !text.is_empty() => Ok(text),
        Err(error) => Err(error),
        Ok(_) if text.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(text),
    }
}

fn ssl(names: &[&str], pair: &Pair) -> Value {
    json!({"snis": names, "cert": pair.cert, "key": pair.key})
}

fn server(pair: &Pair) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder().with_no_client_auth();
    Arc::new(builder.with_single_cert(pair.certificates(), pair.private_key()).unwrap())
}

#[test]
fn the_name_asked_for_decides_the_certificate() {
    let gateway = Gateway::start();
    let authority = Authority::new();
    let upstream = Upstream::saying("over TLS");
    gateway.put("/routes/1", &route("/*", upstream.addr));
    gateway.put("/ssls/exact", &ssl(&["a.test"], &authority.issue("a.test")));
    gateway.put("/ssls/wild", &ssl(&["*.wild.test"], &authority.issue("*.wild.test")));
    let config = client(&authority, None);
    // The client verifies the name: a wrong certificate would fail here.
    for name in ["a.test", "A.test", "x.wild.test"] {
        let text = ask(&config, gateway.tls, name, "/").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("over TLS"), "{name}: {text}");
        assert_eq!(upstream.last().header("x-forwarded-proto"), Some("https"), "{name}");
    }
    for name in ["b.test", "wild.test", "x.y.wild.test"] {
        assert!(ask(&config, gateway.tls, name, "/").is_err(), "{name} has no certificate");
    }
    let mut http2 = config.clone();
    http2.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = connect(&http2, gateway.tls, "a.test").unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));

    assert_eq!(gateway.admin("DELETE", "/ssls/exact", None).status, 200);
    crate::harness::wait_until("the certificate is gone", || ask(&config, gateway.tls, "a.test", "/").err());
    let stored = gateway.admin("GET", "/ssls/wild", None).text();
    assert!(!stored.contains("PRIVATE KEY"), "the key is shown: {stored}");
}

#[test]
fn a_certificate_may_ask_for_one_version_of_tls() {
    let gateway = Gateway::start();
    let authority = Authority::new();
    gateway.put("/routes/1", &route("/*", Upstream::saying("").addr));
    let mut only = ssl(&["v.test"], &authority.issue("v.test"));
    let version =
        |gateway: &Gateway| connect(&client(&authority, None), gateway.tls, "v.test").unwrap().conn.protocol_version();
    only["ssl_protocols"] = json!(["TLSv1.1", "TLSv1.2"]);
    gateway.put("/ssls/v", &only);
    assert_eq!(version(&gateway), Some(rustls::ProtocolVersion::TLSv1_2));
    only["ssl_protocols"] = json!(["TLSv1.1"]);
    let refused = gateway.admin("PUT", "/ssls/v", Some(&only));
    assert_eq!(refused.status, 400);
    let text = "ssl_protocols without TLSv1.2 and TLSv1.3 is not supported by this version of Tidegate";
    assert_eq!(refused.json()["error_msg"], text);
}

#[test]
fn a_client_without_a_certificate_is_turned_away_where_one_is_asked_for() {
    let gateway = Gateway::start();
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let upstream = Upstream::saying("let in");
    let mut telling = route("/*", upstream.addr);
    telling["plugins"] = json!({"proxy-rewrite": {"headers": {"set": {
        "X-Subject": "$ssl_client_s_dn", "X-Issuer": "$ssl_client_i_dn",
        "X-Serial": "$ssl_client_serial", "X-Fingerprint": "$ssl_client_fingerprint"}}}});
    gateway.put("/routes/1", &telling);
    let mut asking = ssl(&["m.test"], &authority.issue("m.test"));
    asking["client"] = json!({"ca": clients.pem});
    gateway.put("/ssls/asking", &asking);
    let known = clients.issue("client.test");
    let unknown = strangers.issue("client.test");
    let text = ask(&client(&authority, Some(&known)), gateway.tls, "m.test", "/").unwrap();
    assert!(text.ends_with("let in"), "{text}");
    // What the certificate says can be passed on.
    let seen = upstream.last();
    assert_eq!(seen.header("x-subject"), Some("CN=client.test"));
    assert_eq!(seen.header("x-issuer"), Some("CN=test authority"));
    let hexadecimal = |name: &str| seen.header(name).is_some_and(|text| text.chars().all(|c| c.is_ascii_hexdigit()));
    assert!(hexadecimal("x-serial"), "{:?}", seen.header("x-serial"));
    assert!(hexadecimal("x-fingerprint"), "{:?}", seen.header("x-fingerprint"));
    for (name, pair) in [("no certificate", None), ("a stranger's", Some(&unknown))] {
        assert!(ask(&client(&authority, pair), gateway.tls, "m.test", "/").is_err(), "{name}");
    }
    assert_eq!(upstream.request_count(), 1);

    asking["client"] = json!({"ca": clients.pem, "skip_mtls_uri_regex": ["^/open"]});
    gateway.put("/ssls/asking", &asking);
    let bare = client(&authority, None);
    assert!(ask(&bare, gateway.tls, "m.test", "/open").unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask(&bare, gateway.tls, "m.test", "/closed").unwrap().starts_with("HTTP/1.1 400"));
}

#[test]
fn an_upstream_over_tls_is_not_verified_unless_asked_to() {
    let gateway = Gateway::start();
    let authority = Authority::new();
    let secure = Upstream::secure(server(&authority.issue("up.test")), |_| ok("secured"));
    let mut configured = upstream(secure.addr);
    configured["scheme"] = json!("https");
    gateway.put("/routes/1", &json!({"uri": "/*", "upstream": configured}));
    for _ in 0..3 {
        assert_eq!(gateway.send(get("/")).text(), "secured");
    }
    configured["tls"] = json!({"verify": true});
    gateway.put("/routes/1", &json!({"uri": "/*", "upstream": configured}));
    assert_eq!(gateway.send(get("/")).status, 502, "nobody trusts this certificate");
}

#[test]
fn the_gateway_shows_its_own_certificate_to_an_upstream_that_asks() {
    let gateway = Gateway::start();
    let authority = Authority::new();
    let verifier = WebPkiClientVerifier::builder(Arc::new(authority.roots())).build().unwrap();
    let pair = authority.issue("up.test");
    let builder = ServerConfig::builder().with_client_cert_verifier(verifier);
    let tls = Arc::new(builder.with_single_cert(pair.certificates(), pair.private_key()).unwrap());
    let secure = Upstream::secure(tls, |_| ok("known"));
    let mut configured = upstream(secure.addr);
    configured["scheme"] = json!("https");
    gateway.put("/routes/1", &json!({"uri": "/*", "upstream": configured}));
    assert_eq!(gateway.send(get("/")).status, 502);
    let own = authority.issue("gateway.test");
    configured["tls"] = json!({"client_cert": own.cert, "client_key": own.key});
    gateway.put("/routes/1", &json!({"uri": "/*", "upstream": configured}));
    assert_eq!(gateway.send(get("/")).text(), "known");
    // The same by reference.
    gateway.put("/ssls/own", &json!({"type": "client", "cert": own.cert, "key": own.key}));
    configured["tls"] = json!({"client_cert_id": "own"});
    gateway.put("/routes/1", &json!({"uri": "/*", "upstream": configured}));
    assert_eq!(gateway.send(get("/")).text(), "known");
}
