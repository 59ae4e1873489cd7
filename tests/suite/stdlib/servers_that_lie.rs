//! `db` with servers that do not follow their protocol: each call ends with an error, soon, and the
//! host goes on.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::database::session;

/// A server that talks to each connection as `talk` does.
fn server(talk: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let talk = std::sync::Arc::new(talk);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let talk = talk.clone();
            thread::spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(60))).ok();
                talk(&mut stream);
            });
        }
    });
    port
}

/// Reads what a client sends, once.
fn hear(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    let _heard = stream.read(&mut bytes);
}

fn postgres(tag: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    [&[tag][..], &size, body].concat()
}

/// Reads what a client sends until that is a part of it, and answers.
fn answer(stream: &mut TcpStream, to: &str, answer: &[Vec<u8>]) {
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    while !heard.windows(to.len()).any(|part| part == to.as_bytes()) {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(count) => heard.extend_from_slice(&bytes[..count]),
        }
    }
    stream.write_all(&answer.concat()).ok();
}

/// The answer to a statement in a transaction.
fn in_transaction(messages: &[Vec<u8>]) -> Vec<u8> {
    [&messages.concat()[..], &postgres(b'Z', b"T")].concat()
}

/// What lets a client of PostgreSQL in, and begins its transaction.
fn welcome(stream: &mut TcpStream) {
    let ok = [
        postgres(b'R', &[0; 4]),
        postgres(b'K', &[0; 8]),
        postgres(b'Z', b"I"),
    ];
    answer(stream, "client_encoding", &ok);
    let begun = in_transaction(&[postgres(b'C', b"BEGIN\0")]);
    answer(stream, "START TRANSACTION READ ONLY", &[begun]);
    let set = in_transaction(&[postgres(b'C', b"SET\0")]);
    answer(stream, "extra_float_digits", &[set]);
}

/// Columns of a type, which is numbered.
fn columns(types: &[u8]) -> Vec<u8> {
    let mut body = vec![0, u8::try_from(types.len()).expect("few")];
    for kind in types {
        body.extend(b"a\0\0\0\0\0\0\0\0\0\0");
        body.extend([*kind, 0, 4, 0, 0, 0, 0, 0, 0]);
    }
    postgres(b'T', &body)
}

/// A row; an empty value is NULL.
fn row(values: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![0, u8::try_from(values.len()).expect("few")];
    for value in values {
        let size = i32::try_from(value.len()).expect("short");
        body.extend(if size == 0 { -1 } else { size }.to_be_bytes());
        body.extend(*value);
    }
    postgres(b'D', &body)
}

fn greeting(id: u8) -> Vec<u8> {
    let mut whole = b"\x0a10.11.19-MariaDB\0".to_vec();
    whole.extend([id, 0, 0, 0]);
    whole.extend(b"12345678\0\xff\xf7\x2d\x02\0\xff\xff\x15");
    whole.extend([0; 10]);
    whole.extend(b"123456789012\0mysql_native_password\0");
    whole
}

fn mysql(number: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).expect("short").to_le_bytes();
    [&size[..3], &[number], body].concat()
}

const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// Calls a server, and gives what the script is told, within the ten seconds of the call.
fn told(scheme: &str, port: u16) -> String {
    let url = format!("{scheme}://kael:secret-of-all@127.0.0.1:{port}/x");
    let grant = "    - { name: app, url: \"{secret:db/url}\" }\n";
    let ran = session(grant, &url).script(
        "local ok, e = pcall(db.query, db.connect('app'), 'SELECT 1', nil, { timeout = 10 }) print(ok, e.kind, e.message)",
    );
    ran.exits(0);
    assert!(!ran.stdout.contains("secret-of-all"), "{}", ran.stdout);
    ran.stdout.clone()
}

#[test]
fn those_of_postgres_end_the_call_and_not_the_host() {
    type Talk = Box<dyn Fn(&mut TcpStream) + Send + Sync>;
    let fetched = |answer: Vec<Vec<u8>>| -> Talk {
        Box::new(move |stream| {
            welcome(stream);
            let (parsed, no_params) = (postgres(b'1', b""), postgres(b't', b"\0\0"));
            let described = in_transaction(&[parsed, no_params, columns(&[23])]);
            self::answer(stream, "SELECT 1", &[described]);
            let bound = in_transaction(&[postgres(b'2', b"")]);
            let name = [columns(&[19]), row(&[b"p7"]), postgres(b'C', b"SELECT 1\0")];
            self::answer(stream, "pg_cursors", &[bound, in_transaction(&name)]);
            self::answer(stream, "FETCH FORWARD 10001 FROM p7", &answer);
            hear(stream);
        })
    };
    let talks: Vec<(&str, Talk)> = vec![
        ("closed the connection", Box::new(|_| {})),
        (
            "more than 16 MiB",
            Box::new(|stream| {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
                hear(stream);
                hear(stream);
            }),
        ),
        // A size of two gigabytes, of which only a part comes.
        (
            "more than 16 MiB",
            Box::new(|stream| {
                hear(stream);
                stream.write_all(b"R\x7f\xff\xff\xff").ok();
                hear(stream);
            }),
        ),
        (
            "a size below zero",
            Box::new(|stream| {
                hear(stream);
                stream.write_all(b"R\xff\xff\xff\xff").ok();
                hear(stream);
            }),
        ),
        (
            "wants the password unencrypted",
            Box::new(|stream| {
                hear(stream);
                stream.write_all(&postgres(b'R', &[0, 0, 0, 3])).ok();
                hear(stream);
            }),
        ),
        // It says that all is well before it has shown that it knows the password.
        (
            "does not follow its protocol",
            Box::new(|stream| {
                hear(stream);
                stream
                    .write_all(&postgres(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"))
                    .ok();
                hear(stream);
                stream
                    .write_all(&postgres(b'R', b"\0\0\0\x0br=short,s=AA==,i=1"))
                    .ok();
                hear(stream);
            }),
        ),
        (
            "an answer to nothing that was asked",
            Box::new(|stream| {
                answer(stream, "client_encoding", &[postgres(b'N', b"\0")]);
                hear(stream);
            }),
        ),
        // Notices without end.
        (
            "more than 16 MiB",
            Box::new(|stream| {
                answer(stream, "client_encoding", &[postgres(b'R', &[0; 4])]);
                let notice = postgres(b'N', &[b'x'; 60_000]);
                while stream.write_all(&notice).is_ok() {}
            }),
        ),
        (
            "a message that cannot be read",
            fetched(vec![columns(&[23]), row(&[b"1", b"2"])]),
        ),
        (
            "a row of other columns",
            fetched(vec![columns(&[23, 23]), row(&[b"1", b"2"])]),
        ),
        (
            "a message that cannot be read",
            fetched(vec![columns(&[23]), postgres(b'D', b"\0\x01\0\0\xff\xff1")]),
        ),
        (
            "a text that is not UTF-8",
            fetched(vec![columns(&[23]), row(&[b"\xff"])]),
        ),
        (
            "an answer to nothing that was asked",
            fetched(vec![postgres(b'G', b"\0\0\0")]),
        ),
        (
            "a statement has ended its transaction",
            fetched(vec![
                columns(&[23]),
                row(&[b"1"]),
                postgres(b'C', b"FETCH 1\0"),
                postgres(b'Z', b"I"),
            ]),
        ),
        // A type that is made of another, which is made of another, and so on.
        (
            "its types have no end",
            Box::new(|stream| {
                welcome(stream);
                let parsed = postgres(b'1', b"");
                let no_params = postgres(b't', b"\0\0");
                let described = in_transaction(&[parsed.clone(), no_params, columns(&[1])]);
                answer(stream, "SELECT 1", &[described]);
                let one_param = postgres(b't', b"\0\x01\0\0\0\x1a");
                let of_type = columns(&[19, 18, 26, 26, 26, 19, 26]);
                let described = in_transaction(&[parsed, one_param, of_type]);
                answer(stream, "pg_range", &[described]);
                for number in 100_000_u32.. {
                    hear(stream);
                    let (zero, next) = (&0_u32.to_be_bytes(), &number.to_be_bytes());
                    let values: [&[u8]; 7] = [b"x", b"b", zero, b"", next, b"x", zero];
                    let told = [
                        postgres(b'2', b""),
                        row(&values),
                        postgres(b'C', b"SELECT 1\0"),
                    ];
                    if stream.write_all(&in_transaction(&told)).is_err() {
                        return;
                    }
                }
            }),
        ),
    ];
    for (words, talk) in talks {
        let said = told("postgres", server(talk));
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn those_of_mysql_end_the_call_and_get_no_file() {
    type Talk = Box<dyn Fn(&mut TcpStream) + Send + Sync>;
    let answering = |answer: Vec<u8>| -> Talk {
        Box::new(move |stream| {
            stream.write_all(&mysql(0, &greeting(7))).ok();
            hear(stream);
            stream.write_all(&mysql(2, OK)).ok();
            hear(stream);
            // The settings, and the beginning of the transaction.
            stream
                .write_all(&[mysql(1, OK), mysql(1, OK)].concat())
                .ok();
            hear(stream);
            stream
                .write_all(&mysql(1, b"\0\x01\0\0\0\0\0\0\0\0\0\0"))
                .ok();
            hear(stream);
            stream.write_all(&answer).ok();
            hear(stream);
        })
    };
    let logging_in = |answer: Vec<u8>| -> Talk {
        Box::new(move |stream| {
            stream.write_all(&mysql(0, &greeting(7))).ok();
            hear(stream);
            for _ in 0..20 {
                stream.write_all(&answer).ok();
                hear(stream);
            }
        })
    };
    let talks: Vec<(&str, Talk)> = vec![
        ("closed the connection", Box::new(|_| {})),
        (
            "does not follow its protocol",
            Box::new(|stream| {
                stream.write_all(&mysql(0, b"\x09old")).ok();
            }),
        ),
        (
            "Too many connections",
            Box::new(|stream| {
                stream
                    .write_all(&mysql(0, b"\xff\x10\x04Too many connections"))
                    .ok();
            }),
        ),
        (
            "a login that Kael does not know",
            logging_in(mysql(2, b"\xfemysql_clear_password\0")),
        ),
        (
            "a login that Kael does not know",
            logging_in(mysql(
                2,
                b"\xfemysql_native_password\x0012345678901234567890\0",
            )),
        ),
        (
            "a login without its 20 bytes",
            logging_in(mysql(2, b"\xfemysql_native_password\0short\0")),
        ),
        (
            "it asks for a file of this machine",
            answering(mysql(1, b"\xfb/etc/passwd")),
        ),
        (
            "an answer of more than 2000 columns",
            answering(mysql(1, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff")),
        ),
        (
            "a message is shorter than it says",
            answering([mysql(1, b"\x01"), mysql(2, b"\x03def\xfc")].concat()),
        ),
    ];
    for (words, talk) in talks {
        let said = told("mysql", server(talk));
        assert!(said.contains(words), "{words}: {said}");
    }
}
