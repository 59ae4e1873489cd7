//! The error of a run, and the lines of its script around a place.

use maud::{Markup, html};

use crate::api::types::{Run, RunError};

/// Lines around the place.
const AROUND: usize = 3;

/// What ended a run, or parked it.
pub(super) fn error_card(run: &Run, error: &RunError, source: &str) -> Markup {
    let places =
        std::iter::once(error.message.as_str()).chain(error.traceback.iter().map(String::as_str));
    let line = places.into_iter().find_map(|text| line_in(text, &run.name));
    html! {
        section class="card error" aria-label="Error" {
            div class="what" { (error.message) }
            @if !error.traceback.is_empty() || error.hint.is_some() {
                div class="more" {
                    @if !error.traceback.is_empty() {
                        div class="mono" { @for frame in &error.traceback { div { (frame) } } }
                    }
                    @if let Some(hint) = &error.hint { div class="hint" { "Hint: " (hint) } }
                }
            }
            @if let Some(line) = line { (excerpt(source, line)) }
        }
    }
}

/// The number of the line that a text names of a script. Lua leaves out the beginning of a long name.
pub(super) fn line_in(text: &str, name: &str) -> Option<usize> {
    let rest = match text.split_once(&format!("{name}:")) {
        Some((_, rest)) => rest,
        None => {
            let (end, rest) = text.trim_start().strip_prefix("...")?.split_once(':')?;
            (end.len() > 8 && name.ends_with(end)).then_some(rest)?
        }
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|line| *line > 0)
}

/// The lines around the place of an error.
pub(super) fn excerpt(source: &str, at: usize) -> Markup {
    let first = at.saturating_sub(AROUND + 1);
    let lines = source.lines().enumerate().skip(first).take(2 * AROUND + 1);
    html! {
        pre class="code excerpt" {
            @for (index, line) in lines {
                b class=[(index + 1 == at).then_some("at")] { i { (index + 1) } (line) "\n" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_error_is_found_and_shown() {
        assert_eq!(line_in("report.lua:12: no luck", "report.lua"), Some(12));
        assert_eq!(
            line_in("  report.lua:3: in function 'x'", "report.lua"),
            Some(3)
        );
        assert_eq!(line_in("other.lua:3: x", "report.lua"), None);
        assert_eq!(line_in("report.lua:x", "report.lua"), None);
        let long = "the-report-of-all-that-was.lua";
        assert_eq!(line_in("...of-all-that-was.lua:7: no", long), Some(7));
        assert_eq!(line_in("...of-nothing-that-was.lua:7: no", long), None);
        let shown = excerpt("a\nb\n<c>\nd\n", 3).into_string();
        assert!(
            shown.contains("<b class=\"at\"><i>3</i>&lt;c&gt;"),
            "{shown}"
        );
    }
}
