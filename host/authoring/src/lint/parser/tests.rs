use super::*;

fn globals(source: &str) -> Vec<String> {
    let facts = read(source).unwrap_or_else(|| panic!("not read: {source}"));
    facts
        .reads
        .into_iter()
        .filter(|read| !read.asked)
        .map(|read| read.name)
        .collect()
}

#[test]
fn names_are_resolved_by_scope() {
    for (source, expected) in [
        ("local x = x; print(x)", &["x", "print"][..]),
        ("do local x = 1 end return x", &["x"]),
        ("local function f(a, ...) return f(a, ...) end", &[]),
        (
            "for i = a, b do print(i) end return i",
            &["a", "b", "print", "i"],
        ),
        ("for k, v in pairs(t) do k = v end", &["pairs", "t"]),
        ("repeat local done = f() until done", &["f"]),
        ("function t.a:b(c) self.x = c end", &[]),
        ("local t = {} function t:m() return self, y end", &["y"]),
        ("x, t.y = 1, 2", &["t"]),
        ("if a and b == c or not d then e() end", &["e"]),
        ("if a then elseif b then c() else d() end", &["c", "d"]),
        ("goto out ::out:: local a <const>, b <close> = c", &["c"]),
        ("local function f(...rest) return rest, ... end", &[]),
        ("local x = 1 do global x = y; x = 2 end", &["y"]),
        ("global <const> * ; print(x)", &["print", "x"]),
        (
            "global function g() return g end local global = 1; return global",
            &["g"],
        ),
        (
            "return a.b['c'].d, (e).f, g:h 's', i{ j = k, [l] = m; n }, #o, -p, ~q",
            &["a", "e", "g", "k", "l", "m", "n", "i", "o", "p", "q"],
        ),
        (
            "return type(maybe) == 'nil', unpack or table.unpack",
            &["type", "table"],
        ),
    ] {
        let mut found = globals(source);
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{source}");
    }
}

#[test]
fn unreadable_scripts_are_given_up() {
    for source in ["local", "f(", "x = = 1", "end", "return 1 2", "a.1"] {
        assert!(read(source).is_none(), "{source}");
    }
    let deep = format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(read(&deep).is_none());
}

#[test]
fn a_script_of_too_many_names_is_given_up_for_that_reason() {
    let text = "x = y\n".repeat(MAX_NAMES);
    assert_eq!(facts(&text).err(), Some(Unread::TooManyNames));
    assert_eq!(facts("x = = y").err(), Some(Unread::Unknown));
}

#[test]
fn no_text_is_too_strange_to_be_given_up() {
    let text = "#!x\nlocal a <const>, b = 0x1p-2, 'é\\u{48}\\x41\\065\\z  x' goto x ::x:: global function f(...n) return n.a[b](1, ...) end \
        for i = 1, #t do t[i] = { a = -1; [2] = not b, [[long]], [==[é]==] } end --[[ c ]] repeat local y = a:b 's' { } until y";
    assert!(read(text).is_some());
    let odd = [
        "", "\"", "'", "[[", "[=", "\\", "\\x", "\\u{", "é", "\u{feff}", "(", "{", "--[[", "0x",
        "1e", "...", "end", "=", "<",
    ];
    for at in text.char_indices().map(|(at, _)| at) {
        read(&text[..at]);
        for odd in odd {
            read(&format!("{}{odd}{}", &text[..at], &text[at..]));
        }
    }
}

#[test]
fn chains_of_any_length_are_read() {
    let long = format!(
        "return 1{}{}",
        "+x".repeat(90_000),
        " .. f()".repeat(90_000)
    );
    assert!(read(&long).is_some());
    let chain = format!("return a{}", ".b()".repeat(190_000));
    assert!(read(&chain).is_some());
}
