//! What is translated, and what is refused.

use super::*;
use crate::format::Format;

fn translated(detection: &str) -> Result<Translated, Mistake> {
    let schema = Schema::read("s", Format::SysmonXml.schema().as_bytes(), &mut Vec::new());
    let text =
        format!("title: A Rule\nlogsource:\n  category: process_creation\ndetection:\n{detection}");
    translate(&text, &schema.expect("it is sound"))
}

#[test]
fn a_rule_becomes_a_package() {
    let rule = translated(
        "  sel:\n    Image|endswith: '\\cmd.exe'\n    CommandLine|re: 'a.c'\n  filter:\n    User: SYSTEM\n  condition: sel and not filter\n",
    )
    .expect("it translates");
    assert_eq!(rule.id, "a-rule");
    assert_eq!(rule.regexes.as_deref(), Some("a.c\n"));
    assert!(
        rule.manifest.contains("\"process_exec\""),
        "{}",
        rule.manifest
    );
    for part in ["\"\\\\cmd.exe\"", "re_match(1, ", "not S[2](e)"] {
        assert!(rule.predicate.contains(part), "{part}\n{}", rule.predicate);
    }
}

#[test]
fn what_is_not_translated_names_its_line() {
    for (detection, line, message) in [
        (
            "  sel:\n    Nothing: x\n  condition: sel\n",
            6,
            "the schema has no field `Nothing`",
        ),
        (
            "  sel:\n    Image|fuzzy: x\n  condition: sel\n",
            6,
            "the modifier `fuzzy` is not translated",
        ),
        (
            "  sel:\n    Image|re: '(?=x)'\n  condition: sel\n",
            6,
            "this regular expression is none of Rust's (no look-around)",
        ),
        (
            "  sel:\n    - word\n  condition: sel\n",
            6,
            "keywords without a field are not translated: an event is no text",
        ),
        (
            "  sel:\n    Image: x\n  condition: sel | count() > 5\n",
            7,
            "aggregations (`| count() …`) are not translated: use `threshold`",
        ),
    ] {
        assert_eq!(
            translated(detection),
            Err(Mistake::new(line, message)),
            "{detection}"
        );
    }
}
