//! The image of a repo: which have one, and that no script can tell it from the repo evaluated
//! again. `run_in` compares both in every test of this crate that runs a script.

use super::{module, run_in};

type Files<'a> = &'a [(&'a str, &'a str, &'a str)];

fn modules(files: Files<'_>) -> Vec<super::Module> {
    files
        .iter()
        .map(|(name, path, text)| module(name, path, text))
        .collect()
}

fn has_image(files: Files<'_>) -> bool {
    super::image(&modules(files)).expect("it loads").is_some()
}

const TREE: Files<'_> = &[
    (
        "init",
        "init.lua",
        "local defaults = require('defaults')
         local t = { echo = require('t.echo'), fail = define_action { defaults = defaults } }
         return { t = t, zalso = t.echo, twice = t, version = 7, [1] = 'one', ratio = 0.1, whole = 3.0, least = -0.0,
           on = true, off = false, words = { 'a', 'b', deep = { 'é\\n\\0\"' } }, list = require('empty'),
           lists = { three = { 'x', 'y', 'z' }, seven = { 1, 2, 3, 4, 5, 6, false } } }",
    ),
    ("defaults", "defaults.lua", "return { retries = 3, 1 << 62, 1e300 }"),
    ("t.echo", "t/echo.lua", "return define_action {}"),
    ("empty", "empty/init.lua", "return {}"),
    ("quiet", "quiet.lua", "local x = 1"),
    ("unused", "unused.lua", "UNUSED = (UNUSED or 0) + 1 return { n = UNUSED, name = ... }"),
];

/// Everything that can be seen of the tree and of the modules.
const LOOK: &str = r#"
local seen, out = {}, {}
local function look(value, path, depth)
  local text = type(value)
  if text == "table" then
    if seen[value] then out[#out + 1] = path .. " is " .. seen[value] return end
    seen[value] = path
    local names = {}
    for key in next, value do names[#names + 1] = key end
    table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
    out[#out + 1] = path .. " " .. #names .. " " .. #value
    for _, key in ipairs(names) do look(value[key], path .. "." .. tostring(key)) end
    local mt = getmetatable(value)
    if mt then look(mt, path .. "!") end
  elseif text == "function" then
    if seen[value] then out[#out + 1] = path .. " is " .. seen[value] return end
    seen[value] = path
    out[#out + 1] = path .. " function " .. tostring(select(2, pcall(value, 1, 2)))
  else
    out[#out + 1] = path .. " " .. text .. " " .. tostring(value) .. tostring(math.type(value) or "")
  end
end
"#;

#[test]
fn what_is_nothing_but_actions_and_plain_data_has_an_image() {
    assert!(has_image(TREE));
    assert!(has_image(&[("init", "init.lua", "return {}")]));
    // What is looked up and computed while it loads leaves nothing.
    let busy = "local all = {}
        for i = 1, 3 do all[('a%d'):format(i)] = define_action { params = { x = json.decode('1') } } end
        pcall(error, { 1 }) pcall(load, 'x =') table.sort({ 3, 1 }) string.rep('x', 10)
        local co = coroutine.wrap(function() coroutine.yield(1) end) co()
        parallel(function() return 1 end) inspect(all) jq({}, '.')
        return all";
    assert!(has_image(&[("init", "init.lua", busy)]));
}

/// Scripts below that end with an error.
const FAILING: &[&str] = &[
    "actions.t.ehco {}",
    "actions.t.fail {}",
    "actions.t.echo(5)",
    "local _ = actions[2]",
    "local _ = actions.words[3]",
    "define_action {}",
    "package.loaded['t.echo'] = nil require('t.echo')",
    "require('nowhere')",
    "local function deep() actions.t.fail { why = 'x' } end deep()",
];

#[test]
fn scripts_see_the_same() {
    assert!(has_image(TREE));
    let modules = modules(TREE);
    let scripts = [
        "look(actions, 'actions')",
        "look(package.loaded.defaults, 'defaults') look(package.loaded['t.echo'], 'echo') look(actions, 'actions')",
        "out = { rawequal(actions.t.echo, actions.zalso), rawequal(actions.twice, actions.t), rawequal(require('init'), actions),
           rawequal(require('t.echo'), actions.zalso), rawequal(require('empty'), actions.list) }",
        "out = { actions.t.echo { x = 1 }, actions.zalso {}, actions.has('t.echo'), actions.has('zalso'), actions.has('twice.echo'),
           actions.has('t'), actions.has('version'), actions.has() }",
        "out = {} for _, f in ipairs { 't.ecoh', 'alsi', 'wrods', 't.fail.x' } do
           out[#out + 1] = tostring(select(2, pcall(function() local at = actions for key in f:gmatch('[^.]+') do at = at[key] end end))) end",
        "actions.t.ehco {}",
        "actions.t.fail {}",
        "actions.t.echo(5)",
        "local _ = actions[2]",
        "local _ = actions.words[3]",
        "define_action {}",
        "actions.t.fail = nil actions.t.new = 1 look(actions, 'actions')",
        "out = { require('unused').n, require('unused').name, UNUSED, select('#', require('unused')), require('quiet') }",
        "package.loaded.defaults = nil look(require('defaults'), 'defaults')",
        "package.loaded['t.echo'] = nil require('t.echo')",
        "package.loaded.unused = 5 out = { require('unused') }",
        "require('nowhere')",
        "out = {} for name in next, package.loaded do out[#out + 1] = name end table.sort(out)",
        "out = {} for name in next, _G do out[#out + 1] = name end table.sort(out)",
        "for _, list in ipairs { actions.lists.three, actions.lists.seven } do
           for key, value in pairs(list) do out[#out + 1] = key .. '=' .. tostring(value) end out[#out + 1] = #list end",
        "getmetatable(json.array()).__index = function() error('mine') end out = { actions.has('t.echo'), actions.has('x') }",
        "out = { collectgarbage('incremental'), collectgarbage('isrunning') }",
        "out = { parallel(actions.t.echo, function() return actions.zalso { n = 2 } end) }",
        "local function deep() actions.t.fail { why = 'x' } end deep()",
    ];
    for script in scripts {
        let source = format!("{LOOK}{script}\nreturn out");
        // Compares; what it says is asserted elsewhere.
        let ended = run_in(&modules, &source);
        let fails = FAILING.contains(&script);
        assert_eq!(ended.is_err(), fails, "{script}: {ended:?}");
    }
    let seen = run_in(&modules, &format!("{LOOK}look(actions, 'a') return out")).expect("runs");
    assert!(seen.contains("whole number 3.0float"), "{seen}");
    for part in [
        "a.words.1 string a",
        "a.words.deep 1 1",
        "a.zalso is a.t.echo",
        "a.version number 7integer",
    ] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
}

#[test]
fn what_scripts_could_tell_from_it_has_none() {
    let repos = [
        // Values that are no actions and no plain data.
        "return { f = function() end }",
        "return { keep = define_action }",
        "return { s = string }",
        "return { n = json.null }",
        "return { l = json.array() }",
        "return { co = coroutine.create(print) }",
        "return setmetatable({}, {})",
        "return { t = setmetatable({}, { __index = string }) }",
        "return { [1.5] = 1 }",
        "return { [0] = 1 }",
        "return { l = { 1, nil, 3 } }",
        "return { l = { [3] = 1 } }",
        "return { [{}] = 1 }",
        "return { [true] = 1 }",
        "return { x = 0/0 }",
        "return { x = 1/0 }",
        "return { x = '\\xff' }",
        "return { ['\\xff'] = 1 }",
        "package.loaded.x = define_action {} return {}",
        "package.loaded.x = print return {}",
        "package.loaded[1] = 1 return {}",
        // Things of the runtime's that are not as they were.
        "X = 1 return {}",
        "print = nil return {}",
        "string.trim = string.upper return {}",
        "string.upper = nil return {}",
        "math.pi = 3 return {}",
        "package.preload.x = print return {}",
        "package.loaded.string = nil return {}",
        "package.loaded.string = 1 return {}",
        "arg = {} return {}",
        "setmetatable(_G, {}) return {}",
        "setmetatable(string, {}) return {}",
        "getmetatable('').__index = nil return {}",
        "getmetatable('').__add = print return {}",
        "getmetatable(json.array()).x = 1 return {}",
        // Things that it did.
        "print('loading') return {}",
        "math.random() return {}",
        "math.randomseed(1) return {}",
        "collectgarbage('generational') return {}",
        "collectgarbage('stop') return {}",
        "collectgarbage('param', 'pause', 400) return {}",
        "setmetatable({}, { __gc = function() print('late') end }) return {}",
        "setmetatable({}, { __gc = function() X = 1 end }) return {}",
        // A place in an error that only the one who watches lines knows.
        "local _, e = pcall(function() return json.decode('{') end) return { e = e }",
        // Too much of it.
        "local t = {} for i = 1, 30000 do t[i] = i end return t",
        "return { x = ('x'):rep(2 << 20) }",
        "local t = {} local at = t for i = 1, 150 do local n = ('x'):rep(9999) at[n] = {} at = at[n] end return t",
    ];
    for repo in repos {
        assert!(!has_image(&[("init", "init.lua", repo)]), "{repo}");
    }
    let large = format!("return {{}} --{}", "x".repeat(2 << 20));
    assert!(!has_image(&[("init", "init.lua", &large)]));
}

#[test]
fn a_deep_tree_is_drawn_without_recursion() {
    let deep = "local t = {} local at = t for i = 1, 150 do at.n = {} at = at.n end at.leaf = define_action {} return t";
    let modules = modules(&[("init", "init.lua", deep)]);
    assert!(has_image(&[("init", "init.lua", deep)]));
    let source =
        "local at, n = actions, 0 while rawget(at, 'n') do at, n = at.n, n + 1 end return n";
    assert_eq!(run_in(&modules, source).expect("runs"), "150");
}
