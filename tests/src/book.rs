//! The pages that users read: README.md, and the book in docs/ with its included files.

use std::fs;
use std::path::Path;

use crate::project;

/// One page, with the files that it includes.
pub struct Page {
    /// Its path from the project's root.
    pub path: String,
    /// Its Markdown.
    pub text: String,
}

/// The README, and every page in docs/SUMMARY.md, in that order.
///
/// # Panics
///
/// When a page or an included file cannot be read.
#[must_use]
pub fn pages() -> Vec<Page> {
    let summary = read("docs/SUMMARY.md");
    let listed = links(&summary)
        .into_iter()
        .map(|link| format!("docs/{link}"));
    ["README.md".to_owned()]
        .into_iter()
        .chain(listed)
        .map(|path| Page {
            text: included(&path),
            path,
        })
        .collect()
}

/// The targets of the Markdown links in a text, except those in code.
#[must_use]
pub fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let outside_code = prose.split('`').step_by(2).collect::<String>();
    outside_code
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// A text without its fenced code blocks.
#[must_use]
pub fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The anchors of a text's headings, as mdBook and GitHub make them.
#[must_use]
pub fn anchors(text: &str) -> Vec<String> {
    let text = prose(text);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            });
            kept.collect()
        })
        .collect()
}

/// A page's text, with each line `{{#include FILE}}` replaced by that file.
fn included(path: &str) -> String {
    let folder = Path::new(path).parent().expect("a folder");
    let text = read(path);
    let lines = text.lines().map(|line| {
        let file = line
            .strip_prefix("{{#include ")
            .and_then(|rest| rest.strip_suffix("}}"));
        match file {
            Some(file) => read(&folder.join(file).display().to_string()),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
