//! `run --html`: the page as a file, and in a real browser.

use std::path::Path;

use kael_tests::{Kael, Need, Ran, browsed, needs};

/// The page, which must be the only file that was written.
fn page(ran: &Ran) -> String {
    let names = std::fs::read_dir(ran.path()).expect("a folder").flatten();
    let drafts = names.filter(|entry| entry.file_name().to_string_lossy().starts_with(".kael"));
    assert_eq!(drafts.count(), 0);
    std::fs::read_to_string(ran.path().join("page.html")).expect("a page")
}

/// The address of a file, for a browser.
fn address(page: &Path) -> String {
    format!("file://{}", page.display())
}

/// Script markup in every place where a script can put text.
const HOSTILE: &str = r#"
local evil = [[</pre></title></svg><script>document.title = 'owned'</script><img src=x onerror="document.title='owned'">]]
local style = [[</style><style>body{display:none}</style><link rel=stylesheet href="http://127.0.0.1:1/x"><iframe src="file:///etc/passwd"></iframe>]]
print(evil)
print(style, '\0\27[31m\u{202e}')
report.table({ { [evil] = evil, b = style } }, nil, { title = evil })
for _, kind in ipairs { 'line', 'area', 'bar', 'scatter' } do
  report.chart(kind, { { x = evil, y = 1, s = style }, { x = '" onload="alert(1)', y = 2, s = evil } },
    { x = 'x', y = 'y', series = 's', title = evil, x_title = evil, y_title = '"><script>' })
end
report.chart('line', { { x = 1, y = 1 }, { x = 2, y = 3 } }, { x = 'x', title = '" onload="document.title=1' })
pcall(function() actions.t['<script>document.title=1</script>']({}) end)
actions.t.fail({})
"#;

#[test]
fn a_page_shows_the_tables_and_charts_of_a_run() {
    let ran = Kael::new()
        .shell("ok", "", r#"echo '{"n": 1}'"#)
        .run_with(&["--html", "page.html"])
        .script(
            "print('hello', actions.t.ok({}).n)\nprint(report.table({ { name = 'acme', cost = 12.5 } }, { 'name', 'cost' }, { title = 'Costs' }))\n\
             report.chart('bar', { { d = 'mon', v = 3 }, { d = 'tue', v = 5 } }, { x = 'd', title = 'Load' })",
        );
    ran.prints("hello\t1\nname  cost\n----  ----\nacme  12.5\n");
    let page = page(&ran);
    for part in [
        "<title>script.lua · Kael</title>",
        "<span class=\"badge good\">succeeded</span>",
        "<h3>Costs</h3><table><thead><tr><th>name</th><th class=\"right\">cost</th></tr></thead><tbody><tr><td>acme</td><td class=\"right\">12.5</td></tr></tbody></table>",
        "<h3>Load</h3>",
        "<pre>\nhello\t1\nname  cost\n",
        "<td>t.ok</td><td class=\"right\">1</td><td class=\"right\">0</td>",
        "aria-label=\"calls over the time of the run\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The page loads nothing and runs nothing.
    for part in [
        "<script", "src=", "href=", "url(", "@import", " style=", " on",
    ] {
        let tags = page
            .split('<')
            .skip(1)
            .map(|tag| tag.split('>').next().unwrap_or_default());
        assert!(
            tags.into_iter()
                .all(|tag| !format!("<{tag}").contains(part)),
            "{part}"
        );
    }
}

#[test]
fn no_text_of_a_script_is_markup_in_a_browser() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let ran = Kael::new()
        .shell(
            "fail",
            "",
            r#"echo '{"error": "</pre><script>document.title=1</script>"}'; exit 1"#,
        )
        .run_with(&["--html", "page.html"])
        .script(HOSTILE);
    ran.exits(6);
    let (dom, console) = browsed(&address(&ran.path().join("page.html")));
    assert!(dom.contains("<title>script.lua · Kael</title>"), "{dom}");
    for part in [
        "<script",
        "<img",
        "<iframe",
        "<link",
        "onerror=\"",
        "onload=\"",
        "<style>body",
    ] {
        let tags = dom
            .split('<')
            .skip(1)
            .map(|tag| tag.split('>').next().unwrap_or_default());
        assert!(
            tags.into_iter()
                .all(|tag| !format!("<{tag}").starts_with(part)),
            "{part}: {dom}"
        );
    }
    // All texts are there as text.
    assert!(
        dom.contains(
            "&lt;/pre&gt;&lt;/title&gt;&lt;/svg&gt;&lt;script&gt;document.title = 'owned'"
        ),
        "{dom}"
    );
    assert!(
        dom.contains("<h3>Error</h3><pre>t.fail failed: &lt;/pre&gt;&lt;script&gt;"),
        "{dom}"
    );
    assert_eq!(console, "");
}

#[test]
fn the_policy_of_a_page_holds_should_escaping_fail() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let ran = Kael::new()
        .run_with(&["--html", "page.html", "-e", "print('here')"])
        .ends();
    ran.exits(0);
    let page = page(&ran);
    // A script cannot do this: markup in the page itself.
    let broken = page.replace(
        "<main>",
        "<main><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><style>body{display:none}</style><b style=\"color:red\">x</b>",
    );
    let file = ran.path().join("broken.html");
    std::fs::write(&file, broken).expect("a file");
    let (dom, console) = browsed(&address(&file));
    assert!(
        dom.contains("<title>(command line) · Kael</title>"),
        "{dom}"
    );
    for refused in ["script", "style", "image"] {
        let said = console.lines().any(|line| {
            line.contains("Content Security Policy") && line.to_lowercase().contains(refused)
        });
        assert!(said, "{refused}: {console}");
    }
    // Only the page's own style is allowed.
    let (_, console) = browsed(&address(&ran.path().join("page.html")));
    assert_eq!(console, "");
}

#[test]
fn a_failed_run_has_a_page_too() {
    let ran = Kael::new()
        .run_with(&["--html", "page.html"])
        .script("print('before')\nlocal x = nil\nprint(x.y)");
    ran.exits(1);
    let told = page(&ran);
    for part in [
        "<span class=\"badge bad\">failed · exit code 1</span>",
        "<pre>script.lua:3: attempt to index a nil value (local &#39;x&#39;)\n  script.lua:3: in main chunk</pre>",
        "<pre>\nbefore\n</pre>",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let ran = Kael::new()
        .run_with(&["--html", "page.html", "--max-cpu", "200ms"])
        .script("while true do end");
    ran.exits(5);
    assert!(page(&ran).contains("Hint: --max-cpu allows more"));
    let ran = Kael::new().run_with(&["--html", "page.html"]).script("x =");
    ran.exits(1);
    assert!(page(&ran).contains("failed · exit code 1"));
}

#[test]
fn an_unwritable_page_is_reported_before_the_run() {
    for (file, told) in [
        ("missing/page.html", "entity not found"),
        (".", "it is a folder"),
    ] {
        let ran = Kael::new()
            .run_with(&["--html", file])
            .script("print('ran')");
        ran.fails(
            2,
            &format!("Error: the page cannot be written to `{file}`: {told}\n"),
        );
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_page_takes_the_place_of_another_at_once() {
    let ran = Kael::new()
        .file("page.html", "old")
        .run_with(&[
            "--html",
            "page.html",
            "--json",
            "-e",
            "print('new') return 1",
        ])
        .ends();
    ran.exits(0);
    assert!(ran.stdout.contains("\"output\": \"new\\n\""));
    assert!(page(&ran).contains("<pre>\nnew\n</pre>"));
}

#[test]
fn reports_cost_little_where_no_page_is_wanted() {
    Kael::new()
        .script("for i = 1, 300 do report.chart('line', { { y = i } }) end print(report.table({ { a = 1 } }))")
        .prints("a\n-\n1\n");
    // Items that do not fit on a page are counted.
    let ran = Kael::new()
        .run_with(&["--html", "page.html"])
        .script("for i = 1, 250 do report.chart('line', { { y = i } }) end");
    ran.exits(0);
    assert!(page(&ran).contains("50 more tables and charts found no room on this page."));
}
