//! README.md and every page of the book: their examples work, and their links lead somewhere.

use std::path::{Path, PathBuf};

use kael_tests::{Kael, book, project};

use crate::cookbook::{COMPLETE, tried_text};

#[test]
fn every_example_prints_what_it_says() {
    let mut commands = 0;
    for page in book::pages() {
        if !COMPLETE.contains(&page.path.as_str()) {
            commands += tried_text(&page.path, &page.text);
        }
    }
    assert!(commands >= 15, "{commands} commands");
}

/// Lua without a file name is not run. Lua blocks that are scripts must still compile.
#[test]
fn every_piece_of_lua_compiles() {
    let mut seen = 0;
    for page in book::pages() {
        for block in page.text.split("\n```lua\n").skip(1) {
            let (code, _) = block.split_once("```").expect("the end of a block");
            let ran = Kael::new()
                .run_with(&["-e", "assert(load(arg[1]))", code])
                .ends();
            assert!(
                ran.stderr.is_empty(),
                "{}: {code}\n{}",
                page.path,
                ran.stderr
            );
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen} blocks");
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for page in book::pages() {
        for link in book::links(&page.text) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                beside(&page.path, file)
            };
            assert!(
                project(&target).exists(),
                "{}: there is no `{link}`",
                page.path
            );
            if page.path.starts_with("docs/") {
                assert!(
                    target.starts_with("docs/"),
                    "{}: `{link}` leaves the book",
                    page.path
                );
            }
            let known = || {
                let page = book::pages().into_iter().find(|page| page.path == target);
                page.is_some_and(|page| book::anchors(&page.text).iter().any(|one| one == anchor))
            };
            assert!(
                anchor.is_empty() || known(),
                "{}: `{link}` names no heading",
                page.path
            );
            seen += 1;
        }
    }
    assert!(seen >= 40, "{seen} links");
}

/// The target of a link, as a path from the project's root.
fn beside(page: &str, file: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(page)
        .parent()
        .expect("a folder")
        .join(file)
        .iter()
    {
        if part == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path.display().to_string()
}

#[test]
fn every_file_of_the_book_is_listed() {
    let pages: Vec<String> = book::pages().into_iter().map(|page| page.path).collect();
    for entry in std::fs::read_dir(project("docs")).expect("docs/").flatten() {
        let path = format!("docs/{}", entry.file_name().to_string_lossy());
        if path.ends_with(".md") && path != "docs/SUMMARY.md" {
            assert!(
                pages.contains(&path),
                "docs/SUMMARY.md does not list {path}"
            );
        }
    }
    assert!(pages.len() >= 15, "{pages:?}");
}

/// The README is short enough for five minutes, and no line of the book is too long.
#[test]
fn the_readme_is_short_and_lines_of_prose_end_by_column_100() {
    for page in book::pages() {
        if page.path == "README.md" {
            let lines = page.text.lines().count();
            assert!(lines <= 180, "README.md has {lines} lines");
        }
        // These pages include files from outside of docs/.
        let included = ["architecture", "security", "changelog"];
        if included
            .iter()
            .any(|name| page.path == format!("docs/{name}.md"))
        {
            continue;
        }
        for line in book::prose(&page.text).lines() {
            assert!(
                line.starts_with('|') || line.chars().count() <= 100,
                "{}: {line}",
                page.path
            );
        }
    }
}
