//! Sigma rules, translated: they find what Sigma says, or say which line is not translated.

use super::lines;
use kael_tests::Kael;

const RULE: &str = r#"title: Download with a tool of the system
id: 5f0f47a5-cb16-4dbe-9e31-e8d976d73de3
status: experimental
description: Finds downloads.
references:
  - https://example.org/a
tags:
  - attack.t1105
level: high
logsource:
  category: process_creation
  product: windows
detection:
  selection_image:
    Image|endswith:
      - '\bitsadmin.exe'
      - '\certutil.exe'
  selection_words:
    CommandLine|contains|all:
      - 'http'
      - '.EXE'
  selection_flag:
    CommandLine|windash|contains: ' -transfer '
  selection_script:
    CommandLine|base64offset|contains: 'http://'
  selection_re:
    CommandLine|re: 'urlc[a-c]che\s+-f'
  filter:
    - User: 'NT AUTHORITY\SYSTEM'
    - CurrentDirectory|startswith: 'C:\Setup'
  condition: 1 of selection_image and (selection_words or 1 of selection_flag or selection_script or selection_re) and not filter
"#;

const EVENTS: &str = r#"{"EventID":1,"Image":"C:\\Windows\\BITSADMIN.exe","CommandLine":"x http://a/b.exe"}
{"EventID":1,"Image":"C:\\Windows\\bitsadmin.exe","CommandLine":"bitsadmin /transfer job"}
{"EventID":1,"Image":"C:\\Windows\\bitsadmin.exe","CommandLine":"bitsadmin /transferred"}
{"EventID":1,"Image":"C:\\Windows\\certutil.exe","CommandLine":"certutil -urlcache -f"}
{"EventID":1,"Image":"C:\\Windows\\certutil.exe","CommandLine":"certutil -urlcache -f","User":"nt authority\\system"}
{"EventID":1,"Image":"C:\\Windows\\certutil.exe","CommandLine":"certutil -urlcache -f","CurrentDirectory":"c:\\setup\\x"}
{"EventID":1,"Image":"C:\\certutil.exe","CommandLine":"-enc aaaaaHR0cDovL2"}
{"EventID":1,"Image":"C:\\Windows\\curl.exe","CommandLine":"curl http://a/b.exe"}
{"EventID":3,"Image":"C:\\Windows\\bitsadmin.exe","CommandLine":"x http://a/b.exe"}
"#;

/// The lines of events that alert in a rule once it is translated.
fn found(rule: &str, events: &str) -> Vec<String> {
    let imported = Kael::new()
        .file("rule.yml", rule)
        .words(&["rules", "import", "rule.yml", "--output", "rules"])
        .ends();
    imported.exits(0);
    let folder = imported.path().join("rules");
    let folder = folder.to_str().expect("text");
    Kael::new()
        .words(&["rules", "check", folder])
        .ends()
        .exits(0);
    let ran = Kael::new()
        .words(&["rules", "run", folder])
        .stdin(events)
        .ends();
    ran.exits(0);
    let number = |line: String| line.rsplit(' ').next().unwrap_or_default().to_owned();
    lines(&ran).into_iter().map(number).collect()
}

#[test]
fn a_translated_rule_finds_what_sigma_says() {
    assert_eq!(found(RULE, EVENTS), ["1", "2", "4", "7"]);
    let network = r#"title: Networks
logsource:
  category: network_connection
detection:
  inside:
    DestinationIp|cidr:
      - 10.0.0.0/8
      - fd00::/8
  port:
    DestinationPort: 445
  condition: inside and port
"#;
    let events = r#"{"EventID":3,"DestinationIp":"10.1.2.3","DestinationPort":445}
{"EventID":3,"DestinationIp":"11.1.2.3","DestinationPort":445}
{"EventID":3,"DestinationIp":"fd12::1","DestinationPort":"445"}
{"EventID":3,"DestinationIp":"10.1.2.3","DestinationPort":80}
{"EventID":3,"DestinationPort":445}
"#;
    assert_eq!(found(network, events), ["1", "3"]);
}

#[test]
fn each_value_of_all_has_its_spellings_and_numbers_are_also_texts() {
    let all = r#"title: All
logsource:
  category: process_creation
detection:
  flags:
    CommandLine|contains|all|windash:
      - ' -a'
      - ' -b -c -d -e'
  encoded:
    CommandLine|base64offset|contains|all:
      - 'http'
      - 'evil'
  condition: flags or encoded
"#;
    // base64 of `http` at the offset 0, and of `evil` at the offset 1.
    let events = r#"{"EventID":1,"CommandLine":"x /A /b -C –d —e"}
{"EventID":1,"CommandLine":"x /a -b -c -d e"}
{"EventID":1,"CommandLine":"x -b -c -d -e"}
{"EventID":1,"CommandLine":"aHR0c9 YgZXZpbC"}
{"EventID":1,"CommandLine":"aHR0c9"}
"#;
    assert_eq!(found(all, events), ["1", "4"]);
    let numbers = r#"title: Numbers
detection:
  port:
    DestinationPort|startswith: 44
  access:
    GrantedAccess:
      - '0x1410'
  condition: port or access
"#;
    let events = r#"{"EventID":3,"DestinationPort":443}
{"EventID":3,"DestinationPort":44}
{"EventID":3,"DestinationPort":144}
{"EventID":10,"GrantedAccess":"0x1410"}
{"EventID":10,"GrantedAccess":"0x1400"}
"#;
    assert_eq!(found(numbers, events), ["1", "2", "4"]);
}

#[test]
fn a_category_that_the_schema_lacks_is_a_warning_with_its_line() {
    let rule = RULE.replace("category: process_creation", "category: webserver");
    let ran = Kael::new()
        .file("rule.yml", rule)
        .words(&["rules", "import", "rule.yml", "--output", "rules"])
        .ends();
    ran.exits(0).says(
        "warning: rule.yml:11: the schema has no events of the category `webserver`: the rule looks at all events",
    );
    let driver = "title: D\nlogsource: { category: driver_load }\ndetection:\n  s: { ImageLoaded|endswith: x.sys }\n  condition: s\n";
    let events = r#"{"EventID":6,"ImageLoaded":"C:\\x.sys"}
{"EventID":7,"ImageLoaded":"C:\\x.sys"}
"#;
    assert_eq!(found(driver, events), ["1"]);
}

#[test]
fn what_is_not_translated_is_an_error_with_its_line() {
    let refused = |change: (&str, &str)| {
        let rule = RULE.replace(change.0, change.1);
        assert!(rule != RULE, "{change:?}");
        let ran = Kael::new()
            .file("rule.yml", rule)
            .words(&["rules", "import", "rule.yml", "--output", "rules"])
            .ends();
        ran.exits(3);
        assert!(!ran.path().join("rules").exists(), "nothing is written");
        ran
    };
    refused(("CommandLine|re:", "CommandLine|fieldref:")).fails_with(
        3,
        "Error: rule.yml:27: the modifier `fieldref` is not translated",
    );
    refused(("    CommandLine|re:", "    Nothing|re:"))
        .fails_with(3, "Error: rule.yml:27: the schema has no field `Nothing`");
    refused(("urlc[a-c]che", "(?=x)"))
        .says("rule.yml:27: this regular expression is none of Rust's (no look-around)");
    refused(("and not filter", "and not filters"))
        .says("rule.yml:31: the condition names `filters`, which is no search");
    refused(("condition: 1 of", "condition: 5 of nothing* or 1 of"))
        .says("rule.yml:31: no search is called `nothing*`");
    refused(("  filter:\n", "  timeframe: 5m\n  filter:\n"))
        .says("rule.yml:28: `timeframe` is not translated: use `threshold`");
    refused(("title: Download", "title: [Download")).exits(3);
}
