//! Certificates for one test run, made by the `openssl` command.

use std::fs;
use std::process::Command;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// Signs certificates; its own is the one to trust.
pub struct Authority {
    folder: TempDir,
    pub pem: String,
}

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Self { folder, pem: String::new() };
        authority.openssl("ca", "/CN=test authority", &["-addext", "keyUsage=critical,keyCertSign"]);
        Self { pem: authority.read("ca.pem"), ..authority }
    }

    /// A certificate for `name`, as a server's or a client's.
    pub fn issue(&self, name: &str) -> Pair {
        let names = format!("subjectAltName=DNS:{name}");
        let [ca, ca_key] = ["ca.pem", "ca.key"].map(|file| self.folder.path().join(file).display().to_string());
        let options =
            ["-CA", &ca, "-CAkey", &ca_key, "-addext", "basicConstraints=critical,CA:FALSE", "-addext", &names];
        self.openssl("leaf", &format!("/CN={name}"), &options);
        Pair { cert: self.read("leaf.pem"), key: self.read("leaf.key") }
    }

    /// The authority alone.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }

    fn openssl(&self, file: &str, subject: &str, options: &[&str]) {
        let output = Command::new("openssl")
            .current_dir(self.folder.path())
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", subject, "-keyout", &format!("{file}.key"), "-out", &format!("{file}.pem")])
            .args(options)
            .output()
            .unwrap();
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }
}

impl Pair {
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.cert.as_bytes()).collect::<Result<_, _>>().unwrap()
    }

    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}
