//! Following a run: no event is lost or comes twice, wherever a reader begins anew.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;

use kael_tests::Kael;
use serde_json::Value;

use super::Server;

/// One event as it stands in a stream.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

fn stream(server: &Server, run: &str, after: Option<&str>) -> BufReader<TcpStream> {
    let bearer = format!("Bearer {}", server.token);
    let mut headers = vec![("Authorization", bearer.as_str())];
    headers.extend(after.map(|after| ("Last-Event-ID", after)));
    let stream = server.open("GET", &format!("/v1/runs/{run}/events"), &headers, "");
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).expect("a status");
    assert!(line.contains(" 200 "), "{line}");
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).expect("a header");
    }
    stream
}

/// The next event; none at the end of the stream.
fn next(stream: &mut BufReader<TcpStream>) -> Option<Event> {
    let mut event = Event {
        id: String::new(),
        kind: String::new(),
        data: Value::Null,
    };
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).expect("a line") == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("id", id)) => id.clone_into(&mut event.id),
            Some(("event", kind)) => kind.clone_into(&mut event.kind),
            Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
            _ if line == "\n" && !event.id.is_empty() => return Some(event),
            _ => {}
        }
    }
}

fn all(server: &Server, run: &str, after: Option<&str>) -> Vec<Event> {
    let mut stream = stream(server, run, after);
    std::iter::from_fn(|| next(&mut stream)).collect()
}

fn text(events: &[Event]) -> String {
    let output = events.iter().filter(|event| event.kind == "output");
    output
        .map(|event| event.data["text"].as_str().expect("text"))
        .collect()
}

#[test]
fn a_stream_has_the_whole_run_and_ends_with_it() {
    let session = Kael::new().shell("step", "", "sleep 0.1; echo 1");
    let server = Server::start(&session);
    let run = server.submit(
        "for n = 1, 5 do print('line', n) actions.t.step({}) end report.table({ { a = 1 } })",
    );
    let events = all(&server, &run, None);
    assert_eq!(
        text(&events),
        "line\t1\nline\t2\nline\t3\nline\t4\nline\t5\n"
    );
    let last = events.last().expect("events");
    assert_eq!(
        (last.kind.as_str(), &last.data["state"]),
        ("end", &"succeeded".into()),
        "{events:?}"
    );
    let ended = events
        .iter()
        .filter(|event| event.kind == "call" && event.data["status"] == "ended");
    assert_eq!(ended.count(), 5, "{events:?}");
    assert_eq!(
        events.iter().filter(|event| event.kind == "report").count(),
        1,
        "{events:?}"
    );
    // Numbers without a gap.
    let numbers = events.iter().map(|event| {
        event
            .id
            .split('-')
            .next()
            .expect("a number")
            .parse::<usize>()
    });
    assert!(
        numbers.enumerate().all(|(at, number)| number == Ok(at)),
        "{events:?}"
    );
    // What is over is read in the same way.
    assert_eq!(all(&server, &run, None), events);
}

#[test]
fn a_reader_goes_on_behind_what_it_has() {
    let server = Server::owning(Kael::new().shell("step", "", "sleep 0.05; echo 1"));
    let run = server.submit("for n = 1, 10 do print(n) actions.t.step({}) end");
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    'readers: loop {
        let mut stream = stream(&server, &run, after.as_deref());
        // Every reader leaves after three events.
        for _ in 0..3 {
            match next(&mut stream) {
                Some(event) => {
                    after = Some(event.id.clone());
                    seen.push(event);
                }
                None => break 'readers,
            }
        }
    }
    assert_eq!(seen, all(&server, &run, None));
    let over = all(&server, &run, after.as_deref());
    assert_eq!(over, []);
}

#[test]
fn a_reader_that_polls_gets_the_same() {
    let server = Server::owning(Kael::new().shell("step", "", "sleep 0.05; echo 1"));
    let run = server.submit("for n = 1, 5 do print(n) actions.t.step({}) end");
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/runs/{run}/events?wait=5s&after={after}");
        let page = server.get(&path).is(200).json();
        let events = page["events"].as_array().expect("events");
        ids.extend(
            events
                .iter()
                .map(|event| event["id"].as_str().expect("an id").to_owned()),
        );
        if page["ended"] == true {
            break;
        }
        if let Some(last) = page["after"].as_str() {
            last.clone_into(&mut after);
        }
    }
    let streamed: Vec<_> = all(&server, &run, None)
        .into_iter()
        .map(|event| event.id)
        .collect();
    assert_eq!(ids, streamed);
    server
        .get(&format!("/v1/runs/{run}/events?after=x"))
        .is(400);
}

#[test]
fn a_long_output_is_whole_and_a_reader_that_does_not_read_holds_nothing_up() {
    let server = Server::owning(Kael::new());
    let script = "for n = 1, 20000 do print(('%06d é'):format(n)) end print('\\xff\\xfe')";
    let run = server.submit(script);
    let idle: Vec<_> = (0..5).map(|_| stream(&server, &run, None)).collect();
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let events = all(&server, &run, None);
    let text = text(&events);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 20001);
    assert!((1..=20000).all(|n| lines[n - 1] == format!("{n:06} é")));
    let output = server
        .get(&format!("/v1/runs/{run}/output?from=10"))
        .is(200);
    assert!(
        output.body.starts_with("000002 é\n"),
        "{}",
        &output.body[..40]
    );
    drop(idle);
}
