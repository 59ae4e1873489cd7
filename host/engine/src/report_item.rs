//! The tables and charts that a script shows besides its output, for the page of a run.
//!
//! They come through the gate as JSON. The guest builds them, but the guest is not trusted: this
//! module refuses any other shape, and bounds their size.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bytes that one item may have, bytes that all may have, and how many items are kept.
const MAX_BYTES: usize = 1 << 20;
const MAX_ALL: usize = 16 << 20;
const MAX_COUNT: usize = 200;

const MAX_TITLE: usize = 200;
const MAX_COLUMNS: usize = 100;
const MAX_ROWS: usize = 1000;
const MAX_CELL: usize = 1000;
const MAX_SERIES: usize = 20;
const MAX_POINTS: usize = 10_000;
/// Points of a chart that are kept: a page has room for no more.
const MAX_DRAWN: usize = 1000;
/// Cells of all tables together; each takes some 50 bytes beside its text.
const MAX_CELLS: usize = 500_000;

/// A table or a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportItem {
    /// Rows of text.
    Table(Table),
    /// Lines, bars or points.
    Chart(Chart),
}

/// A table whose cells are text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The title above the table.
    pub title: Option<String>,
    /// The columns, from the left.
    pub columns: Vec<Column>,
    /// One text per column.
    pub rows: Vec<Vec<String>>,
    /// How many rows the script had beyond these.
    pub more: u64,
}

/// The head of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The title of the column.
    pub title: String,
    /// Whether its cells are numbers, aligned to the right.
    pub right: bool,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// How the points are drawn.
    pub kind: ChartKind,
    /// The title above the chart.
    pub title: Option<String>,
    /// What the horizontal axis shows.
    pub x_title: Option<String>,
    /// What the vertical axis shows.
    pub y_title: Option<String>,
    /// Whether the horizontal axis has numbers. Then every point has a number, otherwise a name.
    pub numeric: bool,
    /// The series, in the order of the legend.
    pub series: Vec<Series>,
    /// Points that the script had and that are not here.
    #[serde(skip)]
    pub more: usize,
}

/// How the points of a chart are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// A line through the points.
    Line,
    /// A line, and the area below it.
    Area,
    /// A bar for every point.
    Bar,
    /// Points without a line.
    Scatter,
}

/// A series of points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// The position and value of each point. A missing value is a gap.
    pub points: Vec<Point>,
}

/// The position and value of a point.
pub type Point = (Place, Option<f64>);

/// The position of a point on the horizontal axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// A number on a scale.
    Number(f64),
    /// A name. The axis shows names in the order in which they came.
    Name(String),
}

/// Why a document is no item.
#[derive(Debug, Error)]
pub enum ReportItemError {
    /// It is too large.
    #[error("it has more than {} KiB", MAX_BYTES >> 10)]
    TooLarge,
    /// It has another shape.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// It has too many of something, or a value where it may have none.
    #[error("it is out of bounds")]
    OutOfBounds,
}

impl ReportItem {
    /// Reads an item that came through the gate.
    ///
    /// # Errors
    /// When it is too large or has another shape.
    pub fn parse(text: &str) -> Result<Self, ReportItemError> {
        if text.len() > MAX_BYTES {
            return Err(ReportItemError::TooLarge);
        }
        let mut item: Self = serde_json::from_str(text)?;
        let well = match &item {
            Self::Table(table) => table.is_well(),
            Self::Chart(chart) => chart.is_well(),
        };
        if !well {
            return Err(ReportItemError::OutOfBounds);
        }
        if let Self::Chart(chart) = &mut item {
            chart.thin_out();
        }
        Ok(item)
    }

    /// How many cells it has.
    fn cells(&self) -> usize {
        match self {
            Self::Table(table) => table.rows.len() * table.columns.len(),
            Self::Chart(_) => 0,
        }
    }
}

fn is_title(title: &str) -> bool {
    title.chars().count() <= MAX_TITLE
}

impl Table {
    fn is_well(&self) -> bool {
        let cell = |cell: &String| cell.chars().count() <= MAX_CELL;
        self.title.as_deref().is_none_or(is_title)
            && self.columns.len() <= MAX_COLUMNS
            && self.columns.iter().all(|column| is_title(&column.title))
            && self.rows.len() <= MAX_ROWS
            && self
                .rows
                .iter()
                .all(|row| row.len() == self.columns.len() && row.iter().all(cell))
    }
}

impl Chart {
    fn is_well(&self) -> bool {
        let titles = [&self.title, &self.x_title, &self.y_title];
        let points: usize = self.series.iter().map(|series| series.points.len()).sum();
        let placed = |place: &Place| match place {
            Place::Number(number) => self.numeric && number.is_finite(),
            Place::Name(name) => !self.numeric && is_title(name),
        };
        titles.into_iter().flatten().all(|title| is_title(title))
            && self.series.len() <= MAX_SERIES
            && points <= MAX_POINTS
            && !(self.numeric && self.kind == ChartKind::Bar)
            && self.series.iter().all(|series| {
                is_title(&series.name)
                    && series
                        .points
                        .iter()
                        .all(|(place, value)| placed(place) && value.is_none_or(f64::is_finite))
            })
    }
}

impl Chart {
    /// Keeps of many points the least and the greatest of each stretch, and its gaps.
    fn thin_out(&mut self) {
        let had: usize = self.series.iter().map(|series| series.points.len()).sum();
        if had <= MAX_DRAWN {
            return;
        }
        for series in &mut self.series {
            // A stretch leaves three points at most.
            let stretches = (MAX_DRAWN * series.points.len() / had / 3).max(1);
            let length = series.points.len().div_ceil(stretches).max(1);
            let kept = series.points.chunks(length).flat_map(outline);
            series.points = kept.collect();
        }
        let left: usize = self.series.iter().map(|series| series.points.len()).sum();
        self.more = had - left;
    }
}

/// The first gap, the least and the greatest of some points, in their order.
fn outline(points: &[Point]) -> Vec<Point> {
    let valued = || {
        let values = points.iter().enumerate();
        values.filter_map(|(at, (_, value))| Some((at, (*value)?)))
    };
    let gap = points.iter().position(|(_, value)| value.is_none());
    let least = valued().min_by(|one, other| one.1.total_cmp(&other.1));
    let greatest = valued().max_by(|one, other| one.1.total_cmp(&other.1));
    let mut kept: Vec<usize> = [gap, least.map(|(at, _)| at), greatest.map(|(at, _)| at)]
        .into_iter()
        .flatten()
        .collect();
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|at| points[at].clone()).collect()
}

/// What a run has shown.
#[derive(Debug, Clone, Default)]
pub struct ReportItems {
    /// In the order in which they came.
    pub shown: Vec<ReportItem>,
    /// How many came when there was no more room.
    pub dropped: u64,
    bytes: usize,
    cells: usize,
}

impl ReportItems {
    /// Keeps an item of so many bytes, if there is room.
    pub fn add(&mut self, item: ReportItem, bytes: usize) {
        let cells = item.cells();
        if self.shown.len() == MAX_COUNT
            || self.bytes + bytes > MAX_ALL
            || self.cells + cells > MAX_CELLS
        {
            self.dropped += 1;
            return;
        }
        self.bytes += bytes;
        self.cells += cells;
        self.shown.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHART: &str = r#"{"chart":{"kind":"line","numeric":true,"series":[{"name":"a","points":[[1,2.5],[2,null]]}]}}"#;

    #[test]
    fn tables_and_charts_are_taken() {
        let table = r#"{"table":{"columns":[{"title":"a","right":true}],"rows":[["1"]],"more":0}}"#;
        assert!(matches!(ReportItem::parse(table), Ok(ReportItem::Table(_))));
        let Ok(ReportItem::Chart(chart)) = ReportItem::parse(CHART) else {
            panic!("a chart")
        };
        assert_eq!(
            chart.series[0].points,
            [(Place::Number(1.0), Some(2.5)), (Place::Number(2.0), None)]
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "null",
            "{}",
            r#"{"page":{}}"#,
            r#"{"table":{"columns":[],"rows":[],"more":0,"onload":"x"}}"#,
            r#"{"table":{"columns":[],"rows":[["x"]],"more":0}}"#,
            r#"{"table":{"columns":[],"rows":[],"more":-1}}"#,
            &CHART.replace("line", "pie"),
            &CHART.replace("[1,", "[\"x\","),
            &CHART.replace("[1,", "[1e999,"),
            &CHART.replace("line", "bar"),
            &CHART.replace("\"a\"", &format!("\"{}\"", "x".repeat(201))),
            &CHART.replace("true", "true,\"title\":1"),
            &format!("{CHART}{}", " ".repeat(1 << 20)),
        ] {
            assert!(
                ReportItem::parse(text).is_err(),
                "{}",
                &text[..text.len().min(200)]
            );
        }
    }

    #[test]
    fn of_many_points_the_least_and_the_greatest_are_kept() {
        let point = |n: usize| match n {
            5000 => "[5000,null]".to_owned(),
            7777 => "[7777,-100]".to_owned(),
            8888 => "[8888,100]".to_owned(),
            n => format!("[{n},{}]", n % 7),
        };
        let points: Vec<String> = (0..10_000).map(point).collect();
        let text = CHART.replace("[1,2.5],[2,null]", &points.join(","));
        let Ok(ReportItem::Chart(chart)) = ReportItem::parse(&text) else {
            panic!("a chart")
        };
        let kept = &chart.series[0].points;
        assert!((600..=MAX_DRAWN).contains(&kept.len()), "{}", kept.len());
        assert_eq!(chart.more, 10_000 - kept.len());
        for (place, value) in [
            (5000.0, None),
            (7777.0, Some(-100.0)),
            (8888.0, Some(100.0)),
        ] {
            assert!(kept.contains(&(Place::Number(place), value)), "{place}");
        }
        let places = kept.iter().map(|(place, _)| match place {
            Place::Number(number) => *number,
            Place::Name(_) => panic!("a name"),
        });
        assert!(places.is_sorted());
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut report_items = ReportItems::default();
        for _ in 0..300 {
            report_items.add(ReportItem::parse(CHART).expect("a chart"), 100);
        }
        assert_eq!((report_items.shown.len(), report_items.dropped), (200, 100));
        let mut report_items = ReportItems::default();
        for _ in 0..20 {
            report_items.add(ReportItem::parse(CHART).expect("a chart"), 1 << 20);
        }
        assert_eq!((report_items.shown.len(), report_items.dropped), (16, 4));
        let column = r#"{"title":"","right":false}"#;
        let (columns, row) = ([column; 100].join(","), ["\"\""; 100].join(","));
        let rows = vec![format!("[{row}]"); 1000].join(",");
        let table = format!(r#"{{"table":{{"columns":[{columns}],"rows":[{rows}],"more":0}}}}"#);
        let mut report_items = ReportItems::default();
        for _ in 0..8 {
            let table = ReportItem::parse(&table).expect("a table");
            report_items.add(table, 1);
        }
        assert_eq!((report_items.shown.len(), report_items.dropped), (5, 3));
    }
}
