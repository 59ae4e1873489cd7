//! Actions whose programs do not know Kael: parameters as arguments and variables, results from
//! text.

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
    let fields = |more: &str| {
        format!(
            "input = 'positional', args_order = {{ 'from', 'to', 'rest' }}, output = 'lines' {more}"
        )
    };
    let (plain, behind) = (fields(""), fields(", dashdash = true"));
    call(
        &plain,
        ARGS,
        "{ to = 2, from = 'a b', rest = { 'c', '$(id)' } }",
    )
    .prints("[\"<a b>\",\"<2>\",\"<c>\",\"<$(id)>\"]\n");
    for value in ["'-rf'", "-1", "'--'"] {
        call(&plain, ARGS, &format!("{{ from = {value} }}")).prints(
            "invalid_params: parameter `from` begins with `-`, which the program could take for an option\n",
        );
    }
    call(
        &behind,
        ARGS,
        "{ to = 2, from = '-rf', rest = { '--', '$(id)' } }",
    )
    .prints("[\"<-->\",\"<-rf>\",\"<2>\",\"<-->\",\"<$(id)>\"]\n");
    call(&plain, ARGS, "{ to = 2 }")
        .prints("invalid_params: parameter `from` is missing, and `to` would take its place\n");
    Kael::new()
        .shell("a", &plain, ARGS)
        .script("actions.t.a({ from = '-x' })")
        .fails(1, "Error: t.a failed: parameter `from` begins with `-`, which the program could take for an option\n  script.lua:1: in main chunk\nhint: `dashdash = true` puts `--` before the values, where the program knows it\n");
}

#[test]
fn a_template_is_the_whole_command_line() {
    let argv = |template: &str| format!("argv = {template}, output = 'lines'");
    let status = argv("{ 'status', '{name}', '--json' }");
    call(&status, ARGS, "{ name = 'web 1' }").prints("[\"<status>\",\"<web 1>\",\"<--json>\"]\n");
    call(&status, ARGS, "{}").prints("[\"<status>\",\"<--json>\"]\n");
    call(&status, ARGS, "{ name = '--force' }").prints(
        "invalid_params: parameter `name` begins with `-`, which the program could take for an option\n",
    );
    call(&status, ARGS, "{ nmae = 'x' }")
        .prints("invalid_params: parameter `nmae` has no place in `argv`\n");
    let all = argv(
        "{ '{{}}', '--dir', '{dir}', { '-H', '{header}' }, '--of={of}', '{quiet:-q}', '--', '{files}' }",
    );
    call(&all, ARGS, "{ dir = '/tmp', header = { 'a: b', 'c: d' }, of = '--x', quiet = true, files = { '-a', 'b;id' } }")
        .prints("[\"<{}>\",\"<--dir>\",\"</tmp>\",\"<-H>\",\"<a: b>\",\"<-H>\",\"<c: d>\",\"<--of=--x>\",\"<-q>\",\"<-->\",\"<-a>\",\"<b;id>\"]\n");
    call(&all, ARGS, "{ quiet = false }").prints("[\"<{}>\",\"<-->\"]\n");
    // Some programs read `--dir VALUE` in a loop, but not `--dir=VALUE`.
    let reads = "while [ $# -gt 0 ]; do case $1 in --dir) dir=$2; shift 2 ;; --count) count=$2; shift 2 ;; *) exit 1 ;; esac; done; echo $dir $count";
    call(
        "argv = { '--dir', '{dir}', '--count', '{count}' }, output = 'text', params = { dir = 'string', count = 'integer' }",
        reads,
        "{ dir = '/tmp', count = 6 / 2 }",
    )
    .prints("/tmp 3\n");
    call(&argv("{ '{name}', '--role={role}' }, locked = { role = 'reader' }"), ARGS, "{ name = { 'a', '--role=admin' } }")
        .prints("invalid_params: parameter `name` begins with `-`, which the program could take for an option\n");
}

#[test]
fn statuses_can_be_answers() {
    let diff = "echo differs; echo words >&2; exit $(sed 's/[^0-9]//g')";
    call("output = 'text', ok_exit = { 0, 1 }", diff, "{ n = 1 }").prints("differs\n");
    call("output = 'text', ok_exit = { 0, 1 }", diff, "{ n = 2 }").prints("failed: words\n");
    let fields = "output = 'text', ok_exit = { 1 }, with_status = true";
    call(fields, diff, "{ n = 1 }").prints("{\"output\":\"differs\",\"status\":1}\n");
    call(fields, diff, "{ n = 0 }").prints("{\"output\":\"differs\",\"status\":0}\n");
    call("ok_exit = { 1 }, with_status = true", "exit 1", "{}").prints("{\"status\":1}\n");
    call(
        "ok_exit = { 1 }, with_status = true, returns = { status = 'integer', output = 'list' }",
        "echo '[5]'; exit 1",
        "{}",
    )
    .prints("{\"output\":[5],\"status\":1}\n");
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
    print("ndjson", "{}\\n{\\n").prints(
        "bad_output: printed a line that is not JSON: the text ends within the document at line 2 column 2\n",
    );
    print("last-json", "connecting\\n{\\n\"a\": 1\\n}\\n").prints("{\"a\":1}\n");
    call(
        "output = { csv = { separator = ';' } }",
        "printf 'id;name\\n1;x, y\\n'",
        "{}",
    )
    .prints("[{\"id\":\"1\",\"name\":\"x, y\"}]\n");
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
    for (fields, error) in [
        (
            "input = 'argv'",
            "field 'argv' is missing: input = \"argv\" takes the arguments from it",
        ),
        (
            "input = 'argc'",
            "field 'input' `argc` is not one of \"json\", \"args\", \"positional\", \"argv\", \"env\"",
        ),
        (
            "input = 'json', argv = { 'x' }",
            "field 'input' does not go with 'argv', which is the whole command line",
        ),
        (
            "argv = 'status {name}'",
            "field 'argv' must be a list of arguments, got a string",
        ),
        (
            "argv = { 'x', 5 }",
            "field 'argv' element 2: must be a text or a list of texts, got a number",
        ),
        (
            "argv = { 'x{name}' }",
            "field 'argv' element 1: `x{name}`: a place is a whole argument, \"{name}\", or stands behind `=`, \"--option={name}\"; write a literal brace twice",
        ),
        (
            "argv = { '{nmae}' }, params = { name = 'string?' }",
            "field 'argv' has no place for `name`, which 'params' names: write \"{name}\"\n  actions/init.lua:1: define_action: field 'argv' has a place for `nmae`, which 'params' does not name (did you mean `name`?)",
        ),
        (
            "argv = { '{name}' }, locked = { role = 'reader' }",
            "field 'argv' has no place for `role`, which 'locked' sets: write \"{role}\"",
        ),
        (
            "dashdash = true",
            "field 'dashdash' is for input = \"positional\"",
        ),
        (
            "ok_exit = { 0, 'x' }",
            "field 'ok_exit' must be a list of exit statuses from 0 to 255, such as { 0, 1 }",
        ),
        (
            "with_status = 1",
            "field 'with_status' must be true or false, got a number",
        ),
        (
            "output = { csv = { separator = ', ' } }",
            "field 'output.csv.separator' must be one character, and neither a quote nor a line break",
        ),
        (
            "output = { csv = { seperator = ';' } }",
            "unknown field 'output.csv.seperator' (did you mean 'separator'?)",
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
            "field 'output' `xml` is not one of \"json\", \"last-json\", \"text\", \"lines\", \"csv\", \"ndjson\"",
        ),
    ] {
        load(fields).fails(
            3,
            &format!("Error: actions/init.lua:1: define_action: {error}\n"),
        );
    }
}
