//! How a connection to MySQL or MariaDB begins: the greeting, TLS, and the proof of the password.

use kael_net::{NetworkPolicy, Stream, Trust, encrypt, tcp};
use ring::digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Mysql;
use super::link::{Link, Reader};
use super::packet::{PACKET, packet, told};
use crate::db::server::address::Address;
use crate::db::server::failure::Failure;

/// What this client can: no files (0x80), no several statements (0x10000), no compression (0x20).
const CAN: u32 = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x2_0000 | 0x4_0000 | 0x8_0000;
const TLS: u32 = 0x800;
/// utf8mb4_general_ci.
const CHARACTERS: u8 = 45;
/// Steps of a login.
const MAX_STEPS: usize = 6;
const SHA2: &[u8] = b"caching_sha2_password";

/// What a server says of itself.
struct Greeting {
    id: u32,
    is_mariadb: bool,
    can: u32,
    nonce: Vec<u8>,
    login: Vec<u8>,
}

impl Greeting {
    fn read(packet: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader(packet);
        match reader.byte()? {
            10 => {}
            0xff => return Err(unavailable(told(packet)?)),
            _ => return Err(Failure::Nonsense("a greeting of another version")),
        }
        let version = String::from_utf8_lossy(reader.zero_ended()?).into_owned();
        let id = reader.u32_le()?;
        let mut nonce = reader.take(8)?.to_vec();
        reader.byte()?;
        let low = reader.u16_le()?;
        reader.take(3)?;
        let high = reader.u16_le()?;
        let size = usize::from(reader.byte()?).saturating_sub(8).max(13);
        reader.take(10)?;
        nonce.extend_from_slice(reader.take(size)?);
        let login = reader.zero_ended().unwrap_or(reader.0).to_vec();
        nonce.truncate(20);
        Ok(Self {
            id,
            is_mariadb: version.contains("MariaDB"),
            can: u32::from(high) << 16 | u32::from(low),
            nonce,
            login,
        })
    }
}

impl Mysql {
    pub(in crate::db::server) async fn connect(
        address: &Address,
        network: &NetworkPolicy,
        trust: &Trust,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::connect(error, network.advice());
        let closed = |_| Failure::Closed;
        let mut stream = tcp(&address.server, network).await.map_err(failed)?;
        let (greeting, mut number) = greeted(&mut stream).await?;
        let mut can = CAN;
        let stream: Box<dyn Stream> = if address.server.tls {
            if greeting.can & TLS == 0 {
                let why = "the server speaks no TLS".to_owned();
                let hint = "`sslmode=disable` in the grant's `url` sends everything unencrypted"
                    .to_owned();
                return Err(Failure::Unavailable(why, Some(hint)));
            }
            can |= TLS;
            stream
                .write_all(&packet(number, &begin(can)))
                .await
                .map_err(closed)?;
            number = number.wrapping_add(1);
            Box::new(
                encrypt(&address.server, stream, network, trust)
                    .await
                    .map_err(failed)?,
            )
        } else {
            Box::new(stream)
        };
        Self::over(stream, address, &greeting, can, number).await
    }

    /// Logs in over a connection on which nothing was sent since the greeting but how it is encrypted.
    async fn over(
        stream: Box<dyn Stream>,
        address: &Address,
        greeting: &Greeting,
        can: u32,
        number: u8,
    ) -> Result<Self, Failure> {
        let mut own = Self {
            link: Link::new(stream),
            id: greeting.id,
            is_mariadb: greeting.is_mariadb,
            has_begun: false,
        };
        own.log_in(address, greeting, can, number).await?;
        Ok(own)
    }

    /// For the fuzz target: logs in over a connection that is not encrypted.
    #[cfg(fuzzing)]
    pub(super) async fn plain(
        mut stream: impl Stream + 'static,
        address: &Address,
    ) -> Result<Self, Failure> {
        let (greeting, number) = greeted(&mut stream).await?;
        Self::over(Box::new(stream), address, &greeting, CAN, number).await
    }

    async fn log_in(
        &mut self,
        address: &Address,
        greeting: &Greeting,
        can: u32,
        number: u8,
    ) -> Result<(), Failure> {
        // Of another way to log in the server says so.
        let (login, shown) = match proof(&greeting.login, &address.password, &greeting.nonce) {
            Ok(shown) => (&greeting.login[..], shown),
            Err(_) => (&b"mysql_native_password"[..], Vec::new()),
        };
        let mut body = begin(can);
        body.extend_from_slice(address.user.as_bytes());
        body.push(0);
        body.push(u8::try_from(shown.len()).unwrap_or(0));
        body.extend_from_slice(&shown);
        for text in [address.database.as_bytes(), login] {
            body.extend_from_slice(text);
            body.push(0);
        }
        self.link.send(&packet(number, &body)).await?;
        let mut login = login.to_vec();
        for _ in 0..MAX_STEPS {
            let (number, answer) = self.packet().await?;
            let mut reader = Reader(&answer);
            let sent = match (reader.byte()?, reader.0) {
                (0, _) => return Ok(()),
                (0xff, _) => return Err(unavailable(told(&answer)?)),
                (0xfe, []) => return Err(unknown_login()),
                (0xfe, _) => {
                    login = reader.zero_ended()?.to_vec();
                    let nonce = reader.0.strip_suffix(b"\0").unwrap_or(reader.0);
                    proof(&login, &address.password, nonce)?
                }
                (1, [3]) if login == SHA2 => continue,
                (1, [4]) if login == SHA2 && address.server.tls => {
                    [address.password.as_bytes(), b"\0"].concat()
                }
                (1, [4]) if login == SHA2 => {
                    let why = "the server wants the password itself, which goes over TLS alone"
                        .to_owned();
                    let hint = "leave `sslmode=disable` out of the grant's `url`, or log in once from elsewhere: the server remembers it".to_owned();
                    return Err(Failure::Unavailable(why, Some(hint)));
                }
                _ => return Err(unknown_login()),
            };
            self.link
                .send(&packet(number.wrapping_add(1), &sent))
                .await?;
        }
        Err(unknown_login())
    }
}

/// What a server says first, and the number of the answer.
async fn greeted(stream: &mut impl Stream) -> Result<(Greeting, u8), Failure> {
    let closed = |_| Failure::Closed;
    // Without a buffer: what follows may be TLS, and no byte before it counts as a part of that.
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(closed)?;
    let size = usize::from(head[0]) | usize::from(head[1]) << 8;
    if head[2] > 0 {
        return Err(Failure::Nonsense("a greeting of more than 64 KiB"));
    }
    let mut body = vec![0; size];
    stream.read_exact(&mut body).await.map_err(closed)?;
    Ok((Greeting::read(&body)?, head[3].wrapping_add(1)))
}

/// How every login begins.
fn begin(can: u32) -> Vec<u8> {
    let mut body = can.to_le_bytes().to_vec();
    body.extend(u32::try_from(PACKET).unwrap_or(0).to_le_bytes());
    body.push(CHARACTERS);
    body.extend([0; 23]);
    body
}

/// What shows that the password is known, without showing it.
fn proof(login: &[u8], password: &str, nonce: &[u8]) -> Result<Vec<u8>, Failure> {
    let hash = |algorithm, parts: &[&[u8]]| {
        let mut context = digest::Context::new(algorithm);
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let algorithm = match login {
        b"mysql_native_password" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        SHA2 => &digest::SHA256,
        _ => return Err(unknown_login()),
    };
    if nonce.len() != 20 {
        return Err(Failure::Nonsense("a login without its 20 bytes"));
    }
    if password.is_empty() {
        return Ok(Vec::new());
    }
    let once = hash(algorithm, &[password.as_bytes()]);
    let twice = hash(algorithm, &[once.as_ref()]);
    let with_nonce = match login {
        SHA2 => hash(algorithm, &[twice.as_ref(), nonce]),
        _ => hash(algorithm, &[nonce, twice.as_ref()]),
    };
    let mixed = once.as_ref().iter().zip(with_nonce.as_ref());
    Ok(mixed.map(|(a, b)| a ^ b).collect())
}

fn unknown_login() -> Failure {
    let why = "the server wants a login that Kael does not know".to_owned();
    let hint = "mysql_native_password and caching_sha2_password are known".to_owned();
    Failure::Unavailable(why, Some(hint))
}

fn unavailable((_, why): (u16, String)) -> Failure {
    Failure::Unavailable(why, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_proves_the_password() {
        let nonce = [7; 20];
        assert_eq!(proof(SHA2, "", &nonce), Ok(Vec::new()));
        assert_eq!(proof(SHA2, "x", &nonce).expect("a proof").len(), 32);
        assert_eq!(
            proof(b"mysql_native_password", "x", &nonce)
                .expect("a proof")
                .len(),
            20
        );
        assert!(proof(b"mysql_clear_password", "x", &nonce).is_err());
        assert!(proof(SHA2, "x", b"short").is_err());
    }

    #[test]
    fn a_greeting_that_is_cut_is_an_error_and_no_panic() {
        let mut whole = b"\x0a10.11.19-MariaDB\0".to_vec();
        whole.extend(7_u32.to_le_bytes());
        whole.extend(b"12345678\0\xff\xff\x2d\x02\0\xff\xff\x15");
        whole.extend([0; 10]);
        whole.extend(b"123456789012\0mysql_native_password\0");
        let greeting = Greeting::read(&whole).expect("a greeting");
        assert_eq!((greeting.id, greeting.is_mariadb), (7, true));
        assert_eq!(greeting.nonce, b"12345678123456789012");
        assert_eq!(greeting.login, b"mysql_native_password");
        for size in 0..whole.len() - 23 {
            assert!(Greeting::read(&whole[..size]).is_err(), "{size}");
        }
    }
}
