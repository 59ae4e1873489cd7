//! Every example runs, and prints what its expected.txt says.

use kael_tests::{Kael, project};

#[test]
fn every_example_prints_what_it_should() {
    let mut seen = 0;
    for entry in std::fs::read_dir(project("examples"))
        .expect("examples/")
        .flatten()
    {
        let folder = entry.path();
        if !folder.is_dir() {
            continue;
        }
        let expected = std::fs::read_to_string(folder.join("expected.txt")).expect("expected.txt");
        let (actions, script) = (folder.join("actions"), folder.join("script.lua"));
        let ran = Kael::new()
            .option(&["--actions", &actions.display().to_string()])
            .run_with(&[&script.display().to_string()])
            .ends();
        ran.prints(&expected);
        seen += 1;
    }
    assert!(seen >= 2, "{seen} examples");
}
