//! The page of webhooks: those that come in, and subscriptions to those that go out.

use std::net::TcpListener;

use kael_tests::Kael;
use serde_json::json;

use super::page::enter;
use super::subscriptions::{receive, run_of, sending_to};

#[test]
fn webhooks_from_the_page() {
    let kael = Kael::new().shell("ok", "", "echo 1");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (server, url) = sending_to(&kael, &listener);
    server.store("take", "print(arg[1])");
    let session = enter(&server, &server.token);
    let csrf = session.csrf();
    let page = session.get("/webhooks").is(200).body;
    assert!(page.contains("No webhooks") && page.contains("No subscriptions"));
    // One that comes in: its key is shown once.
    let made = session
        .send(
            "/webhooks",
            &format!("csrf={csrf}&name=deploys&script=take"),
        )
        .is(200)
        .body;
    let hooks = server.get("/v1/hooks").is(200).json();
    let hook = &hooks["hooks"][0];
    let address = hook["url"].as_str().expect("an address");
    assert!(
        made.contains("kael_hook_") && made.contains(address),
        "{made}"
    );
    let page = session.get("/webhooks").is(200).body;
    assert!(
        page.contains(address) && !page.contains("kael_hook_"),
        "{page}"
    );
    // A mistake leaves the form as it was.
    let wrong = session.send("/webhooks", &format!("csrf={csrf}&name=x&script=%3Cb%3E"));
    assert!(
        wrong.status == 404 && wrong.body.contains("value=\"&lt;b&gt;\""),
        "{wrong:?}"
    );
    // One that goes out, which arrives.
    let to = url
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('?', "%3F")
        .replace('=', "%3D");
    let subscribe = |events: &str| {
        session.send(
            "/webhooks/subscriptions",
            &format!("csrf={csrf}&name=chat&url={to}{events}"),
        )
    };
    let none = subscribe("");
    assert!(
        none.status == 422 && none.body.contains("`events` must be some of"),
        "{none:?}"
    );
    let made = subscribe("&run.finished=on&run.parked=on").is(200).body;
    assert!(made.contains("kael_sign_"), "{made}");
    let list = server.get("/v1/subscriptions").is(200).json();
    let one = &list["subscriptions"][0];
    assert_eq!(one["events"], json!(["run.finished", "run.parked"]));
    let run = server.submit("print(1)");
    assert_eq!(run_of(&receive(&listener, "200 OK")), run);
    let late = std::time::Instant::now() + super::PATIENCE;
    while !session.get("/webhooks").is(200).body.contains("delivered") {
        assert!(std::time::Instant::now() < late);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Both are deleted there.
    let id = |of: &serde_json::Value| of["id"].as_str().expect("an id").to_owned();
    let subscription = format!("/webhooks/subscriptions/{}", id(one));
    let unknown = session.send(&format!("{subscription}/burn"), &format!("csrf={csrf}"));
    assert_eq!(unknown.status, 404);
    for path in [
        format!("{subscription}/delete"),
        format!("/webhooks/{}/delete", id(hook)),
    ] {
        assert_eq!(session.send(&path, "csrf=wrong").status, 403);
        let gone = session.send(&path, &format!("csrf={csrf}"));
        assert_eq!(gone.header("location"), Some("/webhooks"), "{gone:?}");
        assert_eq!(session.send(&path, &format!("csrf={csrf}")).status, 404);
    }
    let page = session.get("/webhooks").is(200).body;
    assert!(page.contains("No webhooks") && page.contains("No subscriptions"));
}
