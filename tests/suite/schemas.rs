//! The schemas of parameters and results, and the errors of calls that do not fit.

use kael_tests::Kael;

const SHORT: &str = "params = { url = 'string', limit = 'integer?', tags = 'string[]?' }";

fn echo(fields: &str) -> Kael {
    Kael::new().shell("echo", fields, "cat")
}

#[test]
fn parameters_are_validated_after_merging_and_every_mistake_is_reported() {
    let session = |fields: &str, call: &str| {
        echo(fields)
            .shell("never", "", "echo ran > ran; echo 1")
            .script(&format!("print(json.encode(actions.t.echo({call})))"))
    };
    session(SHORT, "{ url = 'x', limit = 5, tags = {} }")
        .prints("{\"limit\":5,\"tags\":[],\"url\":\"x\"}\n");
    session(&format!("{SHORT}, defaults = {{ url = 'd' }}"), "").prints("{\"url\":\"d\"}\n");
    session(SHORT, "{ url = 5, limit = 'x', tgas = { 'a' }, tags = { 'a', 2 } }").fails(
        1,
        "Error: t.echo failed: parameter `limit` must be an integer, got a string; parameter `tags[2]` must be a string, got a number; parameter `url` must be a string, got a number; parameter `tgas` is not known (did you mean `tags`?)\n  script.lua:1: in main chunk\n",
    );
    session(SHORT, "").fails_with(1, "Error: t.echo failed: parameter `url` is missing");
}

#[test]
fn nothing_runs_when_the_parameters_do_not_fit() {
    let ran = Kael::new()
        .shell("a", SHORT, "touch ../ran; echo 1")
        .script("local ok, e = pcall(actions.t.a, {}) print(ok, e.kind, e.message)");
    ran.prints("false\tinvalid_params\tparameter `url` is missing\n");
    assert!(!ran.path().join("ran").exists());
}

#[test]
fn json_schema_is_used_unchanged() {
    let schema = "params = { type = 'object', properties = { n = { type = 'integer', maximum = 20 }, mode = { enum = { 'a', 'b' } } }, required = { 'n' } }";
    let call =
        |call: &str| echo(schema).script(&format!("print(json.encode(actions.t.echo({call})))"));
    call("{ n = 3, other = 1 }").prints("{\"n\":3,\"other\":1}\n");
    call("{ n = 40, mode = 'c' }").fails_with(
        1,
        "Error: t.echo failed: parameter `mode` must be one of \"a\", \"b\", got \"c\"; parameter `n` must be at most 20, got 40",
    );
}

#[test]
fn a_result_that_breaks_its_promise_is_bad_output() {
    let call = |out: &str| {
        Kael::new()
            .shell(
                "a",
                "returns = { points = { { value = 'number' } }, unit = 'string?' }",
                &format!("echo '{out}'"),
            )
            .script("local ok, e = pcall(actions.t.a, {}) print(ok, ok and #e.points or e.kind, e.message)")
    };
    call("{\"points\":[{\"value\":1.5}],\"more\":1}").prints("true\t1\tnil\n");
    call("{\"points\":[{\"value\":\"x\"}]}").prints("false\tbad_output\treturned what its definition does not promise: `points[1].value` must be a number, got a string\n");
    call("[]").prints("false\tbad_output\treturned what its definition does not promise: the result must be a table with names, got a list\n");
}

#[test]
fn large_documents_are_validated_too() {
    let script = |last: &str| {
        format!(
            "local l = {{}} for i = 1, 40000 do l[i] = 'some text' end l[#l + 1] = {last}
             local ok, r = pcall(actions.t.a, {{ l = l }}) print(ok, ok and r or r.message)"
        )
    };
    let run = |last: &str| {
        Kael::new()
            .shell("a", "params = { l = 'string[]' }", "wc -c")
            .script(&script(last))
    };
    run("'x'").prints("true\t480011\n");
    run("5").prints("false\tparameter `l[40001]` must be a string, got a number\n");
}

#[test]
fn schemas_are_checked_when_the_repo_loads() {
    let load = |fields: &str| {
        Kael::new()
            .file(
                "actions/init.lua",
                format!("return {{ a = define_action({{ source = 'x', executor = 'native', {fields} }}) }}"),
            )
            .option(&["--actions", "actions"])
            .run_with(&["-e", ""])
            .ends()
    };
    for (fields, error) in [
        (
            "params = { url = 'strng' }",
            "field 'params' `url` \"strng\" is not a type (did you mean \"string\"?)",
        ),
        (
            "params = 'string'",
            "field 'params' must describe a table with names; a parameter that is called `type` is written { type = \"object\", properties = { type = … } }",
        ),
        (
            "params = { type = 'object', properties = { a = { minimum = 'x' } } }",
            "field 'params' is not a valid schema: `properties.a.minimum` must be a number, got a string",
        ),
        (
            "params = { n = 'integer' }, defaults = { n = 'many' }",
            "field 'defaults' does not fit 'params': `n` must be an integer, got a string",
        ),
        (
            "params = { n = 'integer' }, locked = { m = 1 }",
            "field 'locked' does not fit 'params': `m` is not known (did you mean `n`?)",
        ),
        (
            "returns = { n = 'integer' }, example = { n = 'x' }",
            "field 'example' does not fit 'returns': `n` must be an integer, got a string",
        ),
        (
            "description = 5",
            "field 'description' must be a string, got a number",
        ),
    ] {
        load(fields).fails(
            3,
            &format!("Error: actions/init.lua:1: define_action: {error}\n"),
        );
    }
    load("params = { ['$ref'] = 'file:///etc/passwd' }")
        .exits(3)
        .says("Error: actions/init.lua:1: define_action: field 'params' is not a valid schema: ");
}
