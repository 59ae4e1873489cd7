//! Answers that are not read to their end at once: events, and downloads.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::server::{Server, answer};
use super::{with_grants, with_port};

const HEAD: &str = "HTTP/1.1 200 X\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A server that answers each request as `talk` does, and says so when the client has gone.
fn server(talk: impl Fn(&mut TcpStream) + Send + 'static) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_secs(60))).ok();
            let mut bytes = [0; 8192];
            let size = stream.read(&mut bytes).unwrap_or(0);
            tell.send(String::from_utf8_lossy(&bytes[..size]).into_owned())
                .ok();
            talk(&mut stream);
            let gone = stream.read(&mut bytes).unwrap_or(1) == 0;
            tell.send(format!("gone: {gone}")).ok();
        }
    });
    (port, told)
}

fn chunk(stream: &mut TcpStream, bytes: &[u8]) {
    let head = format!("{:x}\r\n", bytes.len());
    stream
        .write_all(&[head.as_bytes(), bytes, b"\r\n"].concat())
        .ok();
}

#[test]
fn events_are_given_when_they_come_and_in_whatever_pieces() {
    let (port, told) = server(|stream| {
        stream.write_all(HEAD.as_bytes()).ok();
        // A character, a line end and an event are each cut in two.
        for piece in [
            &b"id: 1\ndata: \xc3"[..],
            b"\xa9\r",
            b"\ndata: two\r\n\r",
            b"\n: here\n\nevent: tick\rdata: x\r\r",
            b"data: last\n\nda",
            b"ta: cut",
        ] {
            chunk(stream, piece);
            thread::sleep(Duration::from_millis(5));
        }
        stream.write_all(b"0\r\n\r\n").ok();
    });
    let ran = with_port(port).script(&format!(
        "local answer = http.get('http://127.0.0.1:{port}/events', {{ headers = {{ ['Last-Event-ID'] = '0' }}, on_event = function(event)
           print(event.event, event.id, (event.data:gsub('\\n', '|')))
         end }})
         print(answer.status, answer.headers['content-type'], answer.body, answer.stream)"
    ));
    ran.exits(0).prints(
        "message\t1\té|two\ntick\t1\tx\nmessage\t1\tlast\n200\ttext/event-stream; charset=utf-8\tnil\tnil\n",
    );
    let request = told.recv().expect("a request").to_ascii_lowercase();
    assert!(
        request.contains("accept: text/event-stream\r\n"),
        "{request}"
    );
    assert!(request.contains("last-event-id: 0\r\n"), "{request}");
}

#[test]
fn a_script_that_has_enough_closes_the_stream() {
    for (ending, printed) in [
        ("return 'close'", "true\t200\n"),
        ("error('mine')", "false\tscript.lua:1: mine\n"),
    ] {
        // The server never ends its answer, and takes the next request only when this one's client has gone.
        let (port, told) = server(|stream| {
            stream.write_all(HEAD.as_bytes()).ok();
            chunk(stream, b"data: 1\n\ndata: 2\n\n");
        });
        let ran = with_port(port).script(&format!(
            "local ok, got = pcall(http.get, 'http://127.0.0.1:{port}/', {{ on_event = function(event) {ending} end }}) print(ok, ok and got.status or got)
             print(http.get('http://127.0.0.1:{port}/', {{ on_event = function() return 'close' end }}).status)"
        ));
        ran.exits(0).prints(&format!("{printed}200\n"));
        told.recv().expect("a request");
        assert_eq!(told.recv().as_deref(), Ok("gone: true"));
    }
}

#[test]
fn a_server_that_says_nothing_or_too_much_is_given_up() {
    let (quiet, _told) = server(|stream| {
        stream.write_all(HEAD.as_bytes()).ok();
    });
    let (cut, _told) = server(|stream| {
        stream.write_all(HEAD.as_bytes()).ok();
        chunk(stream, b"data: 1\n\n");
        stream.shutdown(std::net::Shutdown::Both).ok();
    });
    let (large, _told) = server(|stream| {
        stream.write_all(HEAD.as_bytes()).ok();
        let line = vec![b'x'; 1 << 20];
        chunk(stream, &line);
        chunk(stream, &line);
    });
    let plain = Server::start(|_| answer(404, "Content-Type: text/plain\r\n", "no events"));
    let grants = [quiet, cut, large, plain.port].map(|port| format!("\"127.0.0.1:{port}\""));
    let ran = with_grants(&format!("  http: [{{ to: [{}] }}]\n", grants.join(", "))).script(&format!(
        "local function try(port, opts)
           opts = opts or {{}}
           opts.on_event = opts.on_event or function(event) print('event', event.data) end
           local ok, e = pcall(http.get, 'http://127.0.0.1:' .. port .. '/', opts) print(ok and e.status .. ' ' .. e.body or tostring(e))
         end
         try({quiet}, {{ idle_timeout = 0.2 }}) try({cut}) try({large}) try({}) try({quiet}, {{ on_event = 5 }})",
        plain.port
    ));
    ran.exits(0).prints(
        "http.get: the server has sent nothing for 0.2 s (`idle_timeout`)
event	1
kael.http.read failed: the server closed the connection before its answer was complete
kael.http.read failed: a line of the server has more than 1 MiB
404 no events
http.get: `on_event` must be a function, got number
",
    );
}

#[test]
fn a_run_has_few_streams_and_no_others() {
    // Each connection is served for itself: the server above would wait for the first to end.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 8192];
            if stream.read(&mut bytes).is_err() {
                continue;
            }
            stream.write_all(HEAD.as_bytes()).ok();
            chunk(&mut stream, b"data: 1\n\n");
            open.push(stream);
        }
    });
    let ran = with_port(port).script(&format!(
        "local depth = 0
         local function nest()
           depth = depth + 1
           http.get('http://127.0.0.1:{port}/', {{ on_event = function() nest() return 'close' end }})
         end
         local ok, e = pcall(nest) print(ok, depth, e.message)"
    ));
    ran.exits(0)
        .prints("false\t17\ta run has at most 16 streams that are open\n");
}

#[test]
fn a_download_is_a_whole_file_or_none() {
    let large: Vec<u8> = (0..20_u32 << 20).map(|at| (at % 251) as u8).collect();
    let body = large.clone();
    let server = Server::start(move |got| match got.target.as_str() {
        "/file" => answer(200, "", &body),
        "/away" => answer(302, "Location: /file\r\n", ""),
        "/cut" => {
            b"HTTP/1.1 200 X\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf".to_vec()
        }
        _ => answer(404, "", b"\xff"),
    });
    let port = server.port;
    let kael = with_grants(&format!(
        "  http: [{{ to: \"127.0.0.1:{port}\" }}]\n  fs:\n    - {{ path: FOLDER/files, as: /data, mode: read-write }}\n    - {{ path: FOLDER/others, as: /others }}\n"
    ));
    let folder = kael.path().to_owned();
    let policy = std::fs::read_to_string(folder.join("p.yaml")).expect("a policy");
    let policy = policy.replace("FOLDER", &folder.display().to_string());
    for name in ["files", "others"] {
        std::fs::create_dir(folder.join(name)).expect("a folder");
    }
    std::os::unix::fs::symlink(folder.join("others/victim"), folder.join("files/link"))
        .expect("a link");
    std::fs::create_dir(folder.join("files/folder")).expect("a folder");
    let ran = kael.file("p.yaml", policy).file("others/victim", "precious").script(&format!(
        "local url = 'http://127.0.0.1:{port}'
         local function try(path, to, opts) local ok, e = pcall(http.download, url .. path, to, opts) print(ok, ok and e or tostring(e)) end
         try('/away', '/data/new/large') try('/file', '/data/link')
         try('/none', '/data/none') try('/cut', '/data/cut') try('/file', '/data/bounded', {{ max_size = 1000 }})
         try('/file', '/data/folder') try('/file', '/others/victim') try('/file', '/etc/x') try('/file', '/data/../x') try('/file')
         for _, entry in ipairs(fs.list('/data')) do print(entry.name, entry.type) end"
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let expected = [
        "true\t20971520",
        "true\t20971520",
        "/none: status 404",
        "the server closed the connection before its answer was complete",
        "more than 1000 B (`max_bytes` sets the limit)",
        "it is a folder",
        "writing /others/victim is not granted by p.yaml",
        "writing /etc/x is not granted by p.yaml",
        "may not have `..`",
        "expected the path of a file, got nil",
        "folder\tdirectory",
        "link\tfile",
        "new\tdirectory",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ran.stdout);
    for (line, words) in lines.iter().zip(expected) {
        assert!(line.contains(words), "{line}: {words}");
    }
    let written = std::fs::read(folder.join("files/new/large")).expect("a file");
    assert!(written == large, "it is another file");
    let victim = std::fs::read_to_string(folder.join("others/victim"));
    assert_eq!(victim.expect("a file"), "precious");
}
