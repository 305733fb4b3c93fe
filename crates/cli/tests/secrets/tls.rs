//! Vault behind TLS, with an authority of one's own.

use std::fs;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::installation::Installation;
use crate::vault_server::{Connection, TOKEN, Vault};

impl Connection for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
        let _ = self.sock.shutdown(Shutdown::Write);
    }
}

use std::io::Write as _;

/// An authority's certificate in PEM, and what a server with a certificate of it needs.
fn authority() -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = server.signed_by(&server_key, &Issuer::new(params, key)).unwrap();
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .unwrap();
    (pem, Arc::new(config))
}

#[test]
fn only_who_the_authority_of_the_configuration_has_signed_is_told_the_token() {
    let (pem, config) = authority();
    let vault = Vault::serve("https", move |stream| {
        Some(Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).ok()?, stream)))
    });
    let installation = Installation::with(&json!(null));
    let path = |name: &str| installation.path(name);
    fs::write(path("token"), TOKEN).unwrap();
    fs::write(path("ca.pem"), pem).unwrap();
    fs::write(path("other.pem"), authority().0).unwrap();
    fs::write(path("none.pem"), "no certificate").unwrap();
    let with_ca = |name: Option<&str>| {
        installation.change(|config| {
            config["secrets"] = json!({
                "store": "vault", "address": vault.address, "path": "mps/test", "token_file": path("token"),
                "ca_file": name.map(path),
            });
        });
        installation.run(&["init"])
    };
    for name in [None, Some("other.pem")] {
        let said = with_ca(name).refused();
        assert!(said.contains("its certificate is not signed by secrets.ca_file"), "{said}");
    }
    assert!(with_ca(Some("none.pem")).refused().contains("no certificate in PEM"));
    assert_eq!(vault.with(|state| state.requests.len()), 0);
    with_ca(Some("ca.pem")).ok();
    installation.run(&["list"]).ok();
    assert!(vault.with(|state| state.requests.len()) > 0);
}
