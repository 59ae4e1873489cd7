//! What operators get beside the program: alerts and a dashboard, over metrics that there are.

use std::process::Command;

use kael_tests::{Kael, Need, needs, project};

use super::Server;

/// The names of metrics in a text.
fn metrics_of(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("kael_"));
    names.map(str::to_owned).collect()
}

#[test]
fn alerts_and_the_dashboard_name_metrics_that_there_are() {
    let server = Server::owning(Kael::new());
    server.ended(&server.submit("print(1)"));
    let there = metrics_of(&server.get("/metrics").is(200).body);
    for file in ["contrib/alerts.yaml", "contrib/grafana.json"] {
        let text = std::fs::read_to_string(project(file)).expect("a file");
        let named = metrics_of(&text);
        assert!(named.len() >= 6, "{file}: {named:?}");
        for name in named {
            assert!(
                there.contains(&name),
                "{file} names {name}, which is not among {there:?}"
            );
        }
    }
}

#[test]
fn prometheus_takes_the_alerts() {
    if !needs(&[Need::Promtool]) {
        return;
    }
    let checked = Command::new("promtool")
        .args(["check", "rules"])
        .arg(project("contrib/alerts.yaml"))
        .output()
        .expect("promtool");
    let text = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{text}");
}

/// Each alert has a part of its own in the papers for the person who is woken by it.
#[test]
fn every_alert_says_what_to_do() {
    let read = |file: &str| std::fs::read_to_string(project(file)).expect(file);
    let (alerts, page) = (read("contrib/alerts.yaml"), read("docs/operating.md"));
    let names = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: Vec<_> = names.collect();
    assert!(names.len() >= 7, "{names:?}");
    for name in &names {
        assert!(page.contains(&format!("### {name}\n")), "{name}");
    }
    for (title, _) in page
        .split("\n### ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
    {
        assert!(
            !title.starts_with("Kael") || names.contains(&title),
            "{title} is no alert"
        );
    }
}
