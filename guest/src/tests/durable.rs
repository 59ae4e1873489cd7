//! Signals, children, the status and the time, as scripts call them.

use super::{error_of, output};

#[test]
fn a_signal_a_timer_and_a_child_wait_side_by_side() {
    let script = "local a, b = parallel(function() return wait_for('go').signal end,
          function() return runs.start({ name = 'c', script = 'return 1', wait = true }).of end)
        local winner, value = race(function() sleep('1h') end, function() return wait_for('x', { timeout = '2d' }).signal end)
        status('step ' .. 2) status(3)
        return { a, b, winner, value, now() == time(), runs.start { script = '' }, runs.wait('r').of }";
    assert_eq!(output(script), r#"["go","c",2,"x",true,"child","r"]"#);
}

#[test]
fn what_does_not_come_is_an_error_with_its_kind() {
    let script = "local ok, e = pcall(wait_for, 'go', { timeout = 1 })
        return { ok, e.action, e.kind, tostring(e), type(e.detail) }";
    assert_eq!(
        output(script),
        r#"[false,"wait_for","failed","wait_for failed: no signal in time","table"]"#
    );
    let error = error_of("status(string.rep('x', 30))");
    assert_eq!(error.message, "status failed: too long");
}

#[test]
fn other_arguments_are_told_at_the_caller() {
    for (call, error) in [
        (
            "wait_for()",
            "wait_for: expected the name of a signal, got nil",
        ),
        (
            "wait_for('x', 5)",
            "wait_for: options must be a table such as { timeout = \"2d\" }, got number",
        ),
        (
            "wait_for('x', { time = 5 })",
            "wait_for: no option 'time' (there is: timeout)",
        ),
        (
            "wait_for('x', { timeout = '5' })",
            "wait_for: the option 'timeout': expected a number of seconds, or a text",
        ),
        ("status()", "status: expected a text, got nil"),
        (
            "runs.start('x')",
            "runs.start: expected a table such as { script = text }, got string",
        ),
        (
            "runs.wait {}",
            "runs.wait: expected the id of a run, got table",
        ),
    ] {
        let said = error_of(call).message;
        assert!(
            said.starts_with(&format!("script.lua:1: {error}")),
            "{said}"
        );
    }
}
