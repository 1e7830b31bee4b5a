//! What clients over TLS must show, and when. The certificates were made for these tests and secure nothing:
//! `client` is signed by the authority itself, `near` through one other certificate, `far` through two, `stranger` by
//! nobody.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use config::settings::Settings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use super::fixture::{Gateway, PATIENCE, status};

const CA: &str = include_str!("../../tls/testdata/ca.pem");
const SERVER: &str = include_str!("../../tls/testdata/server.pem");
const SERVER_KEY: &str = include_str!("../../tls/testdata/server.key.pem");

type Pair = (&'static str, &'static str);

const CLIENT: Pair = (include_str!("../../tls/testdata/client.pem"), include_str!("../../tls/testdata/client.key.pem"));
const NEAR: Pair = (include_str!("../../tls/testdata/near.pem"), include_str!("../../tls/testdata/near.key.pem"));
const FAR: Pair = (include_str!("../../tls/testdata/far.pem"), include_str!("../../tls/testdata/far.key.pem"));
const STRANGER: Pair =
    (include_str!("../../tls/testdata/stranger.pem"), include_str!("../../tls/testdata/stranger.key.pem"));

/// A gateway that answers everything, as `a.test` with what `client` asks, as `b.test` without.
fn gateway(client: Value) -> Gateway {
    gateway_with(Settings::default(), client)
}

fn gateway_with(settings: Settings, client: Value) -> Gateway {
    let ssl = |sni: &str| json!({"sni": sni, "cert": SERVER, "key": SERVER_KEY});
    let mut guarded = ssl("A.test.");
    guarded["client"] = client;
    Gateway::configured(
        settings,
        &[
            ("/apisix/routes/1", json!({"uri": "/*", "plugins": {"picky": {}}})),
            ("/apisix/ssls/a", guarded),
            ("/apisix/ssls/b", ssl("b.test")),
        ],
    )
}

/// What a client asks for.
struct Call {
    sni: &'static str,
    host: &'static str,
    path: &'static str,
    shows: Option<Pair>,
}

const PLAIN: Call = Call { sni: "a.test", host: "a.test", path: "/", shows: None };

impl Call {
    fn connect(&self, gateway: &Gateway) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CA.as_bytes()).expect("a CA")).expect("a CA");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(roots);
        let mut config = match self.shows {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).map(|cert| cert.expect("PEM")).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from(self.sni).expect("a name");
        let socket = TcpStream::connect(gateway.tls).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), socket)
    }

    /// The status of the answer; `None` if the handshake was refused.
    fn status(&self, gateway: &Gateway) -> Option<u16> {
        let mut stream = self.connect(gateway);
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.path, self.host);
        stream.write_all(request.as_bytes()).ok()?;
        let mut response = Vec::new();
        // A gateway that closes without saying goodbye in TLS has still answered.
        let _ = stream.read_to_end(&mut response);
        (!response.is_empty()).then(|| status(&String::from_utf8_lossy(&response)))
    }
}

fn http1_only() -> Settings {
    let mut settings = Settings::default();
    settings.apisix.enable_http2 = false;
    settings
}

#[test]
fn without_exempt_paths_the_handshake_asks_for_a_good_certificate() {
    let gateway = gateway_with(http1_only(), json!({"ca": CA}));
    assert_eq!(PLAIN.status(&gateway), None);
    assert_eq!(Call { shows: Some(STRANGER), ..PLAIN }.status(&gateway), None);
    assert_eq!(Call { shows: Some(CLIENT), ..PLAIN }.status(&gateway), Some(200));
    assert_eq!(Call { sni: "b.test", host: "b.test", ..PLAIN }.status(&gateway), Some(200));
}

#[test]
fn another_name_in_the_handshake_opens_no_guarded_host() {
    let gateway = gateway_with(http1_only(), json!({"ca": CA}));
    for host in ["a.test", "A.TEST", "a.test.", "a.test:443"] {
        assert_eq!(Call { sni: "b.test", host, ..PLAIN }.status(&gateway), Some(400), "{host}");
    }
    let proved = Call { shows: Some(CLIENT), ..PLAIN };
    assert_eq!(Call { host: "b.test", ..proved }.status(&gateway), Some(200));
}

#[test]
fn exempt_paths_need_no_certificate_and_all_others_a_good_one() {
    let gateway = gateway_with(http1_only(), json!({"ca": CA, "skip_mtls_uri_regex": ["^/open/"]}));
    for (path, shows, wanted) in [
        ("/open/door", None, 200),
        ("/closed", None, 400),
        ("/open/../closed", None, 400),
        ("/open/door", Some(STRANGER), 200),
        ("/closed", Some(STRANGER), 400),
        ("/closed", Some(CLIENT), 200),
    ] {
        assert_eq!(Call { path, shows, ..PLAIN }.status(&gateway), Some(wanted), "{path} {}", shows.is_some());
    }
}

#[test]
fn another_host_opens_no_more_than_the_exempt_paths_of_the_name_in_the_handshake() {
    let gateway = gateway_with(http1_only(), json!({"ca": CA, "skip_mtls_uri_regex": ["^/open/"]}));
    for (host, path, shows, wanted) in [
        ("b.test", "/closed", None, 400),
        ("nobody", "/closed", None, 400),
        ("a.test", "http://nobody/closed", None, 400),
        ("nobody", "/closed", Some(STRANGER), 400),
        ("nobody", "/open/door", None, 200),
        ("nobody", "/closed", Some(CLIENT), 200),
    ] {
        assert_eq!(Call { host, path, shows, ..PLAIN }.status(&gateway), Some(wanted), "{host} {path}");
    }
}

#[test]
fn a_chain_is_followed_as_deep_as_configured() {
    for (depth, shows, wanted) in
        [(1, NEAR, Some(200)), (1, FAR, None), (2, FAR, Some(200)), (0, CLIENT, Some(200)), (0, NEAR, None)]
    {
        let gateway = gateway_with(http1_only(), json!({"ca": CA, "depth": depth}));
        assert_eq!(Call { shows: Some(shows), ..PLAIN }.status(&gateway), wanted, "depth {depth}");
    }
}

#[test]
fn http2_is_offered_only_where_it_is_on() {
    let offered = |gateway: &Gateway| {
        let mut stream = Call { sni: "b.test", ..PLAIN }.connect(gateway);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).expect("a handshake");
        }
        stream.conn.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(offered(&gateway(Value::Null)), Some(b"h2".to_vec()));
    assert_eq!(offered(&gateway_with(http1_only(), Value::Null)), Some(b"http/1.1".to_vec()));
}
