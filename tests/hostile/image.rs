//! Repos with an image, and repos that leave more behind than an image can hold, which every run
//! evaluates.

use kael_tests::Kael;
use libtest_mimic::Trial;

use crate::in_process_host::Host;
use crate::trial;

/// Checks the output of a script: it must be the same with the image and with the evaluated repo.
fn case(
    name: &str,
    evaluated: bool,
    init: &str,
    script: &'static str,
    says: &'static str,
) -> Trial {
    let init = init.to_owned();
    trial(&format!("image/{name}"), move || {
        let session = Kael::new()
            .file("actions/init.lua", &init)
            .file(
                "actions/names.lua",
                "return { first = 'a', list = { 1, 2.5 } }",
            )
            .file(
                "actions/unused.lua",
                "LOADED = (LOADED or 0) + 1 return LOADED",
            )
            .program("impl/a.sh", "#!/bin/sh\ncat\n")
            .file("script.lua", script)
            .option(&["--actions", "actions"]);
        let folder = session.path().to_owned();
        assert_eq!(Host::get().evaluates(&folder.join("actions")), evaluated);
        let options = ["--timeout".to_owned(), "60s".to_owned()];
        let inside = Host::get().run(&folder, &options);
        assert_eq!(
            (inside.kind.as_str(), inside.output.as_str()),
            ("ok", says),
            "{}",
            inside.message
        );
        let ran = session.run_with(&["--timeout", "60s", "script.lua"]).ends();
        ran.no_panic().exits(0);
        assert_eq!(ran.stdout, says);
        Host::get().is_well();
    })
}

/// A repo with one action, and a line that runs before its definition.
fn repo(line: &str) -> String {
    format!(
        "{line}\nlocal names = require('names')\nreturn {{ [names.first] = define_action({{ source = '../impl', entrypoint = 'a.sh', executor = 'native' }}), names = names }}"
    )
}

pub(crate) fn trials() -> Vec<Trial> {
    let call = "print(actions.a { x = 1 }.x, actions.has('a'), actions.names.list[2])";
    let mut all = vec![
        case(
            "of_actions_and_data",
            false,
            &repo(""),
            call,
            "1\ttrue\t2.5\n",
        ),
        case(
            "and_modules_that_nothing_has_loaded",
            false,
            &repo(""),
            "print(require('unused'), LOADED, require('unused'), require('names') == actions.names, require('init') == actions)",
            "1\t1\t1\ttrue\ttrue\n",
        ),
        case(
            "none_of_functions",
            true,
            "return { twice = function(x) return 2 * x end }",
            "print(actions.twice(21))",
            "42\n",
        ),
        case(
            "none_of_a_repo_that_prints",
            true,
            &repo("print('loading')"),
            "print('running')",
            "loading\nrunning\n",
        ),
        case(
            "none_of_a_finaliser_that_is_to_come",
            true,
            &repo("setmetatable({}, { __gc = function() print('collected') end })"),
            "collectgarbage()",
            "collected\n",
        ),
    ];
    all.push(case(
        "of_a_repo_that_made_large_texts",
        false,
        &repo("local large = ('x'):rep(100000):upper():gsub('X', 'yy')"),
        call,
        "1\ttrue\t2.5\n",
    ));
    // Unit tests do not reach these functions, which are Lua's own there.
    for (name, line) in [
        ("the_time", "os.time()"),
        ("the_date", "os.date('%Y')"),
        ("the_clock", "os.clock()"),
        ("chance", "math.random(2)"),
        ("a_way_to_collect", "collectgarbage('generational')"),
        ("a_global", "ANSWER = 42"),
        ("a_library", "string.trim = string.lower"),
    ] {
        let name = format!("none_of_a_repo_that_uses_{name}");
        all.push(case(&name, true, &repo(line), call, "1\ttrue\t2.5\n"));
    }
    all
}
