//! TLS of the adapters that come ready made: rustls with `ring`, because it builds
//! everywhere with a C compiler alone.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// Trusts what the system trusts. Where that cannot be read nothing is trusted, and
/// `https` fails with a sentence about the certificate, while `http` works.
#[expect(
    clippy::expect_used,
    reason = "it depends on constants of two crates alone"
)]
pub(crate) fn config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .expect("ring speaks the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
