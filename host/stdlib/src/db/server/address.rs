//! The URL of a database server, as a grant gives it: `postgres://user:password@db.internal/shop`.

use std::net::IpAddr;

use kael_engine::catalog::Destination;
use kael_engine::text::percent_decoded;
use kael_net::Target;

/// What speaks at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    /// And MariaDB.
    Mysql,
}

/// Where a database is, and who opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) engine: Engine,
    pub(super) server: Target,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
}

/// Whether a URL names a server of a database.
pub(in crate::db) fn is_server(url: &str) -> bool {
    engine(url).is_some()
}

fn engine(url: &str) -> Option<(Engine, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let engine = match scheme {
        "postgres" | "postgresql" => Engine::Postgres,
        "mysql" | "mariadb" => Engine::Mysql,
        _ => return None,
    };
    Some((engine, rest))
}

impl Address {
    /// Reads a URL. The errors name no part of it: it has a password.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub(super) fn read(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(what.to_owned());
        let Some((engine, rest)) = engine(url) else {
            return wrong("it is no URL such as postgres://user:password@host/name");
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let Some((user, place)) = authority.rsplit_once('@') else {
            return wrong("it names no user: postgres://user:password@host/name");
        };
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let default = match engine {
            Engine::Postgres => 5432,
            Engine::Mysql => 3306,
        };
        let Some((host, port)) = host_and_port(place, default) else {
            return wrong("its host or its port is none: host:5432");
        };
        let mut tls = !is_here(&host);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            tls = encrypted(option)?;
        }
        let (Some(user), Some(password), Some(database)) = (
            percent_decoded(user),
            percent_decoded(password),
            percent_decoded(database),
        ) else {
            return wrong("a % in it stands for no character");
        };
        if user.is_empty() || database.is_empty() {
            return wrong("it names no user or no database: postgres://user:password@host/name");
        }
        let has_zero = |text: &String| text.contains('\0');
        if [&user, &password, &database].into_iter().any(has_zero) {
            return wrong("it has a zero byte");
        }
        Ok(Self {
            engine,
            server: Target { host, port, tls },
            user,
            password,
            database,
        })
    }

    /// The server as grants name it.
    pub(super) fn destination(&self) -> Option<Destination> {
        let text = format!("{}:{}", self.server.host, self.server.port);
        text.parse().ok()
    }
}

/// Whether the connection is encrypted, with a certificate that is checked.
fn encrypted(option: &str) -> Result<bool, String> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    if !matches!(name, "sslmode" | "ssl-mode") {
        let name: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        return Err(format!("there is no option `{name}` of it: only sslmode"));
    }
    let value = value.to_ascii_lowercase().replace('_', "-");
    match value.as_str() {
        "disable" | "disabled" => Ok(false),
        "require" | "required" | "verify-ca" | "verify-full" | "verify-identity" => Ok(true),
        _ => Err("sslmode is `verify-full`, or `disable` for no encryption".to_owned()),
    }
}

/// Whether a host can be this machine alone.
fn is_here(host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback())
}

fn host_and_port(place: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (place, ""),
    };
    let port = match port {
        "" if host.len() == place.len() => default,
        port if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        _ => return None,
    };
    (!host.is_empty() && port > 0).then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let address = Address::read("postgres://me:p%40ss@DB.internal:6000/shop").expect("read");
        assert_eq!(address.password, "p@ss");
        assert_eq!(
            (address.user.as_str(), address.database.as_str()),
            ("me", "shop")
        );
        let server = |url: &str| Address::read(url).expect(url).server;
        let target = |host: &str, port, tls| Target {
            host: host.to_owned(),
            port,
            tls,
        };
        for (url, expected) in [
            (
                "postgresql://a@db.internal/x",
                target("db.internal", 5432, true),
            ),
            ("mysql://a@[::1]/x", target("[::1]", 3306, false)),
            ("mysql://a@[::1]:1/x", target("[::1]", 1, false)),
            (
                "mariadb://a@127.0.0.1/x?ssl-mode=VERIFY_IDENTITY",
                target("127.0.0.1", 3306, true),
            ),
            (
                "postgres://a@b.example/x?sslmode=disable",
                target("b.example", 5432, false),
            ),
            (
                "postgres://a@127.0.0.1.example/x",
                target("127.0.0.1.example", 5432, true),
            ),
        ] {
            assert_eq!(server(url), expected, "{url}");
        }
        for url in [
            "sqlite:x.db",
            "postgres://host/x",
            "postgres://a@/x",
            "postgres://a@host:/x",
            "postgres://a@host:0/x",
            "postgres://a@host:+5/x",
            "postgres://a@host",
            "postgres://a%0@host/x",
            "postgres://a%00@host/x",
            "postgres://a@host/x?sslmode=prefer",
            "postgres://a@host/x?options=-c",
        ] {
            assert!(Address::read(url).is_err(), "{url}");
        }
    }
}
