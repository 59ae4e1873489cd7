//! `report`: what scripts get back, and what crosses for the page.

use super::{error_of, output, shown};

fn text(code: &str) -> String {
    serde_json::from_str(&output(&format!("return {code}"))).expect("a text")
}

const ROWS: &str = "{ { name = 'acme', cpu = 12.5, n = 3 }, { name = '世界', cpu = 1, n = 10 }, { name = 'e\u{301}', n = 7 } }";

#[test]
fn a_table_is_aligned_by_what_a_terminal_shows() {
    assert_eq!(
        text(&format!(
            "report.table({ROWS}, {{ 'name', {{ 'cpu', 'CPU %' }}, 'n' }})"
        )),
        "name  CPU %   n\n----  -----  --\nacme   12.5   3\n世界      1  10\ne\u{301}             7"
    );
    // Without columns: all keys, sorted.
    assert_eq!(
        text("report.table({ { b = 'x', a = true } })"),
        "a     b\n----  -\ntrue  x"
    );
    assert_eq!(
        text("report.table({ { 1, 'x' }, { 2 } })"),
        "1  2\n-  -\n1  x\n2"
    );
    assert_eq!(text("report.table({})"), "(no rows)");
    assert_eq!(text("report.table({}, { 'a' })"), "a\n-");
    assert_eq!(
        text("report.table({ { a = 'x\\n\\27[31my', b = { 1, { c = 2 } } } })"),
        "a        b\n-------  -----------\nx [31my  [1,{\"c\":2}]"
    );
}

#[test]
fn csv_is_quoted_where_it_has_to_be() {
    assert_eq!(
        text("report.csv({ { a = 'x,y', b = 'say \"hi\"', c = 'l1\\nl2', d = ' pad' } })"),
        "a,b,c,d\n\"x,y\",\"say \"\"hi\"\"\",\"l1\nl2\",\" pad\""
    );
    assert_eq!(
        text(
            "report.csv({ { a = '=1+1', b = -5, c = '@x' } }, { 'c', 'a', 'b' }, { safe = true })"
        ),
        "c,a,b\n'@x,'=1+1,-5"
    );
    assert_eq!(text("report.csv({ { a = '=1+1' } })"), "a\n=1+1");
}

#[test]
fn json_keeps_the_order_of_the_columns() {
    assert_eq!(
        text("report.json({ { b = 1, a = { 1, json.null } }, { b = 2.0 } }, { 'b', 'a' })"),
        "[\n  {\"b\": 1, \"a\": [1,null]},\n  {\"b\": 2.0, \"a\": null}\n]"
    );
    assert_eq!(text("report.json({})"), "[]");
}

#[test]
fn no_cell_of_markdown_is_markup() {
    assert_eq!(
        text("report.markdown({ { a = '|x|\\ny', b = '<b>*_z_', c_d = 5 } })"),
        "| a | b | c_d |\n| --- | --- | ---: |\n| \\|x\\|<br>y | &lt;b>\\*\\_z\\_ | 5 |"
    );
}

#[test]
fn tables_and_charts_cross_for_the_page() {
    output(&format!(
        "report.table({ROWS}, {{ 'name', 'n' }}, {{ title = 'T' }}) return 1"
    ));
    assert_eq!(
        shown(),
        [
            "{\"table\":{\"columns\":[{\"right\":false,\"title\":\"name\"},{\"right\":true,\"title\":\"n\"}],\"more\":0,\
          \"rows\":[[\"acme\",\"3\"],[\"世界\",\"10\"],[\"e\u{301}\",\"7\"]],\"title\":\"T\"}}"
        ]
    );
    output(
        "report.chart('line', { { d = 'mon', cpu = 1.5 }, { d = 'tue' } }, { x = 'd', title = 'CPU' }) return 1",
    );
    assert_eq!(
        shown(),
        [
            r#"{"chart":{"kind":"line","numeric":false,"series":[{"name":"cpu","points":[["mon",1.5],["tue",null]]}],"title":"CPU","x_title":"d","y_title":"cpu"}}"#
        ]
    );
    output(
        "report.chart('scatter', { { x = 1, y = 2, t = 'a' }, { x = 2, y = 3, t = 'b' } }, { x = 'x', y = 'y', series = 't' }) return 1",
    );
    assert_eq!(
        shown(),
        [
            r#"{"chart":{"kind":"scatter","numeric":true,"series":[{"name":"a","points":[[1,2]]},{"name":"b","points":[[2,3]]}],"x_title":"x","y_title":"y"}}"#
        ]
    );
    // A long table is shown in part, and returned whole.
    assert_eq!(
        output(
            "local t = {} for i = 1, 1500 do t[i] = { i } end local _, n = report.table(t):gsub('\\n', '') return n"
        ),
        "1501"
    );
    assert!(shown()[0].contains("\"more\":500"));
}

#[test]
fn what_is_no_report_is_refused_where_it_was_asked_for() {
    for (call, told) in [
        ("table('x')", "table: expected a list of rows, got string"),
        ("table({ 1 })", "table: row 1 must be a table, got number"),
        (
            "table({ a = 1 })",
            "table: expected a list of rows, got a table with names: put it into { }",
        ),
        (
            "table({}, 'a')",
            "table: the columns must be a list of keys, got string",
        ),
        (
            "table({}, {}, nil)",
            "table: there must be at least one column",
        ),
        (
            "table({}, { true })",
            "table: column 1 must be a key, or a key and a title such as { 'cpu', 'CPU %' }",
        ),
        (
            "table({}, { 'a' }, { titel = 'x' })",
            "table: no option 'titel' (there are: title)",
        ),
        (
            "csv({}, nil, { safe = 1 })",
            "csv: 'safe' must be a boolean, got number",
        ),
        (
            "json({ { a = print } })",
            "json: row 1, a: $ is a function, which JSON cannot hold",
        ),
        (
            "chart('pie', {})",
            "chart: the kind must be 'line', 'area', 'bar' or 'scatter', got 'pie'",
        ),
        (
            "chart('line', { { a = 'x' } })",
            "chart: no column has numbers: say which with y = 'name'",
        ),
        (
            "chart('line', { { a = 1 } }, { x = 'b' })",
            "chart: row 1 has no 'b', its x",
        ),
        (
            "chart('line', { { a = 1 / 0 } }, { y = 'a' })",
            "chart: row 1: 'a' must be a finite number, got inf",
        ),
        (
            "chart('line', { { a = 'x' } }, { y = 'a' })",
            "chart: row 1: 'a' must be a finite number, got 'x'",
        ),
        (
            "chart('line', {}, { y = { 'a', 'b' }, series = 's' })",
            "chart: with 'series' there is one 'y', got 2",
        ),
    ] {
        let error = error_of(&format!("local x = 1\nlocal y = report.{call}\nreturn y")).message;
        assert_eq!(error, format!("script.lua:2: report.{told}"), "{call}");
    }
    let many = "local t = {} for i = 1, 30 do t[i] = { y = i, s = i } end report.chart('line', t, { y = 'y', series = 's' })";
    assert_eq!(
        error_of(many).message,
        "script.lua:1: report.chart: a chart has at most 20 series, and '21' is one more"
    );
}

#[test]
fn a_column_that_no_row_has_is_warned_of() {
    assert_eq!(
        output(
            "print(report.csv({ { name = 'a' } }, { 'name', 'cost' })) print(report.csv({}, { 'x' }))"
        ),
        "warning: report: no row has the column 'cost'\nname,cost\na,\nx\n"
    );
}

#[test]
fn bytes_that_are_no_text_stay_or_are_shown() {
    assert_eq!(
        output("print(report.table({ { name = 'caf\\xe9' } }))"),
        "name\n-------\ncaf\\xe9\n"
    );
    assert_eq!(output("return #report.csv({ { name = 'caf\\xe9' } })"), "9");
}
