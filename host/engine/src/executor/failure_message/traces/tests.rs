use super::*;

fn told(text: &str, language: Language) -> Option<String> {
    uncaught(&text.lines().collect::<Vec<_>>(), language)
}

#[test]
fn pythons_exception_is_found_wherever_it_stands() {
    let trace = "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x()\n    ~^^\n";
    for (text, expected) in [
        (format!("{trace}ValueError: bad\n"), "ValueError: bad"),
        (
            format!("{trace}requests.exceptions.ConnectionError: no\nclosing the log\n"),
            "requests.exceptions.ConnectionError: no",
        ),
        (
            format!("{trace}KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n{trace}RuntimeError: b\nmore of it\n"),
            "RuntimeError: b",
        ),
        (format!("{trace}KeyboardInterrupt\n"), "KeyboardInterrupt"),
        (
            format!("ERROR:root:no\n{trace}KeyError: 'a'\nretrying\nfatal: gave up after 3 attempts\n"),
            "fatal: gave up after 3 attempts",
        ),
        (
            format!("{trace}OSError: x\nException ignored in: <f>\n{trace}BrokenPipeError: y\n"),
            "OSError: x",
        ),
        (
            "  File \"a.py\", line 1\n    f(\n     ^\nSyntaxError: '(' was never closed\nbye\n".to_owned(),
            "SyntaxError: '(' was never closed",
        ),
        (
            "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 1\n  | ExceptionGroup: several (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: a\n    +------------------------------------\n".to_owned(),
            "ExceptionGroup: several (2 sub-exceptions)",
        ),
    ] {
        assert_eq!(told(&text, Language::Python).as_deref(), Some(expected), "{text}");
    }
    let handled = format!("{trace}ValueError: bad\n");
    assert!(told(&handled, Language::Shell).is_some());
    assert_eq!(
        told(&format!("{handled}a.sh: no report\n"), Language::Shell),
        None
    );
}

#[test]
fn nodes_error_is_not_its_version() {
    for (text, expected) in [
        (
            "/x/a.js:2\nconsole.log(answer.size);\n                   ^\n\nTypeError: Cannot read properties of undefined (reading 'size')\n    at Object.<anonymous> (/x/a.js:2:20)\n    at node:internal/main/run_main_module:23:47\n\nNode.js v20.20.2\n",
            "TypeError: Cannot read properties of undefined (reading 'size')",
        ),
        (
            "node:internal/modules/cjs/loader:1148\n  throw err;\n  ^\n\nError: Cannot find module 'x'\nRequire stack:\n- /x/a.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1145:15) {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/x/a.js' ]\n}\n\nNode.js v20.20.2\n",
            "Error: Cannot find module 'x'",
        ),
        (
            "/x/a.js:1\nthrow \"boom\";\n^\nboom\n(Use `node --trace-uncaught ...` to show where the exception was thrown)\n\nNode.js v20.20.2\n",
            "boom",
        ),
        (
            "node:internal/process/promises:288\n            triggerUncaughtException(err, true /* fromPromise */);\n            ^\n\n[UnhandledPromiseRejection: This error originated either by throwing inside of an async function without a catch block, or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason \"no route\".] {\n  code: 'ERR_UNHANDLED_REJECTION'\n}\n\nNode.js v20.20.2\n",
            "no route",
        ),
        (
            "starting\nError: refused\n    at f (/x/a.js:1:1)\n    at g (/x/a.js:2:1)\n",
            "Error: refused",
        ),
        (
            "/x/a.mjs:3\nimport x\n       ^\n\nSyntaxError: Unexpected identifier\n    at ModuleLoader (node:x:1:1)\n\nNode.js v22.1.0\n",
            "SyntaxError: Unexpected identifier",
        ),
    ] {
        assert_eq!(
            told(text, Language::Node).as_deref(),
            Some(expected),
            "{text}"
        );
        assert_eq!(
            told(text, Language::Shell).as_deref(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn other_languages_say_it_before_their_traces() {
    for (text, expected) in [
        (
            "panic: no such host\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:4 +0x1d\nexit status 2\n",
            "panic: no such host",
        ),
        (
            "thread 'main' panicked at src/main.rs:2:5:\nno such host\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
            "panicked: no such host",
        ),
        (
            "a.rb:1:in 'f': no such host (RuntimeError)\n\tfrom a.rb:4:in '<main>'\n",
            "a.rb:1:in 'f': no such host (RuntimeError)",
        ),
        (
            "lua: a.lua:1: no such host\nstack traceback:\n\t[C]: in function 'error'\n\ta.lua:1: in main chunk\n",
            "lua: a.lua:1: no such host",
        ),
        (
            "Exception in thread \"main\" java.lang.RuntimeException: no such host\n\tat Main.main(Main.java:3)\nCaused by: java.io.IOException: x\n\t... 1 more\n",
            "Exception in thread \"main\" java.lang.RuntimeException: no such host",
        ),
        (
            "PHP Fatal error:  Uncaught Exception: no such host in /x/a.php:3\nStack trace:\n#0 {main}\n  thrown in /x/a.php on line 3\n",
            "PHP Fatal error:  Uncaught Exception: no such host in /x/a.php:3",
        ),
    ] {
        assert_eq!(
            told(text, Language::Other).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    assert_eq!(told("one\ntwo\n", Language::Other), None);
}
