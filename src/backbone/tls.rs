//! TLS towards engines, by rustls with ring.
//!
//! Owns: how the user's certificates become a configuration. Runs on: worker.
//! Tests: `__test__/backbone/bad-input.test.js`.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::config::{Failure, Reason, Tls};

/// What rustls is to do.
pub(super) fn client_config(options: &Tls) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(&options.authorities)?);
    if added == 0 {
        return Err(bad("no certificate of an authority is usable"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(bad)?
        .with_root_certificates(roots);
    match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(bad)?;
            builder
                .with_client_auth_cert(certificates(certificate)?, key)
                .map_err(bad)
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// Speaks TLS on a socket.
pub(super) async fn connect(
    options: &Tls,
    host: &str,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = options.server_name.as_deref().unwrap_or(host).to_owned();
    let name = ServerName::try_from(name).map_err(bad)?;
    let connector = TlsConnector::from(Arc::new(client_config(options)?));
    Ok(connector.connect(name, socket).await?)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(bad)
}

fn bad(error: impl std::fmt::Display) -> Failure {
    Failure::new(Reason::Tls, error.to_string())
}
