//! Runs that others take the place of, and what runs are found by.

use serde_json::Value;

use super::Session;

/// Works what is due until a run is over: its state.
fn worked(session: &Session, id: &str) -> String {
    let late = std::time::Instant::now() + std::time::Duration::from_secs(120);
    loop {
        assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
        let shown = session.json(&["runs", "show", id, "--json"]);
        let state = shown["state"].as_str().expect("a state").to_owned();
        if ["succeeded", "failed", "cancelled", "parked"].contains(&&*state) {
            return state;
        }
        assert!(std::time::Instant::now() < late, "{shown}");
    }
}

/// Counts down, a run for each number; the script is handed on as an input.
const COUNT: &str = "local n = tonumber(arg[1] or '3') \n\
    actions.t.note({ n = n })\n\
    if n == 0 then return 'end' end\n\
    runs.continue_as { script = inputs.text, args = { n - 1 }, inputs = { text = inputs.text } }\n\
    error('never')";

#[test]
fn a_run_goes_on_as_another_one_with_its_labels() {
    let session = Session::new("effects = 'idempotent'", COUNT);
    let words = [
        "run",
        "--journal",
        "--label",
        "team=web",
        "--input",
        "text=script.lua",
        "script.lua",
        "2",
    ];
    assert_eq!(session.kael(&words), (0, String::new(), String::new()));
    let (first, state) = (session.runs(2).remove(1), "succeeded");
    assert_eq!(
        (&first["state"], &first["labels"]["team"]),
        (&state.into(), &"web".into())
    );
    let of = |run: &Value| run["run"].as_str().expect("an id").to_owned();
    for count in [3, 3] {
        assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
        session.runs(count);
    }
    assert_eq!(session.notes().len(), 3);
    let listed = session.json(&["runs", "ls", "--json", "--label", "team=web"]);
    let listed = listed["runs"].as_array().expect("a list");
    assert_eq!(listed.len(), 3);
    let before = |run: &str| {
        let found = listed.iter().find(|one| of(one) == run).expect("listed");
        found["continues"].as_str().map(str::to_owned)
    };
    // A chain of three.
    let last = listed
        .iter()
        .find(|one| listed.iter().all(|other| other["continues"] != one["run"]));
    let last = of(last.expect("one is the last"));
    let middle = before(&last).expect("another before it");
    assert_eq!(before(&middle), Some(of(&first)));
    assert_eq!(before(&of(&first)), None);
    let (_, shown, _) = session.kael(&["runs", "show", &middle]);
    assert!(
        shown.contains(&format!("in place of {}", of(&first)))
            && shown.contains(&format!("continued as {last}"))
            && shown.contains("labels   team=web"),
        "{shown}"
    );
    for run in [&of(&first), &middle, &last] {
        assert_eq!(session.kael(&["runs", "replay", run]).0, 0, "{run}");
        assert_eq!(session.kael(&["runs", "verify", run]).0, 0);
    }
    assert_eq!(session.notes().len(), 3);
    session.prints(
        &["runs", "ls", "--label", "team=mail"],
        "no run has these labels\n",
    );
}

#[test]
fn who_waits_for_a_run_waits_for_the_last_one() {
    let script = "local text = inputs.text\n\
        print(runs.start { script = text, args = { 2 }, inputs = { text = text }, wait = true })";
    let session = Session::new("effects = 'idempotent'", script);
    let kael = session.kael.file("count.lua", COUNT);
    let session = Session { kael, ..session };
    let words = [
        "run",
        "--journal",
        "--input",
        "text=count.lua",
        "script.lua",
    ];
    assert_eq!(session.kael(&words).0, 7);
    let runs = session.runs(2);
    let id = runs
        .iter()
        .find(|run| run["parent"].is_null())
        .expect("a parent");
    let id = id["run"].as_str().expect("an id").to_owned();
    assert_eq!(worked(&session, &id), "succeeded");
    session.prints(&["runs", "show", &id, "--output"], "end\n");
    let runs = session.runs(4);
    let children = runs
        .iter()
        .filter(|run| run["parent"] == id.as_str())
        .count();
    assert_eq!(children, 3, "{runs:?}");
    assert_eq!(session.notes().len(), 3);
}

/// The host begins the next run and ends this one in one step: no branch of the script goes on beside it.
#[test]
fn a_run_has_one_that_takes_its_place() {
    let script = "local ok, why = pcall(race,\n\
          function() runs.continue_as { script = 'print(\"next\")' } end,\n\
          function() return 'late' end)\n\
        print(ok, why) runs.continue_as { script = 'print(\"other\")' }";
    let session = Session::new("", script);
    assert_eq!(
        session.kael(&["run", "--journal", "script.lua"]),
        (0, String::new(), String::new())
    );
    session.runs(2);
    assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
    session.runs(2);
}

#[test]
fn what_cannot_be_continued_says_why() {
    for (call, why) in [
        (
            "runs.continue_as()",
            "runs.continue_as: expected a table such as { script = text }, got nil",
        ),
        (
            "runs.continue_as {}",
            "runs.continue_as failed: the field 'script' is missing",
        ),
        (
            "runs.continue_as { script = '', wait = true }",
            "runs.continue_as failed: no field 'wait'",
        ),
        (
            "runs.continue_as { script = '', on_parent_end = 'abandon' }",
            "runs.continue_as failed: no field 'on_parent_end'",
        ),
    ] {
        let session = Session::new(
            "",
            &format!("print(select(2, pcall(function() {call} end)))"),
        );
        let (code, stdout, stderr) = session.kael(&["run", "--journal", "script.lua"]);
        assert!(
            code == 0 && stdout.contains(why),
            "{call}: {stdout}{stderr}"
        );
        session.runs(1);
    }
    let session = Session::new("", "runs.continue_as { script = '' }");
    let (code, _, stderr) = session.kael(&["run", "script.lua"]);
    assert_ne!(code, 0);
    assert!(
        stderr.contains("runs.continue_as failed: this needs a run with a journal"),
        "{stderr}"
    );
    for (words, why) in [
        (
            vec!["run", "--journal", "--label", "team", "script.lua"],
            "--label `team` must be KEY=VALUE",
        ),
        (
            vec!["run", "--label", "a=b", "script.lua"],
            "--label is for runs that are written down: add --journal",
        ),
        (vec!["runs", "ls", "--label", "=x"], "must be KEY=VALUE"),
    ] {
        let (code, _, stderr) = session.kael(&words);
        assert!(code == 2 && stderr.contains(why), "{stderr}");
    }
}

/// Whether another run was begun is known of a run that has ended so, and of no other.
#[test]
fn a_replay_says_that_a_run_was_continued_only_where_it_has_ended() {
    let session = Session::new("effects = 'idempotent'", COUNT);
    let words = [
        "run",
        "--journal",
        "--input",
        "text=script.lua",
        "script.lua",
        "1",
    ];
    assert_eq!(session.kael(&words).0, 0);
    let first = session.runs(2).remove(1)["run"]
        .as_str()
        .expect("an id")
        .to_owned();
    session.prints(&["runs", "replay", &first], "");
    let shown = session.json(&["runs", "show", &first, "--json"]);
    let last = shown["journal"].as_array().expect("a list").len() - 1;
    assert_eq!(shown["journal"][last]["kind"], "end", "{shown}");
    // The same journal without its end.
    let at = (last - 1).to_string();
    let forked = session.json(&["runs", "fork", &first, "--at", &at, "--json"]);
    let fork = forked["run"].as_str().expect("an id").to_owned();
    let (code, stdout, stderr) = session.kael(&["runs", "replay", &fork]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.contains("the journal ends here"), "{stderr}");
}

#[test]
fn runs_are_found_by_all_of_their_labels_whatever_is_in_them() {
    let session = Session::new("", "return 1");
    for labels in [
        &["--label", "team=web", "--label", "env=a"][..],
        &["--label", "team=web", "--label", "env=b"],
        &["--label", "team=db", "--label", "a b\"'%=x=y"],
        &[],
    ] {
        let words = [&["run", "--journal"], labels, &["script.lua"]].concat();
        assert_eq!(session.kael(&words).0, 0);
    }
    let found = |words: &[&str]| {
        let words = [&["runs", "ls", "--json"], words].concat();
        let listed = session.json(&words);
        listed["runs"].as_array().expect("a list").len()
    };
    for (words, count) in [
        (&[][..], 4),
        (&["--label", "team=web"], 2),
        (&["--label", "team=web", "--count", "1"], 1),
        (&["--label", "team=web", "--label", "env=b"], 1),
        (&["--label", "team=db", "--label", "env=b"], 0),
        (&["--label", "a b\"'%=x=y"], 1),
        (&["--label", "team=%"], 0),
    ] {
        assert_eq!(found(words), count, "{words:?}");
    }
}
