//! The certificate authorities that this machine trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use kael_engine::environment::Environment;

/// Where Linux distributions keep them, as one file.
const FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities, read for the first request.
pub struct Trust {
    /// The file that the environment variable names.
    file: Option<PathBuf>,
    known: OnceCell<Known>,
}

/// The file that was read, and the TLS settings made from it.
#[derive(Clone)]
pub struct Known {
    /// The file.
    pub file: PathBuf,
    /// For clients.
    pub config: Arc<ClientConfig>,
}

impl Trust {
    /// Authorities of this machine, or those of the file that `SSL_CERT_FILE` names.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        Self::of_file(environment.path("SSL_CERT_FILE"))
    }

    /// Those of a file, or of this machine without one.
    #[must_use]
    pub fn of_file(file: Option<PathBuf>) -> Self {
        Self {
            file,
            known: OnceCell::new(),
        }
    }

    /// Reads the authorities once.
    ///
    /// # Errors
    /// Why there are none, and the remedy.
    pub async fn known(&self) -> Result<&Known, String> {
        let read = async || {
            let file = self.file.clone();
            let work = move || read(file);
            let read = tokio::task::spawn_blocking(work).await;
            read.unwrap_or_else(|error| Err(error.to_string()))
        };
        self.known.get_or_try_init(read).await
    }
}

fn read(named: Option<PathBuf>) -> Result<Known, String> {
    let there = || FILES.iter().map(PathBuf::from).find(|file| file.is_file());
    let Some(file) = named.clone().or_else(there) else {
        let files = FILES.join(", ");
        return Err(format!(
            "this machine has no certificate authorities to check a server's certificate with, in none of {files}: install `ca-certificates`, or name a file of them in SSL_CERT_FILE"
        ));
    };
    let config = config(&file).map_err(|error| {
        let whence = if named.is_some() {
            " (from SSL_CERT_FILE)"
        } else {
            ""
        };
        format!("{}{whence}: {error}", file.display())
    })?;
    Ok(Known { file, config })
}

fn config(file: &Path) -> Result<Arc<ClientConfig>, String> {
    let certificates = CertificateDer::pem_file_iter(file)
        .map_err(|error| format!("certificate authorities cannot be read: {error}"))?;
    client(certificates.flatten())
}

/// TLS settings that trust the authorities of a PEM text and no others.
///
/// # Errors
/// When it has no certificate.
pub fn trusting(pem: &[u8]) -> Result<Arc<ClientConfig>, String> {
    client(CertificateDer::pem_slice_iter(pem).flatten())
}

fn client(
    certificates: impl Iterator<Item = CertificateDer<'static>>,
) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // A certificate that cannot be parsed is not trusted.
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err("it has no certificate".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // No session is shared between calls.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
