//! Connects to a request's target: looks the name up once, checks each address against the policy,
//! and connects to one that passed. There is no second look-up, which could return another address.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::error::ConnectError;
use crate::network_policy::{NetworkPolicy, address};
use crate::target::Target;
use crate::trust::{Known, Trust};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to an allowed target. `name` is its normalised name in the policy.
///
/// # Errors
/// Why there is no connection.
pub async fn open(
    target: &Target,
    name: &str,
    network: &NetworkPolicy,
    trust: &Trust,
) -> Result<Box<dyn Stream>, ConnectError> {
    let stream = plain(target, name, network).await?;
    if target.tls {
        let known = known(network, trust).await?;
        secure(target, stream, network, known, known.config.clone()).await
    } else {
        Ok(Box::new(stream))
    }
}

/// Connects to a target without encryption, if the policy allows its name: for protocols that begin
/// in the clear, and that `encrypt` goes on with.
///
/// # Errors
/// Why there is no connection.
pub async fn tcp(target: &Target, network: &NetworkPolicy) -> Result<TcpStream, ConnectError> {
    let name = network.may_request(&target.host, target.port);
    plain(target, &name.ok_or(ConnectError::Prohibited)?, network).await
}

/// Encrypts a connection to a target, whose protocol is named in no handshake.
///
/// # Errors
/// When the server is not who it should be, or speaks no TLS.
pub async fn encrypt(
    target: &Target,
    stream: TcpStream,
    network: &NetworkPolicy,
    trust: &Trust,
) -> Result<Box<dyn Stream>, ConnectError> {
    let known = known(network, trust).await?;
    let mut config = rustls::ClientConfig::clone(&known.config);
    config.alpn_protocols.clear();
    secure(target, stream, network, known, Arc::new(config)).await
}

async fn plain(
    target: &Target,
    name: &str,
    network: &NetworkPolicy,
) -> Result<TcpStream, ConnectError> {
    let answers = match address(&target.host) {
        Some(ip) => vec![ip],
        None => look_up(target).await?,
    };
    let stream = connect(&permitted(answers, name, target.port, network)?).await?;
    // A request is written in a few pieces that must not wait for each other.
    stream.set_nodelay(true).ok();
    Ok(stream)
}

async fn known<'a>(network: &NetworkPolicy, trust: &'a Trust) -> Result<&'a Known, ConnectError> {
    trust.known().await.map_err(|error| {
        network.advise(error);
        ConnectError::Certificate
    })
}

async fn look_up(target: &Target) -> Result<Vec<IpAddr>, ConnectError> {
    let answers = lookup_host((target.host.as_str(), target.port)).await;
    let unknown = ConnectError::Dns;
    let answers: Vec<_> = answers
        .map_err(|error| unknown(error.to_string()))?
        .map(|address| address.ip())
        .collect();
    if answers.is_empty() {
        return Err(unknown("no address".to_owned()));
    }
    Ok(answers)
}

/// The addresses of a name that the policy allows.
fn permitted(
    answers: Vec<IpAddr>,
    name: &str,
    port: u16,
    network: &NetworkPolicy,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let permitted: Vec<_> = answers
        .into_iter()
        .filter(|ip| network.accept_dns_answer(name, *ip))
        .map(|ip| SocketAddr::new(ip, port))
        // Linux routes 0.0.0.0 to loopback.
        .filter(|address| !address.ip().to_canonical().is_unspecified())
        .filter(|address| network.may_connect(*address))
        .collect();
    if permitted.is_empty() {
        return Err(ConnectError::Prohibited);
    }
    Ok(permitted)
}

/// Connects to the first address that accepts.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut last = ConnectError::Unavailable;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = refused(&error),
        }
    }
    Err(last)
}

fn refused(error: &io::Error) -> ConnectError {
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectError::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => ConnectError::Terminated,
        ErrorKind::TimedOut => ConnectError::Timeout,
        _ => ConnectError::Unavailable,
    }
}

async fn secure(
    target: &Target,
    stream: TcpStream,
    network: &NetworkPolicy,
    known: &Known,
    config: Arc<rustls::ClientConfig>,
) -> Result<Box<dyn Stream>, ConnectError> {
    let host = target.host.trim_matches(['[', ']']);
    let host = host.strip_suffix('.').unwrap_or(host);
    let server = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::InvalidUri)?;
    let connector = TlsConnector::from(config);
    match connector.connect(server, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => {
            let said = error.get_ref().and_then(|inner| inner.downcast_ref());
            if let Some(said @ rustls::Error::InvalidCertificate(_)) = said {
                network.advise(format!(
                    "`{host}:{}` is not trusted: {said}; its authority is looked for in {}, and in another file if SSL_CERT_FILE names one",
                    target.port,
                    known.file.display()
                ));
            }
            Err(insecure(&error, said))
        }
    }
}

fn insecure(error: &io::Error, said: Option<&rustls::Error>) -> ConnectError {
    match said {
        Some(rustls::Error::InvalidCertificate(_)) => ConnectError::Certificate,
        Some(rustls::Error::AlertReceived(alert)) => {
            ConnectError::TlsAlert(u8::from(*alert), format!("{alert:?}"))
        }
        Some(_) => ConnectError::TlsProtocol,
        None if error.kind() == ErrorKind::UnexpectedEof => ConnectError::Terminated,
        None => refused(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(named: &[&str]) -> NetworkPolicy {
        let named: Vec<_> = named.iter().map(|text| text.parse().expect(text)).collect();
        NetworkPolicy::new(&named, "the definition's `network`")
    }

    fn of(network: &NetworkPolicy, name: &str, answers: &[&str]) -> Option<Vec<String>> {
        let answers = answers.iter().map(|text| text.parse().expect(text));
        let permitted = permitted(answers.collect(), name, 80, network).ok()?;
        Some(permitted.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn of_a_names_addresses_those_are_left_that_it_may_have() {
        let network = network(&["example.org:80", "0.0.0.0/8:80", "db.internal:80"]);
        let both = of(
            &network,
            "example.org",
            &["127.0.0.1", "192.0.2.7", "10.0.0.1"],
        );
        assert_eq!(both, Some(vec!["192.0.2.7:80".to_owned()]));
        for inside in [
            "127.0.0.1",
            "169.254.169.254",
            "::1",
            "fd00::1",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(of(&network, "example.org", &[inside]), None, "{inside}");
        }
        assert_eq!(
            of(&network, "db.internal", &["10.0.0.1"]).map(|all| all.len()),
            Some(1)
        );
        assert_eq!(
            of(&network, "db.internal", &["127.0.0.1", "0.0.0.0", "::"]),
            None
        );
        // A range allows addresses of hosts, but not the unspecified address.
        assert_eq!(of(&network, "0.0.0.0", &["0.0.0.0"]), None);
    }
}
