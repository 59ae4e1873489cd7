//! Lists of tools as any server could send them: what is written into a lock file has no hidden prose,
//! and says the same twice.
#![no_main]

use kael_engine::text::is_invisible_char;
use kael_mcp::client::{Listed, changes, locked};
use libfuzzer_sys::fuzz_target;
use rmcp::model::ListToolsResult;

fuzz_target!(|data: &[u8]| {
    let Ok(list) = serde_json::from_slice::<ListToolsResult>(data) else {
        return;
    };
    let (one, other) = (Listed::of(list.tools.clone()), Listed::of(list.tools));
    assert_eq!(changes(&one.tools, &other.tools), "");
    assert_eq!(locked(&one.tools), locked(&other.tools));
    for tool in one.tools.values() {
        assert!(!tool.description.chars().any(is_invisible_char));
    }
});
