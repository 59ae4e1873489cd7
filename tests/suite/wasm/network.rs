//! Connections that a WebAssembly action may make, and those that are refused.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;

/// Echoes what each connection sends, until the session ends.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 5];
            stream
                .read_exact(&mut bytes)
                .and_then(|()| stream.write_all(&bytes))
                .ok();
        }
    });
    port
}

#[test]
fn only_named_addresses_can_be_connected_to() {
    let (port, other) = (echo_server(), echo_server());
    let ask = |network: &str, host: &str, port: u16, expected: &str| {
        networked(&format!("network = {{ {network} }}"))
            .script(&format!("local r = actions.t.s({{ ['do'] = 'connect', host = '{host}', port = {port} }}) print(r.refused or r)"))
            .prints(&format!("{expected}\n"));
    };
    let (by_address, by_name) = (format!("'127.0.0.1:{port}'"), format!("'localhost:{port}'"));
    ask(&by_address, "127.0.0.1", port, "hello");
    ask(&by_name, "localhost", port, "hello");
    ask(&format!("'127.0.0.0/8:{port}'"), "127.0.0.1", port, "hello");
    ask(&by_address, "127.0.0.1", other, "connect: access-denied");
    ask(&by_name, "localhost", other, "connect: access-denied");
    // The name was not looked up, so its address is not allowed.
    ask(&by_name, "127.0.0.1", port, "connect: access-denied");
    ask(
        "'example.org:80'",
        "localhost",
        port,
        "lookup: access-denied",
    );
    // WASI has no such destinations.
    ask(
        "'example.org:80'",
        "0.0.0.0",
        port,
        "connect: invalid-argument",
    );
    ask(
        &by_address,
        "::ffff:127.0.0.1",
        port,
        "connect: invalid-argument",
    );
    assert!(
        TcpStream::connect(("127.0.0.1", other)).is_ok(),
        "the server is there"
    );
    networked(&format!("network = {{ {by_address} }}"))
        .script("print(actions.t.s({ ['do'] = 'listen' }).refused)")
        .prints("listen: access-denied\n");
}

#[test]
fn datagrams_obey_the_same_list() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    let code = format!(
        "local r = actions.t.s({{ ['do'] = 'send', host = '127.0.0.1', port = {port} }}) print(type(r) == 'table' and r.refused or r)"
    );
    networked("network = { '127.0.0.1:9' }")
        .script(&code)
        .prints("send: access-denied\n");
    networked(&format!("network = {{ '127.0.0.1:{port}' }}"))
        .script(&code)
        .prints("1\n");
    let mut bytes = [0; 9];
    assert_eq!(socket.recv(&mut bytes).expect("a datagram"), 5);
}
