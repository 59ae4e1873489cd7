//! Programs that know nothing of Kael as actions: parameters as arguments and variables, results from text.

use kael_tests::Kael;

/// Prints its arguments, one a line.
const ARGS: &str = "for a in \"$@\"; do echo \"<$a>\"; done";

fn call(fields: &str, code: &str, call: &str) -> kael_tests::Ran {
    Kael::new()
        .shell("a", fields, code)
        .script(&format!("local ok, r = pcall(actions.t.a, {call}) print(ok and (type(r) == 'string' and r or json.encode(r)) or r.kind .. ': ' .. r.message)"))
}

#[test]
fn parameters_become_arguments_and_never_other_flags() {
    let fields = "input = 'args', output = 'lines'";
    call(fields, ARGS, "{ name = '--rm -x', all = true, none = false, n = 2, tag = { 'a b', '--c' }, empty = '' }")
        .prints("[\"<--all>\",\"<--empty=>\",\"<--n=2>\",\"<--name=--rm -x>\",\"<--tag=a b>\",\"<--tag=--c>\"]\n");
    call(fields, ARGS, "{}").prints("[]\n");
    call(fields, ARGS, "{ ['x y'] = 1 }")
        .prints("invalid_params: parameter `x y` cannot be the name of an argument: use letters, digits, `_`, `-` and `.`\n");
    call(fields, ARGS, "{ a = { b = 1 } }").prints(
        "invalid_params: parameter `a` holds a table or null, which cannot be an argument\n",
    );
    call(fields, ARGS, "{ a = 'x\\0y' }")
        .prints("invalid_params: parameter `a` holds a NUL character, which cannot be passed\n");
    call(fields, ARGS, "{ a = ('x'):rep(200000) }")
        .prints("invalid_params: parameter `a` has more than the 100 KiB that can be passed\n");
    // Several of them, up to what a command line takes.
    call(fields, "echo $#", "{ a = (function() local t = {} for i = 1, 9 do t[i] = ('x'):rep(100000) end return t end)() }")
        .prints("[\"9\"]\n");
}

#[test]
fn positional_values_have_their_order() {
    let fields = "input = 'positional', args_order = { 'from', 'to', 'rest' }, output = 'lines'";
    call(
        fields,
        ARGS,
        "{ to = 2, from = '-rf', rest = { '--', '$(id)' } }",
    )
    .prints("[\"<-->\",\"<-rf>\",\"<2>\",\"<-->\",\"<$(id)>\"]\n");
    call(fields, ARGS, "{ to = 2 }")
        .prints("invalid_params: parameter `from` is missing, and `to` would take its place\n");
}

#[test]
fn parameters_become_variables_only_where_the_definition_names_them() {
    let fields = "input = 'env', output = 'text', params = { REGION = 'string', rows = 'list?' }, env = { 'TOKEN' }";
    call(
        fields,
        "echo \"$REGION $rows\"",
        "{ REGION = 'eu', rows = { 1 } }",
    )
    .prints("eu [1]\n");
    call("input = 'env', output = 'text'", "env", "{ LD_PRELOAD = '/x' }").prints("invalid_params: parameter `LD_PRELOAD` is not among those that the definition names, and no other becomes a variable\n");
    call("input = 'env', defaults = { PATH = '/x' }", "env", "{}").prints("invalid_params: parameter `PATH` cannot be passed as a variable: that name decides how programs run or is set already\n");
}

#[test]
fn text_becomes_a_value() {
    let print = |output: &str, text: &str| {
        call(
            &format!("output = '{output}'"),
            &format!("printf '{text}'"),
            "{}",
        )
    };
    print("text", "a\\nb\\n").prints("a\nb\n");
    print("lines", "a\\nb\\n").prints("[\"a\",\"b\"]\n");
    print("csv", "id,name\\n1,\"x, y\"\\n").prints("[{\"id\":\"1\",\"name\":\"x, y\"}]\n");
    print("csv", "id,name\\n1\\n")
        .prints("bad_output: line 2: 1 fields, and the first line names 2\n");
    print("ndjson", "{\"a\":1}\\n[2]\\n").prints("[{\"a\":1},[2]]\n");
    print("ndjson", "{\\n").exits(0);
}

#[test]
fn results_are_validated_after_they_were_read() {
    let fields = "output = 'csv', returns = { { id = 'string', name = 'string' } }";
    call(fields, "printf 'id,name\\n1,x\\n'", "{}").prints("[{\"id\":\"1\",\"name\":\"x\"}]\n");
    call(fields, "printf 'id\\n1\\n'", "{}").prints(
        "bad_output: returned what its definition does not promise: `[1].name` is missing\n",
    );
}

#[test]
fn adapters_that_are_none_are_named() {
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
    for (fields, problem) in [
        (
            "input = 'argv'",
            "field 'input' `argv` is none of \"json\", \"args\", \"positional\", \"env\"",
        ),
        (
            "input = 'positional'",
            "field 'args_order' is missing: input = \"positional\" takes the parameters in its order",
        ),
        (
            "input = 'positional', args_order = { 'a', 'a' }",
            "field 'args_order' names `a` twice",
        ),
        (
            "args_order = { 'a' }",
            "field 'args_order' is for input = \"positional\"",
        ),
        (
            "output = 'xml'",
            "field 'output' `xml` is none of \"json\", \"text\", \"lines\", \"csv\", \"ndjson\"",
        ),
    ] {
        load(fields).fails(
            3,
            &format!("Error: actions/init.lua:1: define_action: {problem}\n"),
        );
    }
}
