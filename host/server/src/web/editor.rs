//! The field for the text of a script, which an editor takes the place of where there is JavaScript, and what that
//! shows beside it.

use maud::{Markup, html};

use super::access::Visitor;

/// The field. Without the editor it is checked while it is typed.
pub(super) fn field(visitor: &Visitor, text: &str) -> Markup {
    html! {
        div class="field" {
            label for="script" { "Script" }
            textarea id="script" name="script" spellcheck="false" autocapitalize="off" data-csrf=(visitor.csrf()) { (text) }
        }
        ul class="problems" id="problems" aria-live="polite" {}
    }
}

/// What says what the text in the editor would call.
pub(super) fn dry_run() -> Markup {
    html! { button type="button" data-dry-run hidden title="Ctrl+Shift+Enter" { "Dry run" } }
}

/// The same, and what runs that text.
pub(super) fn buttons() -> Markup {
    html! {
        (dry_run())
        button type="button" data-run-text hidden title="Ctrl+Enter" { "Run" }
    }
}

/// The place for the output of a trial; loads the editor.
pub(super) fn beside() -> Markup {
    html! {
        div id="said" role="status" hidden {}
        section id="trial" aria-label="Trial" hidden {}
        script src="/assets/editor.js" defer {}
    }
}
