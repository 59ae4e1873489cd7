//! What operators get beside the program: alerts and a dashboard, over metrics that there are.

use kael_tests::{Kael, project};

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
