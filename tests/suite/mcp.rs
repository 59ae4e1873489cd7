//! `kael-host mcp`: what a client gets, what it cannot get, and what becomes of a hostile one.

mod approvals;
mod client;
mod conformance;
mod hostile;
mod install;
mod peers;
mod remote;
pub(crate) mod servers;
mod tasks;

use kael_tests::{Kael, gone, project};
use serde_json::{Value, json};

use client::Client;

/// Without a repo of its own, the one of an example.
fn example(name: &str) -> String {
    project(&format!("examples/{name}/actions"))
        .display()
        .to_string()
}

/// A client of a repo with a shell action `t.NAME`.
fn shell(name: &str, fields: &str, code: &str) -> Client {
    let session = Kael::new().shell(name, fields, code);
    Client::of_2025(session, &["mcp"], json!({}))
}

#[test]
fn the_list_of_tools_has_one_size_for_every_repo() {
    let lists: Vec<Value> = [1, 2000]
        .into_iter()
        .map(|count| {
            let one = |n: usize| format!("t.a{n} = define_action({{ source = '.', executor = 'native', description = 'Does {n}.' }})\n");
            let all: String = (0..count).map(one).collect();
            let repo = format!("local t = {{}}\n{all}return {{ t = t }}\n");
            let session = Kael::new().file("actions/init.lua", repo);
            let mut client = Client::of_2025(session, &["--actions", "actions", "mcp"], json!({}));
            let list = client.request("tools/list", json!({}));
            list["result"]["tools"].clone()
        })
        .collect();
    assert_eq!(lists[0], lists[1]);
    let names: Vec<&str> = lists[0]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, ["check", "describe", "result", "run", "search"]);
    // A token has about four bytes of such text.
    assert!(lists[0].to_string().len() <= 1500 * 4);
}

#[test]
fn a_script_is_checked_before_it_runs() {
    let session = Kael::new();
    let mut client = Client::of_2025(session, &["--actions", &example("hello"), "mcp"], json!({}));
    let code = "actions.text.wordcount({ text = 'a b' })\nreturn actions.text.wordcuont({})";
    let result = client.call("run", json!({ "code": code }));
    assert_eq!(result["isError"], true);
    let told = &result["structuredContent"];
    assert_eq!(told["status"], "invalid");
    assert_eq!(told["problems"][0]["line"], 2);
    let message = told["problems"][0]["message"].as_str().expect("text");
    assert!(
        message.contains("did you mean 'text.wordcount'"),
        "{message}"
    );
    assert!(told.get("calls").is_none(), "nothing has run: {told}");
    let told = client.tool("check", json!({ "code": "return 1 +" }));
    assert_eq!(told["problems"][0]["line"], 1, "{told}");
    assert_eq!(
        client.tool("check", json!({ "code": "return 1" }))["status"],
        "ok"
    );
}

#[test]
fn a_run_gives_result_output_calls_and_errors() {
    let session = Kael::new();
    let mut client = Client::of_2025(session, &["--actions", &example("hello"), "mcp"], json!({}));
    let code = "print('hi', arg[1])\nreturn actions.text.wordcount({ text = 'a b' })";
    let told = client.tool("run", json!({ "code": code, "args": ["x"] }));
    assert_eq!(told["status"], "done", "{told}");
    assert_eq!(told["output"], "hi\tx\n");
    assert_eq!(
        told["result"],
        json!({ "lines": 0, "words": 2, "bytes": 3 })
    );
    assert_eq!(told["calls"][0]["name"], "text.wordcount");
    let again = client.tool("result", json!({ "run": told["run"] }));
    assert_eq!(again["result"], told["result"]);
    let told = client.run("local t = nil\nreturn t.x");
    assert_eq!(told["status"], "failed");
    assert!(
        told["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("script.lua:2:")),
        "{told}"
    );
}

#[test]
fn search_and_describe_name_what_the_policy_allows() {
    let mut client = Client::of_2025(
        Kael::new(),
        &["--actions", &example("deploy"), "mcp"],
        json!({}),
    );
    let told = client.tool("search", json!({ "query": "" }));
    let names: Vec<&str> = told["actions"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["deploy.scale", "deploy.status"]);
    let told = client.tool(
        "describe",
        json!({ "names": ["deploy.scale", "deploy.delete", "deploy.scal"] }),
    );
    assert_eq!(
        told["actions"][0]["params"]["properties"]["replicas"]["type"],
        "integer"
    );
    assert_eq!(
        told["unknown"][0],
        "the policy denies every call of 'deploy.delete'"
    );
    assert_eq!(
        told["unknown"][1],
        "no action 'deploy.scal' (did you mean 'deploy.scale'?)"
    );
    let result = client.call("run", json!({ "cod": "return 1" }));
    assert!(
        result.to_string().contains("did you mean `code`?"),
        "{result}"
    );
    let result = client.call("rum", json!({}));
    assert!(
        result.to_string().contains("did you mean `run`?"),
        "{result}"
    );
}

#[test]
fn the_limits_and_the_policy_are_those_of_the_command_line() {
    let session = Kael::new()
        .shell("write", "effects = 'once'", "echo 1")
        .shell("read", "effects = 'none'", "echo 2");
    let words = ["mcp", "--read-only", "--max-cpu", "1s", "--timeout", "20s"];
    let mut client = Client::of_2025(session, &words, json!({}));
    assert_eq!(client.run("return actions.t.read({})")["result"], 2);
    let told = client.run("return actions.t.write({})");
    assert_eq!(told["error"]["kind"], "denied", "{told}");
    let told = client.run("while true do end");
    assert_eq!(told["error"]["kind"], "limit", "{told}");
    // A model can only lower a limit.
    let told = client.tool("run", json!({ "code": "sleep(600)", "timeout": 0.2 }));
    assert_eq!(told["error"]["kind"], "limit", "{told}");
}

#[test]
fn a_model_can_keep_itself_to_reading() {
    let mut client = shell("write", "effects = 'once'", "echo 1");
    let code = "return actions.t.write({})";
    assert_eq!(client.tool("run", json!({ "code": code }))["result"], 1);
    let told = client.tool("run", json!({ "code": code, "read_only": true }));
    assert_eq!(told["error"]["kind"], "denied", "{told}");
}

#[test]
fn what_is_large_is_cut_and_can_be_read_on() {
    let mut client = Client::of_2025(Kael::new(), &["mcp"], json!({}));
    let result = client.call(
        "run",
        json!({ "code": "print(string.rep('é', 100000))\nreturn string.rep('y', 70000)" }),
    );
    assert!(
        result.to_string().len() < 40_000,
        "{}",
        result.to_string().len()
    );
    let told = &result["structuredContent"];
    assert_eq!(told["output_cut"]["bytes"], 200_001);
    assert_eq!(told["result_cut"]["bytes"], 70_002);
    let (mut text, mut from) = (String::new(), 0);
    loop {
        let part = client.tool(
            "result",
            json!({ "run": told["run"], "part": "output", "from": from }),
        );
        text += part["text"].as_str().expect("text");
        match part["next"].as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(text, format!("{}\n", "é".repeat(100_000)));
    let link = result["content"][1]["uri"]
        .as_str()
        .expect("a link")
        .to_owned();
    let read = client.request("resources/read", json!({ "uri": link }));
    assert_eq!(
        read["result"]["contents"][0]["text"].as_str().map(str::len),
        Some(200_001)
    );
    let read = client.request(
        "resources/read",
        json!({ "uri": "kael://runs/nope/output" }),
    );
    assert!(read["error"]["message"].is_string(), "{read}");
}

#[test]
fn a_cancelled_request_ends_its_run_and_what_it_started() {
    let mut client = shell("wait", "", "exec sleep 4711.81");
    let id = client.begin(
        "tools/call",
        json!({ "name": "run", "arguments": { "code": "actions.t.wait({})" } }),
    );
    while !kael_tests::alive("4711.81") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }));
    assert!(gone("4711.81"));
    assert_eq!(client.run("return 1")["result"], 1);
}

#[test]
fn a_client_that_leaves_ends_all_of_its_runs() {
    let mut client = shell("wait", "", "exec sleep 4711.82");
    client.begin(
        "tools/call",
        json!({ "name": "run", "arguments": { "code": "actions.t.wait({})" } }),
    );
    while !kael_tests::alive("4711.82") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(client.ends(), 0);
    assert!(gone("4711.82"));
}

#[test]
fn direct_tools_are_the_actions_that_the_policy_allows() {
    let words = ["--actions", &example("deploy"), "mcp", "--tools", "direct"];
    let mut client = Client::of_2025(Kael::new(), &words, json!({}));
    let list = client.request("tools/list", json!({}));
    let tools = list["result"]["tools"].as_array().expect("a list");
    let names: Vec<&str> = tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, ["deploy_scale", "deploy_status"]);
    assert_eq!(tools[0]["inputSchema"]["required"], json!(["replicas"]));
    assert_eq!(
        tools[0]["inputSchema"]["properties"]["env"]["default"],
        "dev"
    );
    assert_eq!(tools[1]["annotations"]["readOnlyHint"], true);
    let told = client.tool("deploy_scale", json!({ "replicas": 3 }));
    assert_eq!(told["env"], "dev", "{told}");
    let told = client.tool("deploy_scale", json!({ "replicas": 3, "env": "prod" }));
    assert_eq!(told["error"]["kind"], "denied", "{told}");
}

#[test]
fn both_protocols_are_spoken() {
    let mut old = Client::of_2025(Kael::new(), &["mcp"], json!({}));
    assert_eq!(old.run("return 1")["result"], 1);
    let mut new = Client::of_2026(Kael::new(), &["mcp"], json!({}));
    let found = new.request("server/discover", json!({}));
    let versions = found["result"]["supportedVersions"].to_string();
    assert!(versions.contains("2026-07-28"), "{found}");
    assert_eq!(new.run("return 1")["result"], 1);
    let list = new.request("tools/list", json!({}));
    assert_eq!(list["result"]["ttlMs"], 60_000);
    assert_eq!(list["result"]["cacheScope"], "private");
}
