//! A chart as SVG: drawn here, so that the page needs no script.

use std::fmt::Write as _;

use super::html::{short, text};
use super::scale::Scale;
use kael_engine::report_item::{Chart, ChartKind, Place, Series};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
/// What is left for labels around the plot.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 46.0;

/// Colours that there are; series beyond have dashed lines.
const COLOURS: usize = 8;
/// Points up to which each is drawn and tells its values.
const TOLD: usize = 400;

/// The chart with its title and legend.
pub(super) fn figure(chart: &Chart) -> String {
    let mut out = String::from("<figure class=\"card\">");
    if let Some(title) = &chart.title {
        _ = write!(out, "<h3>{}</h3>", text(title));
    }
    if chart.series.len() > 1 {
        out.push_str("<ul class=\"legend\">");
        for (number, series) in chart.series.iter().enumerate() {
            _ = write!(
                out,
                "<li><svg class=\"c{}\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"f\" width=\"10\" height=\"10\" rx=\"2\"/></svg>{}</li>",
                number % COLOURS,
                text(&series.name)
            );
        }
        out.push_str("</ul>");
    }
    if chart.series.iter().all(|series| series.points.is_empty()) {
        out.push_str("<p class=\"soft\">No points.</p></figure>");
        return out;
    }
    out.push_str(&plot(chart));
    if chart.more > 0 {
        _ = write!(
            out,
            "<p class=\"note\">Of each stretch of points the least and the greatest are drawn; {} more are not.</p>",
            chart.more
        );
    }
    out.push_str("</figure>");
    out
}

/// The horizontal axis: a scale, or names side by side.
enum Across<'a> {
    Scale(Scale),
    Names(Vec<&'a str>),
}

impl<'a> Across<'a> {
    fn of(chart: &'a Chart) -> Self {
        let places = || chart.series.iter().flat_map(|series| &series.points);
        if chart.numeric {
            let numbers = places().filter_map(|(place, _)| match place {
                Place::Number(number) => Some(*number),
                Place::Name(_) => None,
            });
            return Self::Scale(Scale::within(numbers, 8.0));
        }
        let mut seen = std::collections::HashSet::new();
        let names = places().filter_map(|(place, _)| match place {
            Place::Name(name) => seen.insert(name.as_str()).then_some(name.as_str()),
            Place::Number(_) => None,
        });
        Self::Names(names.collect())
    }

    /// Finds the place of every name at once.
    fn positions(&self) -> std::collections::HashMap<&'a str, usize> {
        match self {
            Self::Scale(_) => std::collections::HashMap::new(),
            Self::Names(names) => names
                .iter()
                .enumerate()
                .map(|(at, name)| (*name, at))
                .collect(),
        }
    }

    /// The width of what belongs to one name.
    fn slot(&self) -> f64 {
        match self {
            Self::Scale(_) => 0.0,
            Self::Names(names) => (WIDTH - LEFT - RIGHT) / names.len().max(1) as f64,
        }
    }
}

fn plot(chart: &Chart) -> String {
    let across = Across::of(chart);
    let positions = across.positions();
    let values = chart.series.iter().flat_map(|series| &series.points);
    let values = values.filter_map(|(_, value)| *value);
    let up = Scale::over(
        values,
        matches!(chart.kind, ChartKind::Bar | ChartKind::Area),
        5.0,
    );
    let y = |value: f64| TOP + (1.0 - up.place(value)) * (HEIGHT - TOP - BOTTOM);
    let x = |place: &Place| match (place, &across) {
        (Place::Number(number), Across::Scale(scale)) => {
            LEFT + scale.place(*number) * (WIDTH - LEFT - RIGHT)
        }
        (Place::Name(name), across) => {
            let at = positions.get(name.as_str()).copied().unwrap_or(0);
            LEFT + (at as f64 + 0.5) * across.slot()
        }
        (Place::Number(_), Across::Names(_)) => LEFT,
    };
    let label = chart.title.as_deref().unwrap_or("chart");
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        text(label)
    );
    axes(&mut out, chart, &across, &up, &y);
    let told = chart
        .series
        .iter()
        .map(|series| series.points.len())
        .sum::<usize>()
        <= TOLD;
    for (number, series) in chart.series.iter().enumerate() {
        _ = write!(out, "<g class=\"c{}\">", number % COLOURS);
        match chart.kind {
            ChartKind::Bar => bars(&mut out, chart, (number, series), &across, &x, &y),
            ChartKind::Scatter => dots(&mut out, series, &x, &y, 4.0, told),
            ChartKind::Line | ChartKind::Area => {
                lines(&mut out, chart.kind, (number, series), &x, &y);
                if told {
                    dots(&mut out, series, &x, &y, 2.5, true);
                }
            }
        }
        out.push_str("</g>");
    }
    out.push_str("</svg>");
    out
}

fn axes(out: &mut String, chart: &Chart, across: &Across<'_>, up: &Scale, y: &dyn Fn(f64) -> f64) {
    let end = WIDTH - RIGHT;
    for tick in up.ticks() {
        let at = y(tick);
        _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            up.label(tick)
        );
    }
    let floor = HEIGHT - BOTTOM;
    let zero = if up.from < 0.0 && up.to > 0.0 {
        y(0.0)
    } else {
        floor
    };
    _ = write!(
        out,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{zero:.1}\" y2=\"{zero:.1}\"/>"
    );
    let mut tick = |at: f64, label: &str, whole: &str| {
        _ = write!(
            out,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}<title>{whole}</title></text>",
            floor + 18.0
        );
    };
    match across {
        Across::Scale(scale) => {
            for value in scale.ticks() {
                let at = LEFT + scale.place(value) * (WIDTH - LEFT - RIGHT);
                let label = scale.label(value);
                tick(at, &label, &label);
            }
        }
        Across::Names(names) => {
            // As many as there is room for: a character takes about seven units.
            let longest = names
                .iter()
                .map(|name| name.chars().count())
                .max()
                .unwrap_or(0);
            let room = (longest.min(16) as f64 * 7.0 + 14.0) / across.slot();
            let every = (room.ceil() as usize).max(1);
            for (at, name) in names.iter().enumerate().step_by(every) {
                let middle = LEFT + (at as f64 + 0.5) * across.slot();
                tick(middle, &short(name, 16), &text(name));
            }
        }
    }
    if let Some(title) = &chart.x_title {
        _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            (LEFT + end) / 2.0,
            HEIGHT - 8.0,
            short(title, 80)
        );
    }
    if let Some(title) = &chart.y_title {
        _ = write!(out, "<text x=\"4\" y=\"12\">{}</text>", short(title, 60));
    }
}

fn lines(
    out: &mut String,
    kind: ChartKind,
    (number, series): (usize, &Series),
    x: &dyn Fn(&Place) -> f64,
    y: &dyn Fn(f64) -> f64,
) {
    let runs = series.points.split(|(_, value)| value.is_none());
    for run in runs.filter(|run| !run.is_empty()) {
        let mut path = String::new();
        for (place, value) in run {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            _ = write!(
                path,
                "{letter}{:.1} {:.1}",
                x(place),
                y(value.unwrap_or(0.0))
            );
        }
        if let (ChartKind::Area, Some(first), Some(last)) = (kind, run.first(), run.last()) {
            let base = y(0.0);
            _ = write!(
                out,
                "<path class=\"a\" d=\"{path}L{:.1} {base:.1}L{:.1} {base:.1}Z\"/>",
                x(&last.0),
                x(&first.0)
            );
        }
        let dash = if number >= COLOURS { " dash" } else { "" };
        _ = write!(out, "<path class=\"p{dash}\" d=\"{path}\"/>");
    }
}

fn dots(
    out: &mut String,
    series: &Series,
    x: &dyn Fn(&Place) -> f64,
    y: &dyn Fn(f64) -> f64,
    radius: f64,
    told: bool,
) {
    for (place, value) in &series.points {
        let Some(value) = value else { continue };
        let title = if told {
            tip(series, place, *value)
        } else {
            String::new()
        };
        _ = write!(
            out,
            "<circle class=\"d\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\">{title}</circle>",
            x(place),
            y(*value)
        );
    }
}

fn bars(
    out: &mut String,
    chart: &Chart,
    (number, series): (usize, &Series),
    across: &Across<'_>,
    x: &dyn Fn(&Place) -> f64,
    y: &dyn Fn(f64) -> f64,
) {
    let group = (across.slot() * 0.76).min(90.0 * chart.series.len() as f64);
    let width = group / chart.series.len() as f64;
    let base = y(0.0);
    for (place, value) in &series.points {
        let Some(value) = value else { continue };
        let left = x(place) - group / 2.0 + number as f64 * width;
        let top = y(*value);
        _ = write!(
            out,
            "<rect class=\"f\" x=\"{left:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\">{}</rect>",
            top.min(base),
            (width - 1.0).max(width * 0.8),
            (top - base).abs(),
            tip(series, place, *value)
        );
    }
}

/// What is told of a point when it is pointed at.
fn tip(series: &Series, place: &Place, value: f64) -> String {
    let place = match place {
        Place::Number(number) => number.to_string(),
        Place::Name(name) => name.clone(),
    };
    format!(
        "<title>{}</title>",
        text(&format!("{} · {place}: {value}", series.name))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use kael_engine::report_item::ReportItem;

    fn draw(json: &str) -> String {
        match ReportItem::parse(&format!("{{\"chart\":{json}}}")) {
            Ok(ReportItem::Chart(chart)) => figure(&chart),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_gap_divides_a_line() {
        let svg = draw(
            r#"{"kind":"line","numeric":true,"series":[{"name":"a","points":[[0,1],[1,2],[2,null],[3,4],[4,5]]}]}"#,
        );
        assert_eq!(svg.matches("<path").count(), 2, "{svg}");
        assert_eq!(svg.matches("<circle").count(), 4, "{svg}");
    }

    #[test]
    fn bars_stand_side_by_side() {
        let svg = draw(
            r#"{"kind":"bar","numeric":false,"series":[{"name":"a","points":[["x",1],["y",-2]]},{"name":"b","points":[["y",3]]}]}"#,
        );
        assert_eq!(svg.matches("<rect class=\"f\" x=").count(), 3, "{svg}");
        assert_eq!(svg.matches("<li>").count(), 2, "{svg}");
    }

    #[test]
    fn names_are_no_markup() {
        let svg = draw(
            r#"{"kind":"area","numeric":false,"title":"<script>","x_title":"<i>","y_title":"\"><b>","series":[{"name":"</svg>","points":[["<img onerror=x>",1]]},{"name":"&","points":[]}]}"#,
        );
        for markup in ["<script", "<img", "<b>", "<i>", "\"><b", "</svg> ·"] {
            assert!(!svg.contains(markup), "{markup}: {svg}");
        }
        assert_eq!(svg.matches("</svg>").count(), 3);
    }

    #[test]
    fn numbers_at_the_ends_are_drawn() {
        for kind in ["line", "area", "scatter"] {
            let svg = draw(&format!(
                r#"{{"kind":"{kind}","numeric":true,"series":[{{"name":"a","points":[[1e308,-1e308],[-1e308,1e308],[5e-324,0]]}}]}}"#
            ));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        assert!(draw(r#"{"kind":"bar","numeric":false,"series":[]}"#).contains("No points."));
    }
}
