//! The checked-in guest: it is up to date, has only the one import, and keeps Lua's coroutines.

#[path = "../../guest/builder/src/inputs.rs"]
mod inputs;

use kael_tests::{Kael, project, workspace};
use wasmparser::{Parser, Payload};

fn component() -> Vec<u8> {
    std::fs::read(project("guest/kael-guest.wasm")).expect("the guest is checked in")
}

#[test]
fn the_component_imports_run_action_and_nothing_else() {
    let component = component();
    let mut imports = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(&component) {
        match payload.expect("a component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(
                    section
                        .into_iter()
                        .map(|import| import.expect("an import").name.name.to_owned()),
                );
            }
            _ => {}
        }
    }
    assert_eq!(imports, ["kael:engine/actions@0.1.0"]);
}

#[test]
fn the_component_was_built_from_these_sources() {
    let component = component();
    let noted = Parser::new(0)
        .parse_all(&component)
        .find_map(|payload| match payload {
            Ok(Payload::CustomSection(section)) if section.name() == inputs::SECTION => {
                Some(String::from_utf8_lossy(section.data()).into_owned())
            }
            _ => None,
        });
    let current = inputs::digest(workspace()).expect("the sources");
    assert_eq!(
        noted.as_deref(),
        Some(current.as_str()),
        "the guest is stale: run guest/build.sh"
    );
}

fn fixture(name: &str) -> String {
    let path = project("tests/fixtures").join(name);
    std::fs::read_to_string(path).expect("the script")
}

/// `guest/patches` changes how coroutines yield. The file must give the same output in
/// Lua's own program.
#[test]
fn a_coroutine_yields_from_wherever_lua_lets_it() {
    Kael::new()
        .script(&fixture("coroutines.lua"))
        .prints("ok\n");
}

/// `guest/patches` changes how `table.insert` and `table.remove` move elements. The file must give
/// the same output in Lua's own program.
#[test]
fn lists_are_shifted_as_element_by_element() {
    Kael::new().script(&fixture("shifts.lua")).prints("ok\n");
}

/// In `parallel`, Kael's scheduler is between a coroutine and its resumer.
#[test]
fn coroutines_are_the_same_within_a_branch() {
    let script = fixture("coroutines.lua");
    let within = format!("parallel(function()\n{script}\nend, function() return 1 end)");
    Kael::new().script(&within).prints("ok\n");
}

/// In the sandbox Lua's core has its own functions for this (`guest/core.c`), which unit tests do
/// not reach.
#[test]
fn json_of_every_shape_and_size() {
    Kael::new().script(&fixture("json.lua")).prints("ok\n");
}
