//! A chart that a run showed, as SVG with classes: the page's policy allows no styles in it.

use maud::{Markup, html};
use serde_json::Value;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 12.0;
/// Colours of series.
const COLOURS: usize = 6;

/// A series: its name, and its points as positions from 0 to 1 and values.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

/// The chart with its title and legend.
pub(super) fn figure(chart: &Value) -> Markup {
    let title = chart["title"].as_str().unwrap_or("Chart");
    let (series, names) = read(chart);
    let values = series
        .iter()
        .flat_map(|one| one.points.iter().map(|(_, value)| *value));
    let (low, high) = values.fold((0.0_f64, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if high == f64::MIN {
        return html! { h2 { (title) } p class="soft" { "No points." } };
    }
    let span = if high > low { high - low } else { 1.0 };
    let x = |at: f64| LEFT + at * (WIDTH - LEFT - 8.0);
    let y = |value: f64| TOP + (1.0 - (value - low) / span) * (HEIGHT - TOP - BOTTOM);
    let kind = chart["kind"].as_str().unwrap_or("line");
    html! {
        h2 { (title) }
        figure class="card pad chart" {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                @for step in 0..=4 {
                    @let value = low + span * f64::from(step) / 4.0;
                    line class="grid" x1=(LEFT) x2=(WIDTH - 8.0) y1=(px(y(value))) y2=(px(y(value))) {}
                    text class="tick end" x=(LEFT - 8.0) y=(px(y(value) + 4.0)) { (number(value)) }
                }
                @for (at, name) in ticks(&names) {
                    text class="tick" x=(px(x(at))) y=(HEIGHT - 8.0) { (name) }
                }
                @for (index, one) in series.iter().enumerate() {
                    (marks(kind, index, series.len(), one, &x, &y, y(0.0_f64.clamp(low, high))))
                }
            }
            @if series.len() > 1 {
                figcaption { @for (index, one) in series.iter().enumerate() {
                    span class={ "key c" (index % COLOURS) } { (one.name) }
                } }
            }
        }
    }
}

fn marks(
    kind: &str,
    index: usize,
    all: usize,
    series: &Series,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
    zero: f64,
) -> Markup {
    let colour = format!("c{}", index % COLOURS);
    let points: Vec<(f64, f64)> = series
        .points
        .iter()
        .map(|(at, value)| (x(*at), y(*value)))
        .collect();
    let line = points
        .iter()
        .map(|(x, y)| format!("{} {}", px(*x), px(*y)))
        .collect::<Vec<_>>()
        .join(" L");
    match kind {
        "bar" => {
            let slot = (WIDTH - LEFT) / points.len().max(1) as f64 * 0.7;
            let width = (slot / all as f64).max(1.0);
            html! { @for (at, top) in &points {
                rect class={ "bar " (colour) } x=(px(at - slot / 2.0 + width * index as f64)) y=(px(top.min(zero)))
                    width=(px(width)) height=(px((zero - top).abs().max(0.5))) rx="2" {}
            } }
        }
        "scatter" => {
            html! { @for (at, top) in &points { circle class={ "bar " (colour) } cx=(px(*at)) cy=(px(*top)) r="3" {} } }
        }
        kind => html! {
            @if kind == "area" && points.len() > 1 {
                path class={ "area " (colour) } d=(format!("M{} {} L{line} L{} {} Z", px(points[0].0), px(zero), px(points[points.len() - 1].0), px(zero))) {}
            }
            path class={ "curve " (colour) } d=(format!("M{line}")) {}
        },
    }
}

fn read(chart: &Value) -> (Vec<Series>, Vec<(f64, String)>) {
    let all = chart["series"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    let (mut least, mut most) = (f64::MAX, f64::MIN);
    for point in all
        .iter()
        .flat_map(|series| series["points"].as_array().into_iter().flatten())
    {
        match (point[0].as_f64(), point[0].as_str()) {
            (Some(number), _) => (least, most) = (least.min(number), most.max(number)),
            (None, Some(name)) if !names.iter().any(|known| known == name) => {
                names.push(name.to_owned())
            }
            _ => {}
        }
    }
    let count = names.len().max(1) as f64;
    let place = |at: &Value| match (at.as_f64(), at.as_str()) {
        (Some(number), _) if most > least => Some((number - least) / (most - least)),
        (Some(_), _) => Some(0.5),
        (None, Some(name)) => {
            let index = names.iter().position(|known| known == name)?;
            Some((index as f64 + 0.5) / count)
        }
        _ => None,
    };
    let series = all.iter().map(|series| Series {
        name: series["name"].as_str().unwrap_or("").to_owned(),
        points: series["points"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|point| Some((place(&point[0])?, point[1].as_f64()?)))
            .collect(),
    });
    let series = series.collect();
    let ticks = match names.is_empty() {
        false => names
            .iter()
            .enumerate()
            .map(|(index, name)| ((index as f64 + 0.5) / count, name.clone()))
            .collect(),
        true if most > least => (0..=4)
            .map(|step| {
                let part = f64::from(step) / 4.0;
                (part, number(least + part * (most - least)))
            })
            .collect(),
        true => Vec::new(),
    };
    (series, ticks)
}

/// As many ticks as have room.
fn ticks(all: &[(f64, String)]) -> Vec<(f64, String)> {
    let every = all.len().div_ceil(8).max(1);
    let short = |name: &String| name.chars().take(14).collect::<String>();
    all.iter()
        .step_by(every)
        .map(|(at, name)| (*at, short(name)))
        .collect()
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.1}M", value / 1e6),
        size if size >= 1e4 => format!("{:.0}k", value / 1e3),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
