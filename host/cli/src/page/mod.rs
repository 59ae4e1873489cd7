//! `run --html FILE`: a run as one page that needs nothing else.
//!
//! What a script prints, names and draws is text on it, and never markup. Should that fail one day, there is the
//! content security policy: no script runs, nothing is loaded, and of styles only the one whose digest it names.

mod charts;
mod html;
mod scale;
mod timeline;

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::patience;
use super::report::Problem;
use html::{duration, moment, text};
use kael_engine::report_item::{ReportItem, Table};
use kael_engine::sandbox::{Report, Shown};
use kael_engine::units::ByteSize;

/// The one style that the page has.
const STYLE: &str = include_str!("style.css");

/// Bytes that tables and charts take on a page; escapes make them longer than they came.
const MAX_ITEMS: usize = 24 << 20;
/// So many of these are made in any case, and so long others are made behind the run's limit.
const MIN_ITEMS: usize = 1 << 20;
const TIME: Duration = Duration::from_millis(40);

/// A page to be written when the run is over.
pub(super) struct Page {
    /// In the same folder, so that it can take the place of what is there at once.
    draft: NamedTempFile,
    path: PathBuf,
    began: SystemTime,
}

/// What a page tells.
pub(super) struct Told<'a> {
    /// How the script is called.
    pub(super) script: &'a str,
    /// How the run went, if it began.
    pub(super) report: Option<&'a Report<Option<String>>>,
    /// Why it did not end well.
    pub(super) error: Option<&'a Problem>,
    /// What it showed.
    pub(super) shown: &'a Shown,
    /// The exit code.
    pub(super) code: u8,
}

impl Page {
    /// Makes sure, before anything runs, that the page can be written.
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        let failed =
            |why: String| format!("the page cannot be written to `{}`: {why}", path.display());
        if path.is_dir() {
            return Err(failed("it is a folder".to_owned()));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let draft = tempfile::Builder::new()
            .prefix(".kael-page-")
            // What a run printed may hold what is for its owner alone.
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)
            .map_err(|why| failed(why.kind().to_string()))?;
        Ok(Self {
            draft,
            path: path.to_owned(),
            began: SystemTime::now(),
        })
    }

    /// Writes the page, piece by piece, and puts it in its place as a whole. It does not wait for
    /// the disk: the run has ended, and its command is to end in time.
    pub(super) fn write(mut self, told: &Told<'_>) -> io::Result<()> {
        let mut page = BufWriter::new(self.draft.as_file_mut());
        render(told, self.began, &mut page)?;
        page.flush()?;
        drop(page);
        self.draft
            .persist(&self.path)
            .map_err(|error| error.error)?;
        Ok(())
    }
}

fn render(told: &Told<'_>, began: SystemTime, page: &mut impl io::Write) -> io::Result<()> {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let name = text(told.script);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name} · Kael</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )?;
    let (class, badge) = match told.code {
        0 => ("good", "succeeded".to_owned()),
        code => ("bad", format!("failed · exit code {code}")),
    };
    writeln!(
        page,
        "<header><h1>{name}</h1><span class=\"badge {class}\">{badge}</span><span class=\"soft\">{}</span></header>",
        moment(began)
    )?;
    let mut add = |piece: String| page.write_all(piece.as_bytes());
    if let Some(report) = told.report {
        add(facts(report))?;
    }
    if let Some(error) = told.error {
        add(failure(error))?;
    }
    report_items(told.shown, &mut add)?;
    add(output(told.shown))?;
    if let Some(report) = told.report.filter(|report| !report.calls.is_empty()) {
        add(timeline::section(
            &report.calls,
            report.started,
            report.usage.wall,
        ))?;
    }
    write!(
        page,
        "<footer>Written by kael-host {}.</footer>\n</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn facts(report: &Report<Option<String>>) -> String {
    let failed = report
        .calls
        .iter()
        .filter(|call| call.failed.is_some())
        .count();
    let calls = match failed {
        0 => report.calls.len().to_string(),
        failed => format!("{} ({failed} failed)", report.calls.len()),
    };
    let usage = &report.usage;
    let facts = [
        ("Took", duration(usage.wall)),
        ("Computed", duration(usage.cpu)),
        ("Memory", usage.memory.to_string()),
        ("Calls", calls),
        ("Output", ByteSize::new(usage.output).to_string()),
    ];
    let mut out = String::from("<dl class=\"card facts\">");
    for (name, value) in facts {
        _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", text(&value));
    }
    out.push_str("</dl>\n");
    out
}

fn failure(error: &Problem) -> String {
    let mut lines = error.message().to_owned();
    for frame in error.traceback() {
        _ = write!(lines, "\n  {frame}");
    }
    let details = error.details();
    if !details.is_empty() {
        _ = write!(lines, "\n{}", details.trim_end());
    }
    let hint = error
        .hint()
        .map(|hint| format!("<p class=\"note\">Hint: {}</p>", text(hint)));
    format!(
        "<section class=\"card error\"><h3>Error</h3><pre>{}</pre>{}</section>\n",
        text(&lines),
        hint.unwrap_or_default()
    )
}

fn report_items(shown: &Shown, add: &mut impl FnMut(String) -> io::Result<()>) -> io::Result<()> {
    let report_items = &shown.report_items;
    if report_items.shown.is_empty() {
        return Ok(());
    }
    add("<section><h2>Report</h2>\n".to_owned())?;
    let (mut room, mut dropped) = (MAX_ITEMS, report_items.dropped);
    for item in &report_items.shown {
        // Without room or time for it, it is not even made.
        let is_late = MAX_ITEMS - room > MIN_ITEMS && patience::is_over_for(TIME);
        if room == 0 || is_late {
            dropped += 1;
            continue;
        }
        let mut piece = match item {
            ReportItem::Table(table) => rows(table),
            ReportItem::Chart(chart) => charts::figure(chart),
        };
        piece.push('\n');
        if piece.len() > room {
            room = 0;
            dropped += 1;
            continue;
        }
        room -= piece.len();
        add(piece)?;
    }
    if dropped > 0 {
        let why = match room {
            0 => "found no room on this page",
            _ if report_items.dropped > 0 => "found no room on this page",
            _ => "were not drawn: the run was over its limit",
        };
        add(format!(
            "<p class=\"note\">{dropped} more tables and charts {why}.</p>"
        ))?;
    }
    add("</section>\n".to_owned())
}

fn rows(table: &Table) -> String {
    let mut out = String::from("<div class=\"card scroll long\">");
    if let Some(title) = &table.title {
        _ = write!(out, "<h3>{}</h3>", text(title));
    }
    let class = |right: bool| if right { " class=\"right\"" } else { "" };
    out.push_str("<table><thead><tr>");
    for column in &table.columns {
        _ = write!(
            out,
            "<th{}>{}</th>",
            class(column.right),
            text(&column.title)
        );
    }
    out.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        out.push_str("<tr>");
        for (cell, column) in row.iter().zip(&table.columns) {
            _ = write!(out, "<td{}>{}</td>", class(column.right), text(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    if table.more > 0 {
        _ = write!(out, "<p class=\"note\">And {} more rows.</p>", table.more);
    }
    out.push_str("</div>");
    out
}

fn output(shown: &Shown) -> String {
    if shown.output.is_empty() {
        return String::new();
    }
    let more = match shown.more {
        0 => String::new(),
        more => format!(
            "<p class=\"note\">And {} more.</p>",
            text(&ByteSize::new(more).to_string())
        ),
    };
    // A line break right behind the tag is none: one more keeps the script's own.
    format!(
        "<section><h2>Output</h2><div class=\"card long\"><pre>\n{}</pre>{more}</div></section>\n",
        text(&shown.output)
    )
}
