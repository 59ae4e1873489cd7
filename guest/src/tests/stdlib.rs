//! The libraries and modules that the host brings, and the small functions beside them.

use super::{error_of, output};

/// The host's Lua: one library, and one module.
pub(super) fn source(name: &str) -> String {
    let source = match name {
        "http" => {
            "local kael = ... return { get = function(url) return kael.act('t.echo', { url = url }) end, n = string.rep('x', 2) }"
        }
        "yaml" => {
            "local kael = ... return { parse = function(text) local ok, all = kael.yaml(text) return ok and all[1] or all end }"
        }
        "toml" => {
            "local kael = ... return { parse = function(text) return select(2, kael.toml(text)) end }"
        }
        "crypto" => {
            "local kael = ... return { digest = function(...) local made, names = kael.digest(...) return made and #made or names end }"
        }
        "assert" => "return { eq = function(a, b) return a == b end }",
        "assay.x" => "local kael, name = ... return { name = name, env = _ENV.actions == nil }",
        _ => return "null".to_owned(),
    };
    serde_json::to_string(source).expect("a text")
}

#[test]
fn a_library_fills_itself_when_it_is_first_used() {
    let script = "string.rep = nil
        local url = http.get('u').url
        local names = {}
        for name in pairs(http) do names[#names + 1] = name end
        table.sort(names)
        return { url, http.n, names, getmetatable(http).__index == nil }";
    assert_eq!(output(script), r#"["u","xx",["get","n"],true]"#);
    let own = "http.mine = 1 return { http.mine, type(http.get), http.none == nil }";
    assert_eq!(output(own), r#"[1,"function",true]"#);
}

#[test]
fn a_library_that_the_host_lacks_says_so() {
    let error = error_of("return fs.read('x')");
    assert!(
        error
            .message
            .ends_with("fs: this program was built without it"),
        "{}",
        error.message
    );
}

#[test]
fn a_module_of_the_host_is_found_behind_those_of_the_repo() {
    let script = "local x = require('assay.x') return { x.name, x.env, require('assay.x') == x }";
    assert_eq!(output(script), r#"["assay.x",true,true]"#);
    let error = error_of("require('assay.y')").message;
    assert!(
        error.starts_with("script.lua:1: module 'assay.y' not found"),
        "{error}"
    );
}

#[test]
fn assert_is_luas_own_and_has_functions() {
    let script = "local function message(...) return select(2, pcall(assert, ...)) end
        local function here() assert(1 == 2) end
        local t = {}
        return { assert(1, 2), select('#', assert(true, nil)), message(false), message(nil, 'm'), message(false, t) == t,
          select(2, pcall(here)), assert.eq(1, 1) }";
    assert_eq!(
        output(script),
        r#"[1,2,"assertion failed!","m",true,"script.lua:2: assertion failed!",true]"#
    );
}

#[test]
fn texts_are_split_and_time_has_fractions() {
    let script = "return { string.split('a,,b', ','), ('  a b '):split(), string.split('', ','), #(''):split(),
        math.type(time()), json.parse('[1]')[1] }";
    assert_eq!(
        output(script),
        r#"[["a","","b"],["a","b"],[""],0,"float",1]"#
    );
}

#[test]
fn bytes_have_digests() {
    let script = r"return { crypto.digest('sha256', nil, 'a\0b'), crypto.digest('sha3-512', 'key', ''), crypto.digest('x', nil, '') }";
    assert_eq!(
        output(script),
        r#"[32,64,"md5, sha1, sha224, sha256, sha384, sha512, sha3-224, sha3-256, sha3-384, sha3-512"]"#
    );
}

#[test]
fn yaml_and_toml_are_read_as_lua_values() {
    let script = r"return { yaml.parse('a: [1, ~, x]\nb: {}').a, yaml.parse('a: [').a == nil, yaml.parse('\xff'),
        toml.parse('x = 1.5').x, toml.parse('x =') }";
    assert_eq!(
        output(script),
        r#"[[1,null,"x"],true,"byte 1 is not UTF-8",1.5,"line 1: string values must be quoted, expected literal string"]"#
    );
}
