//! WebSockets, with a server of Python's that knows nothing of Kael.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::with_grants;

/// The server, until the test ends.
struct Sockets {
    port: u16,
    said: BufReader<ChildStdout>,
    child: Child,
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Sockets {
    fn start() -> Self {
        let mut child = Command::new("python3")
            .args(["-c", include_str!("ws_server.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        Self {
            port: line.trim().parse().expect("a port"),
            said,
            child,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    /// A session that may open sockets there.
    fn session(&self) -> kael_tests::Kael {
        let port = self.port;
        with_grants(&format!(
            "  http: [{{ to: [\"ws://127.0.0.1:{port}\"], headers: {{ X-Granted: \"yes\" }} }}]\n"
        ))
    }
}

#[test]
fn messages_go_both_ways_as_they_are() {
    let mut server = Sockets::start();
    let port = server.port;
    let ran = server.session().script(&format!(
        "local ws = require('assay.ws')
         local c = ws.connect('ws://127.0.0.1:{port}/echo', {{ headers = {{ ['X-Own'] = 'é' }}, subprotocols = {{ 'a', 'b' }}, auth = {{ token = 't' }} }})
         local headers = json.decode((ws.recv(c)))
         print(headers['x-granted'], headers.authorization, headers['sec-websocket-protocol'], ws.protocol(c), headers.host)
         ws.send(c, 'é\\0') print(ws.recv(c))
         c:send_binary('\\0\\xff') local bytes, kind = c:recv() print(#bytes, bytes == '\\0\\xff', kind)
         local long = ('x'):rep(1000000) c:send(long) print(c:recv() == long)
         print(c:recv({{ timeout = 0.1 }}))
         -- One branch waits while another sends.
         print(parallel(function() return (c:recv()) end, function() sleep(0.05) c:send('later') return 'sent' end))
         c:close(4000, 'enough') c:close() print(pcall(c.send, c, 'x'))
         local p = ws.connect('ws://127.0.0.1:{port}/pieces')
         print(p:recv()) print(p:recv()) print(pcall(p.recv, p)) print(p.code, p.reason)"
    ));
    ran.exits(0).prints(&format!(
        "yes\tBearer t\ta, b\tb\t127.0.0.1:{port}\né\0\ttext\n2\ttrue\tbinary\ntrue\nnil\nlater\tsent\nfalse\tscript.lua:11: ws.send: connection closed\né😀\ttext\npong ping\ttext\nfalse\tscript.lua:13: ws.recv: connection closed (4001: bye)\n4001\tbye\n"
    ));
    assert_eq!(server.line(), "closed 0fa0656e6f756768");
}

#[test]
fn a_server_that_does_not_follow_the_protocol_ends_the_socket() {
    let server = Sockets::start();
    let port = server.port;
    let ran = server.session().script(&format!(
        "local ws = require('assay.ws')
         local function try(path, opts)
           local ok, e = pcall(function() return ws.connect('ws://127.0.0.1:{port}' .. path, opts):recv {{ timeout = 20 }} end)
           print(ok, tostring(e))
         end
         for _, path in ipairs {{ '/deny', '/redirect', '/key', '/large', '/many', '/kind', '/text' }} do try(path) end"
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let expected = [
        "the server opens no WebSocket: it answers with status 403",
        "the server opens no WebSocket: it answers with status 302",
        "kael.ws.open failed: WebSocket protocol error",
        "a message of the server has more than 16 MiB",
        "a message of the server has more than 16 MiB",
        "WebSocket protocol error",
        "kael.ws.receive failed",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ran.stdout);
    for (line, words) in lines.iter().zip(expected) {
        assert!(
            line.contains(words) && line.starts_with("false"),
            "{line}: {words}"
        );
    }
}

#[test]
fn a_socket_is_granted_by_its_scheme_and_belongs_to_its_run() {
    let server = Sockets::start();
    let port = server.port;
    let script = format!(
        "local ws = require('assay.ws')
         for _, url in ipairs {{ 'ws://127.0.0.1:{port}/quiet', 'wss://127.0.0.1:{port}/quiet', 'ws://localhost:{port}/quiet', 'http://127.0.0.1:{port}/quiet', 'ws://user@127.0.0.1:{port}/' }} do
           local ok, e = pcall(ws.connect, url) print(ok, ok and e.url or e.kind .. ': ' .. e.message)
         end
         print(select(2, pcall(ws.connect, 'ws://127.0.0.1:{port}/', {{ headers = {{ ['Sec-WebSocket-Key'] = 'x' }} }})).message)
         print(select(2, pcall(ws.connect, 'ws://127.0.0.1:{port}/', {{ header = {{}} }})))"
    );
    let ran = server.session().script(&script);
    let not_granted = "is not granted by p.yaml";
    ran.exits(0).prints(&format!(
        "true\tws://127.0.0.1:{port}/quiet
false\tdenied: GET wss://127.0.0.1:{port}/quiet {not_granted}
false\tdenied: GET ws://localhost:{port}/quiet {not_granted}
false\tinvalid_params: `url` is no URL of a WebSocket: it begins with ws:// or wss://
false\tinvalid_params: `url` is no URL of a server: the URL has no host, a user name, or a port that is none (`http://user@127.0.0.1:{port}/`)
the header `sec-websocket-key` is set by Kael itself
script.lua:6: ws.connect: no option 'header' (did you mean 'headers'?)
"
    ));
    let only_http = with_grants(&format!("  http: [{{ to: \"127.0.0.1:{port}\" }}]\n"));
    let ran = only_http.script(&format!(
        "require('assay.ws').connect('ws://127.0.0.1:{port}/quiet')"
    ));
    ran.exits(4)
        .says(&format!("http: [{{ to: [\"ws://127.0.0.1:{port}\"] }}]"));
    let ran = server.session().script(&format!(
        "local ws, open = require('assay.ws'), {{}}
         local ok, e repeat ok, e = pcall(ws.connect, 'ws://127.0.0.1:{port}/quiet') open[#open + 1] = ok and e or nil until not ok
         print(#open, e.message)
         open[1]:close() print(ws.connect('ws://127.0.0.1:{port}/echo'):recv() ~= nil)"
    ));
    ran.exits(0)
        .prints("16\ta run has at most 16 sockets that are open\ntrue\n");
}

#[test]
fn loki_gives_new_entries_by_a_socket() {
    let mut server = Sockets::start();
    let port = server.port;
    let ran = server.session().script(&format!(
        "local loki = require('assay.loki').client('http://127.0.0.1:{port}/', {{ tenant = 'team', headers = {{ ['X-Own'] = 'own' }} }})
         local count = 0
         loki.queries:tail('{{app=\"x\"}} |= \"a&b\"', function(streams)
           count = count + 1
           for _, one in ipairs(streams) do print(one.stream.path, one.stream.own, one.values[1][2]) end
           if count == 2 then return 'close' end
         end, {{ limit = 5 }})
         print(count)"
    ));
    ran.exits(0);
    assert_eq!(
        ran.stdout,
        "/loki/api/v1/tail?limit=5&query=%7Bapp%3D%22x%22%7D%20%7C%3D%20%22a%26b%22\town\tteam\n2\n"
    );
    let lost = "loki: tail has lost entries count=1";
    assert!(ran.stderr.contains(lost), "{}", ran.stderr);
    assert_eq!(server.line(), "tail 8");
}
