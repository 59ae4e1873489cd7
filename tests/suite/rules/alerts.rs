//! What goes out: alerts, in one order.

use kael_tests::Kael;

use super::{EVENTS, NAMED_NC, Rules as _, alerts, lines, run, session};

#[test]
fn an_alert_is_one_line_with_its_keys_in_order() {
    let ran = run(session().rule("nc", "", NAMED_NC), EVENTS);
    ran.exits(0);
    assert_eq!(
        ran.stdout.lines().next(),
        Some(concat!(
            r#"{"id":"nc-2000000000-2","rule_id":"nc","rule_name":"Rule nc","rule_version":"1.0.0","#,
            r#""severity":"High","timestamp_ns":2000000000,"title":"Rule nc","description":"","#,
            r#""tags":[],"references":[],"events":[{"seq":2,"event_type_id":1001,"#,
            r#""event_type":"process_exec","timestamp_ns":2000000000,"fields":{"process.pid":17790,"#,
            r#""process.name":"nc","big":18446744073709551615}}],"context":{"rule_type":"single_event","#,
            r#""captures":{"pid":17790},"emitted":false,"count":1}}"#
        ))
    );
    assert_eq!(lines(&ran), ["nc 2", "nc 5"]);
    ran.says("stdin:3:2: not JSON: expected ident");
    ran.says("3 events, 1 bad lines (not_json 1)");
    ran.says("nc: 3 evaluations, 2 matches, 2 alerts, 0 errors");
}

#[test]
fn batches_and_threads_change_no_byte() {
    let stateful = r#"
local seen = kestrel.cache { max = 5 }
function pred_eval(event)
  local pid = kestrel.event_get_i64(event, 1)
  seen[pid % 7] = (seen[pid % 7] or 0) + 1
  if pid % 50 == 13 then error("odd") end
  if pid % 11 == 0 then kestrel.alert_emit(event) end
  return (seen[pid % 7] or 0) % 3 == 2 and math.random(3) > 1
end
function pred_capture(event) return { at = os.time(), n = math.random(1000) } end
"#;
    let threshold = r#","threshold":{"count":3,"window_ms":50,"by":["process.name"]},
        "throttle":{"by":["process.name"],"period_ms":300}"#;
    let events: String = (1..=600)
        .map(|pid| {
            format!(
                "{{\"type\":\"process_exec\",\"t\":{},\"process.pid\":{pid},\"process.name\":\"p{}\"}}\n",
                pid * 10,
                pid % 4
            )
        })
        .collect();
    let of = |batch: &str, threads: &str| {
        let ran = session()
            .rule("a", "", stateful)
            .rule("b", threshold, "function pred_eval(e) return true end")
            .rule("c", "", NAMED_NC)
            .words(&[
                "rules",
                "run",
                "rules",
                "--batch",
                batch,
                "--threads",
                threads,
            ])
            .stdin(&events)
            .ends();
        ran.exits(0);
        ran.stdout.clone()
    };
    let first = of("256", "1");
    assert!(first.lines().count() > 50, "{first}");
    for (batch, threads) in [("1", "1"), ("7", "2"), ("256", "2"), ("4096", "3")] {
        assert!(
            of(batch, threads) == first,
            "batches of {batch}, {threads} threads"
        );
    }
}

#[test]
fn a_sequence_and_its_captures() {
    let sequence =
        r#","sequence":{"by":["process.pid"],"steps":["first","second"],"maxspan_ms":10000}"#;
    let predicate = "
function first(e) return kestrel.event_get_str(e, 2) == 'a' end
function second(e) return kestrel.event_get_str(e, 2) == 'b' end
function pred_capture(e) return { name = kestrel.event_get_str(e, 2) } end";
    let events = r#"{"t":1,"process.pid":1,"process.name":"a"}
{"t":2,"process.pid":2,"process.name":"b"}
{"t":3,"process.pid":1,"process.name":"b"}
"#;
    let ran = run(session().rule("s", sequence, predicate), events);
    ran.exits(0);
    let all = alerts(&ran);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["context"]["rule_type"], "sequence");
    assert_eq!(all[0]["context"]["captures"]["name"], "b");
    assert_eq!(all[0]["events"][0]["seq"], 1);
    assert_eq!(all[0]["events"][1]["seq"], 3);
}

#[test]
fn formats_of_others_are_read_with_their_schemas() {
    let of = |format: &str, predicate: &str, line: &str| {
        let ran = Kael::new()
            .rule("a", "", predicate)
            .words(&["rules", "run", "rules", "--format", format])
            .stdin(line)
            .ends();
        ran.exits(0);
        alerts(&ran)
            .first()
            .map(|alert| alert["events"][0]["fields"].clone())
            .unwrap_or_default()
    };
    let fields = of(
        "sysmon-xml",
        "function pred_eval(e) return kestrel.event_get_i64(e, 2) == 4824 end",
        "<Event><System><EventID>1</EventID></System><EventData><Data Name='ProcessId'>4824</Data></EventData></Event>\n",
    );
    assert_eq!(fields["event_type_id"], 1001);
    let fields = of(
        "auditd",
        "function pred_eval(e) return kestrel.event_get_str(e, 72):find('ls') ~= nil end",
        "type=EXECVE msg=audit(1364481363.243:24287): argc=3 a0=\"sh\" a1=\"-c\" a2=6C73202D6C\n",
    );
    assert_eq!(
        (&fields["exec.a2"], &fields["event.time_ns"]),
        (&"ls -l".into(), &1_364_481_363_243_000_000_i64.into())
    );
    let fields = of(
        "k8s-audit",
        "function pred_eval(e) return kestrel.event_get(e, 13)[1] == '10.0.0.1' end",
        "{\"kind\":\"Event\",\"verb\":\"create\",\"sourceIPs\":[\"10.0.0.1\"]}\n",
    );
    assert_eq!(fields["api.verb"], "create");
    let fields = of(
        "cloudtrail",
        "function pred_eval(e) return kestrel.event_get_str(e, 11) == 'arn:x' end",
        "{\"eventType\":\"AwsConsoleSignIn\",\"eventName\":\"ConsoleLogin\",\"userIdentity\":{\"arn\":\"arn:x\"}}\n",
    );
    assert_eq!(
        (&fields["event_type_id"], &fields["event.name"]),
        (&8002.into(), &"ConsoleLogin".into())
    );
    let fields = of(
        "ecs",
        "function pred_eval(e) return kestrel.event_get_i64(e, 2) == 7 end",
        "{\"event\":{\"category\":\"process\"},\"process\":{\"pid\":7,\"args\":\"nc -l\"}}\n",
    );
    assert_eq!(
        (&fields["event_type_id"], &fields["process.command_line"]),
        (&1001.into(), &"nc -l".into())
    );
    let ran = session()
        .rule("a", "", NAMED_NC)
        .words(&["rules", "run", "rules", "--format", "xml"])
        .ends();
    ran.exits(2).says(
        "there is no format \"xml\" (there are: sysmon-xml, auditd, k8s-audit, cloudtrail, ecs)",
    );
}
