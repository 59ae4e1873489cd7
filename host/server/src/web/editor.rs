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

/// What runs what is in the editor, and says what it would call.
pub(super) fn buttons() -> Markup {
    html! {
        button type="button" data-dry-run hidden title="Ctrl+Shift+Enter" { "Dry run" }
        button type="button" data-run-text hidden title="Ctrl+Enter" { "Run" }
    }
}

/// Where the editor shows what became of that. It loads the editor.
pub(super) fn beside() -> Markup {
    html! {
        div id="said" role="status" hidden {}
        section id="trial" aria-label="Trial" hidden {}
        script src="/assets/editor.js" defer {}
    }
}
