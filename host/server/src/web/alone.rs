//! Pages that need no visitor, and what all pages begin with.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

pub(super) fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        title { (title) " · Kael" }
        link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
        link rel="stylesheet" href="/assets/style.css";
        script src="/assets/page.js" defer {}
    }
}

pub(super) fn brand() -> Markup {
    html! {
        img src="/assets/icon.svg" alt="" width="24" height="24";
        span { "Kael" }
    }
}

/// A page of its own, such as the one to sign in.
pub(super) fn alone(title: &str, body: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(title)) }
            body {
                main class="narrow" id="content" {
                    div class="brand" { (brand()) }
                    (body)
                }
            }
        }
    };
    Html(markup.into_string())
}
