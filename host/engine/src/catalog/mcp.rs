//! The tool of an MCP server that an action calls, as a person has reviewed it.

use super::destination::Destination;
use super::error::DefinitionError;
use super::fields::{Fields, collect_error};

/// Fields about a program that a call starts: a tool takes and gives JSON.
const REFUSED: [&str; 13] = [
    "source",
    "tag",
    "entrypoint",
    "subdir",
    "type",
    "interpreter",
    "deps",
    "input",
    "args_order",
    "dashdash",
    "output",
    "ok_exit",
    "with_status",
];
/// Fields about the process of a server, which one at a URL does not have here.
const OF_A_PROCESS: [&str; 5] = ["command", "env", "secrets", "limits", "writable"];
/// Fields about a server at a URL.
const OF_A_URL: [&str; 3] = ["url", "secret", "network"];
/// Words that the command of a server may have.
const MAX_WORDS: usize = 256;
/// Bytes of a URL.
const MAX_URL: usize = 2 << 10;

/// Where the server of a tool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpServer {
    /// The program that speaks the protocol on stdin and stdout, and its arguments.
    Command(Vec<String>),
    /// A server over HTTP.
    Url(McpUrl),
}

/// A server over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpUrl {
    /// Where it takes requests.
    pub url: String,
    /// The name of the secret that is its bearer token.
    pub secret: Option<String>,
    /// Addresses that the name in the URL may have although they are of this machine or of a local
    /// network.
    pub network: Vec<Destination>,
}

/// What a definition with `executor = "mcp"` calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpTool {
    /// Where it is.
    pub server: McpServer,
    /// The name of the tool there.
    pub tool: String,
    /// The SHA-256 of what the server said of it when it was reviewed, in hexadecimal.
    pub digest: String,
}

impl McpServer {
    /// The words of its command, or its URL, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Command(words) => words.join(" "),
            Self::Url(at) => at.url.clone(),
        }
    }
}

impl McpTool {
    /// The name of the header, among the secrets of a definition, that has the token of a server at a
    /// URL.
    pub const TOKEN: &str = "Authorization";

    /// Reads `command` or `url`, `tool` and `digest`, and refuses the fields that name a source.
    pub(super) fn parse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Option<Self> {
        for field in REFUSED {
            if fields.value(field).is_some() {
                wrong.push(fields.error(field, "is not for executor \"mcp\""));
            }
        }
        let server = match collect_error(wrong, fields.string("url")).flatten() {
            Some(url) => Self::url(url, fields, wrong).map(McpServer::Url),
            None => Self::command(fields, wrong).map(McpServer::Command),
        };
        let tool = collect_error(wrong, fields.required_string("tool"));
        let digest = collect_error(wrong, fields.required_string("digest"));
        let is_digest = |text: &String| {
            text.len() == 64
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if digest.as_ref().is_some_and(|text| !is_digest(text)) {
            let error = "must be 64 hexadecimal digits, as kael-host actions mcp add writes them";
            wrong.push(fields.error("digest", error));
        }
        Some(Self {
            server: server?,
            tool: tool?,
            digest: digest?,
        })
    }

    fn command(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Option<Vec<String>> {
        for field in OF_A_URL {
            if fields.value(field).is_some() {
                wrong.push(fields.error(field, "is for a server with 'url' only"));
            }
        }
        let command = collect_error(wrong, fields.strings("command")).unwrap_or_default();
        let is_bad = |word: &String| word.contains('\0');
        if command.is_empty() || command.len() > MAX_WORDS || command.iter().any(is_bad) {
            let error = "must be the words that start the server, such as { \"node\", \"server.js\" }; \
                         'url' names a server over HTTP instead";
            wrong.push(fields.error("command", error));
            return None;
        }
        Some(command)
    }

    fn url(
        url: String,
        fields: &mut Fields<'_>,
        wrong: &mut Vec<DefinitionError>,
    ) -> Option<McpUrl> {
        for field in OF_A_PROCESS {
            if fields.value(field).is_some() {
                wrong.push(fields.error(field, "is for a server with 'command' only"));
            }
        }
        let secret = collect_error(wrong, fields.string("secret")).flatten();
        let named = collect_error(wrong, fields.strings("network")).unwrap_or_default();
        let mut network = Vec::new();
        for text in named {
            match text.parse() {
                Ok(destination) => network.push(destination),
                Err(error @ super::DestinationError { .. }) => {
                    wrong.push(fields.error("network", &error.to_string()));
                }
            }
        }
        let is_plain = |c: char| c.is_ascii_graphic();
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        if rest.is_none_or(str::is_empty) || url.len() > MAX_URL || !url.chars().all(is_plain) {
            let shown = url.escape_debug();
            let error = format!("`{shown}` is no URL such as \"https://tools.example/mcp\"");
            wrong.push(fields.error("url", &error));
            return None;
        }
        if secret.is_some() && !url.starts_with("https://") && !is_here(&url) {
            let error = "would be sent in the clear: use a URL with https";
            wrong.push(fields.error("secret", error));
        }
        Some(McpUrl {
            url,
            secret,
            network,
        })
    }
}

/// Whether a URL leads to this machine, over a connection that leaves it nowhere.
fn is_here(url: &str) -> bool {
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return false;
    }
    let name = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Option<std::net::IpAddr> = name.parse().ok();
    name == "localhost" || address.is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn a_secret_goes_in_the_clear_to_this_machine_alone() {
        for url in [
            "http://localhost/mcp",
            "http://127.0.0.1:80/",
            "http://[::1]:8/x",
        ] {
            assert!(is_here(url), "{url}");
        }
        for url in [
            "http://10.0.0.1/mcp",
            "http://localhost.example/",
            "http://localhost@evil.example/",
            "http://localhost:80@evil.example/",
            "http://[::1]@evil.example/",
            "http://evil.example/?localhost",
        ] {
            assert!(!is_here(url), "{url}");
        }
    }
}
