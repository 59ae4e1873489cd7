//! The libraries that touch nothing: they need no grant.

use kael_tests::Kael;

fn prints(script: &str, expected: &str) {
    let ran = Kael::new().script(script);
    assert_eq!(ran.stderr, "");
    ran.exits(0).prints(expected);
}

#[test]
fn base64_is_binary_safe_in_both_alphabets() {
    prints(
        "for _, s in ipairs { '', 'a', 'ab', 'abc', '\\xff\\xfe\\0' } do
           assert(base64.decode(base64.encode(s)) == s and base64.decode(base64.encode(s, { url = true })) == s)
         end
         print(base64.encode('\\xff\\xfe\\xfd'), base64.encode('\\xff\\xfe', { url = true }), base64.decode('aGk'))
         print(pcall(base64.decode, 'a*'), (select(2, pcall(base64.decode, 'a'))))",
        "//79\t__4\thi\nfalse\tbase64.decode: the text is cut short\n",
    );
}

#[test]
fn yaml_and_toml_are_read_and_written() {
    prints(
        "local t = yaml.parse('a: [1, x]\\nb: {c: null, d: yes}\\n')
         print(t.a[2], t.b.c, t.b.d, #yaml.parse_all('1\\n---\\n2\\n---\\n'))
         local value = { list = { 1, { x = 'y: z', n = {} } }, text = 'no', empty = json.array(), s = 'a\\nb', f = 1.5, ok = true }
         assert.eq(yaml.parse(yaml.encode(value)), value)
         print((yaml.encode({ a = { 1, { b = 'c' } }, d = 'true' })))
         local doc = { name = 'x', n = 1, t = { a = { 1, 2 }, u = { v = 'w\"' } } }
         assert.eq(toml.parse(toml.encode(doc)), doc)
         print(toml.parse('at = 2026-01-02T03:04:05Z').at)",
        "x\tnil\tyes\t2\na:\n  - 1\n  - b: c\nd: \"true\"\n\n2026-01-02T03:04:05Z\n",
    );
}

#[test]
fn regular_expressions_find_and_replace() {
    prints(
        "print(regex.match('abc', 'b.'), regex.match('abc', '^b'), tostring(regex.find('x12y', '\\\\d+')), regex.find('x', '\\\\d'))
         print(regex.find('k=v', '(\\\\w)=(\\\\w)').groups[2], table.concat(regex.find_all('a1b22', '\\\\d+'), ' '))
         print(regex.replace('ä1 b2', '(\\\\w)(\\\\d)', '$2$1'), regex.replace('aaa', 'a', function(m) return m.match .. '.' end))",
        "true\tfalse\t12\tnil\nv\t1 22\n1ä 2b\ta.a.a.\n",
    );
    let ran = Kael::new().script("regex.match('x', '(')");
    ran.exits(1).says("regex.match: ");
}

#[test]
fn assertions_say_what_differs() {
    prints(
        "assert.eq({ a = { 1 } }, { a = { 1 } }) assert.ne(1, 2) assert.gt(2, 1) assert.lt(1, 2) assert.contains('abc', 'b')
         assert.not_nil(false) assert.matches('a1', '%d')
         print(select(2, pcall(function() assert.eq('a', 'b', 'why') end)))
         print(select(2, pcall(function() assert.gt(1, 2) end)))",
        "script.lua:3: assert.eq failed: \"a\" != \"b\" - why\nscript.lua:4: assert.gt failed: 1 is not > 2\n",
    );
}

#[test]
fn lines_of_a_log_are_shown_by_their_level() {
    let ran = Kael::new()
        .script("log.info('started', { n = 1 }) log.warn('\\27[2Jodd') print(math.type(time()), #('a b'):split())");
    ran.exits(0);
    assert_eq!(ran.stdout, "float\t2\n");
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    ran.says("odd");
}
