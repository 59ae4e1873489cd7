//! What an operator decides about the server: `serve.yaml`, every key of it checked.

mod oidc;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kael_engine::catalog::Destination;
use kael_engine::policy::Node;
use kael_engine::policy::grants::FileGrants;
pub use kael_engine::settings_file::SettingsError as ConfigError;
use kael_engine::settings_file::{Errors, Table, read_settings};
use kael_engine::units::{ByteSize, Count, TimeLimit};

use crate::checkout::GitSettings;
use crate::dial::Address;
use crate::tenant_settings::{RunLimits, TenantSettings};
pub(crate) use oidc::is_private;
pub use oidc::{OidcConfig, TenantBy};

/// Bytes that the file may have.
pub const MAX_SIZE: u64 = 1 << 20;

/// The settings of a server.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// The file that they are from.
    pub file: Option<PathBuf>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address by which people reach it, if that is another one.
    pub public_url: Option<String>,
    /// The folder with everything that it keeps.
    pub data: PathBuf,
    /// The files of its certificate and its key.
    pub tls: Option<Tls>,
    /// Runs at the same time.
    pub slots: u32,
    /// How long runs may go on once the server was told to end.
    pub drain: Duration,
    /// Requests a second that a token may send.
    pub rate: u32,
    /// Connections at the same time.
    pub connections: usize,
    /// Connections of one peer; a quarter of `connections` if it is not said.
    pub per_peer: Option<usize>,
    /// The collector of traces: its address.
    pub otlp: Option<Address>,
    /// Where webhooks that go out may be sent, beside names of the internet.
    pub deliver_to: Vec<Destination>,
    /// The provider whose people sign in.
    pub oidc: Option<OidcConfig>,
    /// The tenants that the file names. Others may have been made by a request.
    pub tenants: Vec<(String, TenantSettings)>,
}

/// The files of a certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain, as PEM.
    pub certificate: PathBuf,
    /// The key, as PEM.
    pub key: PathBuf,
}

impl ServeConfig {
    /// The settings without a file.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            file: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 7788)),
            public_url: None,
            data,
            tls: None,
            slots: u32::try_from(32 * processors).unwrap_or(64).min(1024),
            drain: Duration::from_secs(30),
            rate: 500,
            connections: 10_000,
            per_peer: None,
            otlp: None,
            deliver_to: Vec::new(),
            oidc: None,
            tenants: Vec::new(),
        }
    }

    /// The files that are the server's alone: its settings, the key of its certificate, and what it shows a provider.
    pub(crate) fn private_files(&self) -> impl Iterator<Item = &Path> {
        let key = self.tls.as_ref().map(|tls| &tls.key);
        let secret = self
            .oidc
            .as_ref()
            .and_then(|oidc| oidc.client_secret.as_ref());
        let files = [self.file.as_ref(), key, secret];
        files.into_iter().flatten().map(PathBuf::as_path)
    }

    /// Connections of one peer at the same time.
    #[must_use]
    pub fn connections_per_peer(&self) -> usize {
        self.per_peer.unwrap_or((self.connections / 4).max(1))
    }

    /// The settings of a file. Relative paths start at its folder.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub fn parse(
        name: &str,
        text: &str,
        folder: &Path,
        data: PathBuf,
    ) -> Result<Self, ConfigError> {
        read_settings(name, text, |root, errors| {
            let mut config = Self::new(data);
            config.read(root, folder, errors);
            config
        })
    }

    fn read(&mut self, root: &Node, folder: &Path, errors: &mut Errors) {
        const KEYS: &[&str] = &[
            "listen",
            "public_url",
            "data",
            "tls",
            "slots",
            "drain",
            "rate",
            "connections",
            "connections_per_peer",
            "otlp",
            "deliver_to",
            "oidc",
            "tenants",
        ];
        let Some(mut table) = Table::of(root, "the file", KEYS, errors) else {
            return;
        };
        table.parse(
            "listen",
            "an address and a port, such as 127.0.0.1:7788",
            &mut self.listen,
        );
        if let Some(text) = table.text("public_url") {
            match text.starts_with("http://") || text.starts_with("https://") {
                true => self.public_url = Some(text.trim_end_matches('/').to_owned()),
                false => table.wrong("public_url", "must start with http:// or https://"),
            }
        }
        if let Some(path) = table.path("data", folder) {
            self.data = path;
        }
        if let Some(mut tls) = table.table("tls", &["certificate", "key"]) {
            match (tls.path("certificate", folder), tls.path("key", folder)) {
                (Some(certificate), Some(key)) => self.tls = Some(Tls { certificate, key }),
                _ => tls.wrong_itself("needs `certificate` and `key`"),
            }
        }
        if let Some(mut otlp) = table.table("otlp", &["endpoint"]) {
            match otlp.text("endpoint").map(Address::parse) {
                None => otlp.wrong_itself("needs an `endpoint`"),
                Some(Ok(address)) => self.otlp = Some(address),
                Some(Err(_)) => otlp.wrong(
                    "endpoint",
                    "must be the address of a collector without a path, such as http://127.0.0.1:4318",
                ),
            }
        }
        if let Some(count) = table.parsed::<Count<100_000>>("slots") {
            self.slots = count.get();
        }
        if let Some(count) = table.parsed::<Count<1_000_000>>("rate") {
            self.rate = count.get();
        }
        if let Some(count) = table.parsed::<Count<1_000_000>>("connections") {
            self.connections = count.get() as usize;
        }
        if let Some(count) = table.parsed::<Count<1_000_000>>("connections_per_peer") {
            self.per_peer = Some(count.get() as usize);
        }
        if let Some(time) = table.parsed::<TimeLimit>("drain") {
            self.drain = time.duration();
        }
        if let Some(oidc) = table.table("oidc", oidc::KEYS) {
            self.oidc = OidcConfig::read(oidc, folder);
        }
        for text in table.texts("deliver_to") {
            match text.parse() {
                Ok(destination) => self.deliver_to.push(destination),
                Err(error) => table.wrong("deliver_to", &format!("is wrong: {error}")),
            }
        }
        let tenants = &mut self.tenants;
        table.for_tables("tenants", TENANT_KEYS, |mut tenant| {
            let Some(name) = tenant.text("name").map(str::to_owned) else {
                return tenant.wrong_itself("needs a `name`");
            };
            if let Err(error) = kael_engine::run_info::Tenant::new(&name) {
                tenant.wrong("name", &format!("is no name: {error}"));
            }
            if tenants.iter().any(|(other, _)| *other == name) {
                tenant.wrong("name", &format!("is `{name}` a second time"));
            }
            let settings = tenant_settings(&mut tenant, folder);
            tenants.push((name, settings));
        });
    }
}

const TENANT_KEYS: &[&str] = &[
    "name",
    "actions",
    "git",
    "policy",
    "weight",
    "max_running",
    "max_queued",
    "max_waiting",
    "keep_runs",
    "keep_output",
    "max_storage",
    "limits",
    "env",
    "secrets",
    "grants",
];

fn tenant_settings(table: &mut Table<'_>, folder: &Path) -> TenantSettings {
    let mut settings = TenantSettings {
        actions: table.path("actions", folder),
        policy: table
            .texts("policy")
            .into_iter()
            .map(|path| folder.join(path))
            .collect(),
        ..TenantSettings::default()
    };
    if let Some(count) = table.parsed::<Count<1000>>("weight") {
        settings.weight = count.get();
    }
    if let Some(count) = table.parsed::<Count<100_000>>("max_running") {
        settings.max_running = count.get();
    }
    if let Some(count) = table.parsed::<Count<10_000_000>>("max_queued") {
        settings.max_queued = u64::from(count.get());
    }
    if let Some(count) = table.parsed::<Count<10_000_000>>("max_waiting") {
        settings.max_waiting = u64::from(count.get());
    }
    for (key, kept) in [
        ("keep_runs", &mut settings.keep_runs),
        ("keep_output", &mut settings.keep_output),
    ] {
        if table.parsed::<TimeLimit>(key).is_some() {
            *kept = table.text(key).unwrap_or_default().to_owned();
        }
    }
    if table.parsed::<ByteSize>("max_storage").is_some() {
        settings.max_storage = table.text("max_storage").unwrap_or_default().to_owned();
    }
    const GIT: &[&str] = &["url", "ref", "folder", "every", "secret"];
    if let Some(mut git) = table.table("git", GIT) {
        let mut text = |key| git.text(key).map(str::to_owned);
        let read = GitSettings {
            url: text("url").unwrap_or_default(),
            reference: text("ref"),
            folder: text("folder"),
            every: text("every"),
            secret: text("secret"),
        };
        if let Err(why) = read.check() {
            let line = git.line();
            git.wrong_at(line, &why);
        }
        settings.git = Some(read);
    }
    if settings.git.is_some() && settings.actions.is_some() {
        table.wrong("git", "stands beside `actions`: give one of them");
    }
    settings.env = table.map("env");
    settings.secrets = table.path("secrets", folder);
    settings.grants = table.get("grants").map(|node| {
        let read = FileGrants::of(node, "`grants`");
        for mistake in read.err().into_iter().flatten() {
            table.wrong_at(mistake.line, &mistake.message);
        }
        node.json()
    });
    const LIMITS: &[&str] = &["memory", "cpu", "timeout", "output", "calls", "parallel"];
    if let Some(mut limits) = table.table("limits", LIMITS) {
        let text = |limits: &mut Table<'_>, key| limits.text(key).map(str::to_owned);
        settings.limits = RunLimits {
            memory: text(&mut limits, "memory"),
            cpu: text(&mut limits, "cpu"),
            timeout: text(&mut limits, "timeout"),
            output: text(&mut limits, "output"),
            calls: limits.parsed::<Count<10_000_000>>("calls").map(Count::get),
            parallel: limits.parsed::<Count<10_000>>("parallel").map(Count::get),
        };
        if let Err(why) = settings.limits.within(&crate::tenant_settings::ceiling()) {
            limits.wrong_itself(&format!("is wrong: {why}"));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ServeConfig, String> {
        let config = ServeConfig::parse("serve.yaml", text, Path::new("/etc/kael"), "/data".into());
        config.map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_sets_what_it_names() {
        let config = parsed(
            "listen: 0.0.0.0:80\npublic_url: https://kael.example.org/\ntls: { certificate: c.pem, key: /k.pem }\n\
             slots: 5\ndrain: 1m\ntenants:\n  - name: acme\n    actions: acme/actions\n    policy: [p.yaml]\n\
             \x20   weight: 3\n    limits: { memory: 1GiB, calls: 7 }\n    env: { TOKEN: x }\n\
             \x20   keep_output: 1d\n    max_storage: 1GiB\n  - name: other\n",
        )
        .expect("a configuration");
        assert_eq!(config.listen.port(), 80);
        assert_eq!(
            config.public_url.as_deref(),
            Some("https://kael.example.org")
        );
        let tls = config.tls.expect("TLS");
        assert_eq!(
            (tls.certificate, tls.key),
            ("/etc/kael/c.pem".into(), "/k.pem".into())
        );
        assert_eq!((config.slots, config.drain), (5, Duration::from_secs(60)));
        let (name, acme) = &config.tenants[0];
        assert_eq!(
            (name.as_str(), acme.weight, acme.limits.calls),
            ("acme", 3, Some(7))
        );
        assert_eq!(acme.actions, Some("/etc/kael/acme/actions".into()));
        assert_eq!(acme.env["TOKEN"], "x");
        let kept = (acme.keep_runs.as_str(), acme.keep_output.as_str());
        assert_eq!((kept, acme.max_storage.as_str()), (("30d", "1d"), "1GiB"));
        assert_eq!(config.tenants.len(), 2);
        let bare = parsed("").expect("nothing");
        assert_eq!(
            (bare.listen.port(), bare.connections_per_peer()),
            (7788, 2500)
        );
        let one = parsed("connections: 2").expect("settings");
        assert_eq!(one.connections_per_peer(), 1);
    }

    #[test]
    fn all_that_is_wrong_is_named_with_its_line() {
        for (text, error) in [
            (
                "lissten: x",
                "serve.yaml:1: unknown key `lissten` (did you mean `listen`?)",
            ),
            (
                "listen: 7788",
                "serve.yaml:1: `listen` must be an address and a port, such as 127.0.0.1:7788, got `7788`",
            ),
            (
                "slots: 0\ndrain: soon",
                "serve.yaml:1: `slots` `0` is not a whole number from 1 to 100000\nserve.yaml:2: `drain` `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)",
            ),
            (
                "tls: { key: k }",
                "serve.yaml:1: `tls` needs `certificate` and `key`",
            ),
            (
                "tenants:\n  - name: a\n    keep_output: long",
                "serve.yaml:3: `keep_output` `long` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)",
            ),
            (
                "tenants:\n  - weight: 1",
                "serve.yaml:2: an element of `tenants` needs a `name`",
            ),
            (
                "tenants:\n  - { name: a }\n  - { name: a }",
                "serve.yaml:3: `name` is `a` a second time",
            ),
            (
                "tenants:\n  - { name: 'a b' }",
                "serve.yaml:2: `name` is no name: the tenant `a b` must be 1 to 64 letters, digits, `-`, `_` and `.` of ASCII",
            ),
            (
                "otlp: { endpoint: 'http://x/v1/traces' }",
                "serve.yaml:1: `endpoint` must be the address of a collector without a path, such as http://127.0.0.1:4318",
            ),
            (
                "tenants: 5",
                "serve.yaml:1: `tenants` must be a list of tables, got a word",
            ),
            (
                "tenants:\n  - name: a\n    grants:\n      htp: []\n      fs: [{ as: /data }]",
                "serve.yaml:4: unknown key `htp` (did you mean `http`?)\nserve.yaml:5: a grant of `fs` needs `path`",
            ),
            (
                "oidc: { issuer: 'http://login.example.org', client_id: kael, roles: { dev: boss } }",
                "serve.yaml:1: `issuer` must start with https://, or be http:// at an address of this machine\nserve.yaml:1: `roles` of `dev`: `boss` is no role: use viewer, submitter, approver, manager or operator",
            ),
            (
                "oidc: { issuer: 'https://login.example.org' }",
                "serve.yaml:1: `oidc` needs `issuer`, `client_id` and `roles`",
            ),
            (
                "tenants:\n  - name: a\n    git: { url: 'https://token@x.org/a' }",
                "serve.yaml:3: `git.url` has a user or a password: git finds them by `GIT_SSH_COMMAND` and the like in `env`",
            ),
            (
                "public_url: kael.example",
                "serve.yaml:1: `public_url` must start with http:// or https://",
            ),
            (
                "tenants:\n  - name: a\n    limits: { memory: 9GiB }",
                "serve.yaml:3: `limits` is wrong: `limits.memory` is 9 GiB, and a run of this tenant may have 4 GiB",
            ),
            ("- a", "serve.yaml:1: the file must be a table, got a list"),
            (
                "a: &x 1",
                "serve.yaml:1: anchors (`&name`) are not taken here: write the value out",
            ),
        ] {
            assert_eq!(parsed(text).err().as_deref(), Some(error), "{text}");
        }
    }
}
