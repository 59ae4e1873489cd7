//! A page in a real browser.

use std::process::Command;

use crate::browser;

/// The document after a browser has loaded the page, and the browser's complaints.
///
/// # Panics
/// When there is no browser, or it shows no document.
#[must_use]
pub fn browsed(address: &str) -> (String, String) {
    let browser = browser().expect("the test has asked for one");
    let home = tempfile::tempdir().expect("a folder");
    let output = Command::new(&browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--enable-logging=stderr",
            "--v=0",
            "--virtual-time-budget=2000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(address)
        .env("HOME", home.path())
        .output()
        .expect("the browser starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (dom, log) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success() && dom.contains("</html>"),
        "{}: {log}",
        browser.display()
    );
    let console = log.lines().filter(|line| line.contains("CONSOLE"));
    (dom, console.collect::<Vec<_>>().join("\n"))
}
