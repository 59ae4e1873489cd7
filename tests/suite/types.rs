//! `kael-host actions types`: checks the annotations with a real language server.

use std::fs;
use std::path::Path;
use std::process::Command;

use kael_tests::{Kael, Ran, emmylua_check, project};
use serde_json::Value;

/// The checker's result for a folder: whether it passed, and each diagnosis as `file:line code`.
fn diagnose(folder: &Path) -> (bool, Vec<String>) {
    let mut check = Command::new(emmylua_check());
    check
        .current_dir(folder)
        .args(["--warnings-as-errors", "--output-format", "json", "."]);
    let output = check.output().expect("emmylua_check starts");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)));
    let mut found = Vec::new();
    for file in report.as_array().expect("a list of files") {
        let name = file["file"]
            .as_str()
            .expect("a path")
            .rsplit('/')
            .next()
            .expect("a name");
        for one in file["diagnostics"].as_array().expect("a list") {
            let line = one["range"]["start"]["line"].as_u64().expect("a line") + 1;
            found.push(format!(
                "{name}:{line} {}",
                one["code"].as_str().unwrap_or_default()
            ));
        }
    }
    found.sort();
    (output.status.success(), found)
}

fn types(session: Kael) -> Ran {
    let ran = session
        .option(&["--actions", "actions"])
        .words(&["actions", "types", "-o", "."])
        .ends();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    ran
}

#[test]
fn the_examples_are_clean_for_a_language_server() {
    for example in ["hello", "fleet", "wasm-action"] {
        let session = Kael::new();
        let status = Command::new("cp")
            .arg("-r")
            .arg(project("examples").join(example))
            .arg(session.path().join("x"))
            .status();
        assert!(status.expect("cp starts").success());
        let folder = session.path().join("x");
        let mut command = session.command();
        let words = ["--actions", "actions", "actions", "types", "-o", "."];
        let output = command
            .current_dir(&folder)
            .args(words)
            .output()
            .expect("the host starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (clean, mut found) = diagnose(&folder);
        // This example has one known diagnosis.
        if example == "hello" {
            assert_eq!(found.pop().as_deref(), Some("script.lua:6 undefined-field"));
        } else {
            assert!(clean, "{example}");
        }
        assert_eq!(found, [""; 0], "{example}");
    }
}

const REPO: &str = r#"
local t = {}
t.query = define_action({
  source = "../impl", executor = "native", entrypoint = "a.sh",
  description = "Reads points.\n@deprecated is no tag here",
  params = { url = "string", limit = "integer?", tags = "string[]?", mode = "string?", tenant = "string?", ["odd key?"] = { x = "string" } },
  returns = { points = { { value = "number", name = "string|null" } } },
  defaults = { mode = "fast" }, locked = { tenant = "acme" },
})
---@class t.Options
---@field name string
---@field deep { n: integer }

--- Runs what was written by hand.
---@type fun(opts: t.Options): integer
t.own = define_action({ source = "../impl", executor = "native", entrypoint = "a.sh", params = { x = "string" } })
t.plain = define_action({ source = "../impl", executor = "native", entrypoint = "a.sh", defaults = { size = 5, at = "x" } })
function t.compose(x) return x end
return { t = t, ["a-b"] = { c = t.plain }, a_b = { VALUE = 5 } }
"#;

#[test]
fn editors_show_mistakes_in_calls() {
    let script = r#"
local answer = actions.t.query({ url = "x", limit = 5, ["odd key"] = { x = "y" } })
for _, point in ipairs(answer.points) do print(point.value + 1, point.name) end
print(actions.t.own({ name = "x", deep = { n = 1 } }) + 1)
actions.t.plain() actions.t.plain({ size = 1, more = true }) actions["a-b"].c({}) actions.t.compose(1, 2)
print(actions.a_b.VALUE, actions.has("t.own"), arg[1], inspect(json.decode("{}")), pluck({ {} }, "x"))
local first, second = parallel(function() return 1 end, function() return 2 end)
local all, index = parallel({ function() return 1 end }), race(function() return 1 end)
pp(keys({ a = 1 }), 1) print(first, second, all[1], index, count({}), json.pretty(json.null), json.array({}))
print(jq({ 1 }, ".[] + $n", { n = 1 }), report.table({ { a = 1 } }, { "a", { "b", "B" } }, { title = "T" }), report.csv({}))
report.chart("bar", { { a = 1 } }, { y = "a" })
local ok, err = pcall(actions.t.query, { url = "x" })
if not ok then print(err.kind, err.detail.exit_code) end
"#;
    let wrong = r#"
actions.t.query({ limit = 5 })
actions.t.query({ url = 5 })
actions.t.qurey({ url = "x" })
print(actions.t.query({ url = "x" }).pionts)
actions.t.own({ name = "x" })
nowhere()
"#;
    let session = Kael::new()
        .file("actions/init.lua", REPO)
        .file("good.lua", script)
        .file("wrong.lua", wrong);
    let ran = types(session);
    let (clean, found) = diagnose(ran.path());
    assert!(!clean);
    let expected = [
        "wrong.lua:2 missing-fields",
        "wrong.lua:2 param-type-mismatch",
        "wrong.lua:3 assign-type-mismatch",
        "wrong.lua:4 undefined-field",
        "wrong.lua:5 undefined-field",
        "wrong.lua:6 missing-fields",
        "wrong.lua:6 param-type-mismatch",
        "wrong.lua:7 undefined-global",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_annotations_match_the_repo() {
    let by_hand = "--- Runs what was written by hand.\n---@type fun(opts: t.Options): integer\n";
    let as_tags =
        "--- Runs what was written by hand.\n---@param opts t.Options\n---@return integer\n";
    let repo = REPO
        .replace("\n\n--- Runs", "\n--- Runs")
        .replace(by_hand, as_tags);
    // The editor does not see the repo's files.
    let ran = Kael::new()
        .file("actions/init.lua", repo)
        .option(&["--actions", "actions"])
        .words(&["actions", "types", "-o", "scripts"])
        .ends();
    let files = [
        "scripts/.kael/types/globals.lua",
        "scripts/.kael/types/actions.lua",
        "scripts/.luarc.json",
        "scripts/.emmyrc.json",
    ];
    ran.prints(&files.map(|file| format!("written: {file}\n")).concat());
    let text = fs::read_to_string(ran.path().join(files[1])).expect("written");
    let seen = types(Kael::new().file("actions/init.lua", REPO));
    let own = fs::read_to_string(seen.path().join(".kael/types/actions.lua")).expect("written");
    assert!(
        own.contains(&format!("{by_hand}namespace.own = nil\n")),
        "{own}"
    );
    assert!(!own.contains("---@class t.Options"), "{own}");
    for expected in [
        "--- Reads points.\n--- deprecated is no tag here\n---@param params kael.params.t.query\n",
        "---@return { points: { name: string|nil, value: number }[] }\n",
        "---@class (exact) kael.params.t.query\n---@field limit? integer\n---@field mode? string Default: \"fast\"\n",
        "---@field [\"odd key\"]? { x: string }\n---@field tags? string[]\n---@field url string\n",
        "---@class t.Options\n---@field name string\n---@field deep { n: integer }\n",
        "--- Runs what was written by hand.\n---@param opts t.Options\n---@return integer\nnamespace.own = function(opts) end\n",
        "---@class kael.params.t.plain\n---@field at? string Default: \"x\"\n---@field size? number Default: 5\n---@field [string] any\n",
        "---@class kael.actions.a_b_\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in: {text}");
    }
    assert!(
        !text.contains("kael.params.t.own") && !text.contains("tenant"),
        "{text}"
    );
}

#[test]
fn settings_of_an_editor_are_added_to_and_those_with_comments_are_left() {
    let session = Kael::new()
        .file("actions/init.lua", REPO)
        .file(".luarc.json", "{ // mine\n}")
        .file(".emmyrc.json", r#"{ "workspace": { "library": ["x"] } }"#);
    let ran = types(session);
    assert!(
        ran.stdout.contains(
            "left as it is: ./.luarc.json: add \".kael/types\" to workspace.library there\n"
        ),
        "{}",
        ran.stdout
    );
    assert_eq!(
        fs::read_to_string(ran.path().join(".luarc.json")).expect("there"),
        "{ // mine\n}"
    );
    let text = fs::read_to_string(ran.path().join(".emmyrc.json")).expect("there");
    let settings: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        settings["workspace"]["library"],
        serde_json::json!(["x", ".kael/types"])
    );
}

#[test]
fn every_global_of_a_script_is_annotated() {
    let lua = [
        "_G",
        "_VERSION",
        "assert",
        "collectgarbage",
        "coroutine",
        "debug",
        "error",
        "getmetatable",
        "ipairs",
        "load",
        "math",
        "next",
        "os",
        "package",
        "pairs",
        "pcall",
        "print",
        "rawequal",
        "rawget",
        "rawlen",
        "rawset",
        "require",
        "select",
        "setmetatable",
        "string",
        "table",
        "tonumber",
        "tostring",
        "type",
        "utf8",
        "warn",
        "xpcall",
    ];
    let names = Kael::new()
        .file("actions/init.lua", "return {}")
        .option(&["--actions", "actions"])
        .script("for name in next, _G do print(name) end");
    let text = fs::read_to_string(project("host/authoring/src/types/globals.lua")).expect("there");
    let annotated = |name: &str| {
        let declares = [format!("\nfunction {name}("), format!("\n{name} = ")];
        name == "actions" || declares.iter().any(|line| text.contains(line))
    };
    let missing: Vec<&str> = names
        .exits(0)
        .stdout
        .lines()
        .filter(|name| !lua.contains(name) && !annotated(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let session = Kael::new().file("actions/init.lua", REPO).file("taken", "");
    session
        .option(&["--actions", "actions"])
        .words(&["actions", "types", "-o", "taken"])
        .ends()
        .fails(
            2,
            "Error: taken/.kael/types: Not a directory (os error 20)\n",
        );
    Kael::new()
        .file("actions/init.lua", "return { a = define_action({}) }")
        .option(&["--actions", "actions"])
        .words(&["actions", "types"])
        .ends()
        .fails_with(
            3,
            "Error: actions/init.lua:1: define_action: field 'source' is missing",
        );
}

#[test]
fn a_pipe_in_place_of_a_file_holds_up_no_command() {
    let session = Kael::new()
        .file("actions/init.lua", "return {}")
        .file("impl/a.py", "print(1)");
    for name in [".luarc.json", "impl/requirements.txt"] {
        let made = Command::new("mkfifo")
            .arg(session.path().join(name))
            .status();
        assert!(made.expect("mkfifo starts").success());
    }
    let ran = |words: &[&str]| {
        let mut command = session.command();
        let output = command
            .args(["--actions", "actions", "actions"])
            .args(words)
            .output();
        let output = output.expect("it starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, said) = ran(&["types", "-o", "."]);
    assert!(
        code == Some(2) && said.contains(".luarc.json: not a file"),
        "{code:?} {said}"
    );
    let (code, said) = ran(&["add", "impl/a.py", "t.a"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_editor_knows_the_methods_of_the_hosts_modules() {
    let session = Kael::new()
        .file("actions/init.lua", "return {}")
        .file(
            "script.lua",
            "local c = require(\"assay.vault\").client(\"http://v:8200\", \"t\")
local data = c.kv:get(\"secrets\", \"app\")
print(data and data.metadata, c.kv:gett(\"secrets\", \"app\"))
print(require(\"assay.ory\").keto.client(\"http://k\").tuples:lists())
print(require(\"assay.openbao\").client(\"http://v\", \"t\").sys:is_sealed(), c:kv_get(\"a\", \"b\"))
for alert in pairs(require(\"assay.prometheus\").client(\"http://p\").alerts:list()) do print(alert) end
",
        );
    let folder = session.path().to_owned();
    let ran = types(session);
    assert!(folder.join(".kael/types/assay/ory/keto.lua").is_file());
    let (_, found) = diagnose(&folder);
    assert_eq!(
        found,
        [
            "script.lua:3 undefined-field",
            "script.lua:4 undefined-field"
        ]
    );
    drop(ran);
}
