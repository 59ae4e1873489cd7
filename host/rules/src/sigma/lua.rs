//! Writes a translated rule as a predicate.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::condition::Condition;
use super::value::{Test, quoted};
use super::{FieldTest, Search};
use crate::schema::FieldType;

/// What every translated predicate begins with.
const HEAD: &str = r#"local text, integer, has, re_match = kestrel.event_get_str, kestrel.event_get_i64, kestrel.event_has, kestrel.re_match
local lower, find, sub = string.lower, string.find, string.sub

local function contains(value, part) return find(value, part, 1, true) ~= nil end
local function starts(value, part) return sub(value, 1, #part) == part end
local function ends(value, part) return part == "" or sub(value, -#part) == part end
local function is(value, other) return value == other end
local function matches(value, number) return re_match(number, value) end
local function any(test, value, list)
  for i = 1, #list do
    if test(value, list[i]) then return true end
  end
  return false
end
local function all(test, value, list)
  for i = 1, #list do
    if not test(value, list[i]) then return false end
  end
  return true
end
"#;

/// What predicates with address blocks have, too.
const BLOCKS: &str = r#"
-- The bytes of an address, or nothing.
local function address(value)
  if find(value, ".", 1, true) and not find(value, ":", 1, true) then
    local a, b, c, d = value:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
    a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
    if not d or a > 255 or b > 255 or c > 255 or d > 255 then return nil end
    return string.char(a, b, c, d)
  end
  local head, tail = value:match("^(.-)::(.*)$")
  local function groups(part)
    local out = {}
    for group in (part or ""):gmatch("[^:]+") do
      local number = #group <= 4 and tonumber(group, 16)
      if not number then return nil end
      out[#out + 1] = string.char(number >> 8, number & 255)
    end
    return out
  end
  local first, last = groups(head or value), groups(tail)
  if not first or not last then return nil end
  local missing = 8 - #first - #last
  if head and missing < 1 or not head and missing ~= 0 then return nil end
  return table.concat(first) .. ("\0\0"):rep(missing) .. table.concat(last)
end
local function within(value, block)
  local bytes = address(value)
  if not bytes or #bytes ~= #block[1] then return false end
  local whole, rest = block[2] // 8, block[2] % 8
  if sub(bytes, 1, whole) ~= sub(block[1], 1, whole) then return false end
  return rest == 0 or bytes:byte(whole + 1) >> (8 - rest) == block[1]:byte(whole + 1) >> (8 - rest)
end
"#;

/// An address block as a literal of Lua: its bytes, and how many bits count.
pub(super) fn block(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    let bytes: Vec<u8> = match address.parse().ok()? {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    if bits as usize > bytes.len() * 8 {
        return None;
    }
    let digits: String = bytes.iter().map(|byte| format!("\\{byte:03}")).collect();
    Some(format!("{{ \"{digits}\", {bits} }}"))
}

/// The predicate of a rule, and its regular expressions.
pub(super) fn predicate(
    title: &str,
    searches: &[Search],
    condition: &Condition,
) -> (String, Vec<String>) {
    let mut writer = Writer {
        lists: String::new(),
        count: 0,
        regexes: Vec::new(),
        has_blocks: false,
    };
    let mut body = String::from("local S = {}\n");
    for (at, search) in searches.iter().enumerate() {
        let alternatives: Vec<String> = search
            .0
            .iter()
            .map(|fields| {
                let each: Vec<String> = fields.iter().map(|field| writer.field(field)).collect();
                match each.is_empty() {
                    true => "true".to_owned(),
                    false => each.join("\n    and "),
                }
            })
            .collect();
        let whole = match alternatives.as_slice() {
            [] => "false".to_owned(),
            [one] => one.clone(),
            many => format!("({})", many.join(")\n    or (")),
        };
        _ = writeln!(body, "S[{}] = function(e)\n  return {whole}\nend", at + 1);
    }
    let condition = expression(condition);
    let title: String = title
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let blocks = if writer.has_blocks { BLOCKS } else { "" };
    let lists = match writer.count {
        0 => String::new(),
        _ => format!("local V = {{}}\n{}", writer.lists),
    };
    let text = format!(
        "-- {title}: translated from Sigma by `kael-host rules import`.\n{HEAD}{blocks}\n{lists}{body}\n\
         function pred_eval(e)\n  return {condition}\nend\n"
    );
    (text, writer.regexes)
}

struct Writer {
    /// Lists of texts, as statements.
    lists: String,
    count: usize,
    regexes: Vec<String>,
    has_blocks: bool,
}

impl Writer {
    fn list(&mut self, elements: &[String]) -> String {
        self.count += 1;
        _ = writeln!(
            self.lists,
            "V[{}] = {{ {} }}",
            self.count,
            elements.join(", ")
        );
        format!("V[{}]", self.count)
    }

    fn regex(&mut self, pattern: &str) -> usize {
        // Each has one line in the file of patterns.
        let pattern = pattern.replace('\n', "\\n").replace('\r', "\\r");
        if let Some(at) = self.regexes.iter().position(|known| *known == pattern) {
            return at + 1;
        }
        self.regexes.push(pattern);
        self.regexes.len()
    }

    /// The test of a field as an expression in brackets.
    fn field(&mut self, field: &FieldTest) -> String {
        let id = field.id;
        let is_number = matches!(field.kind, FieldType::I64 | FieldType::U64);
        let plain = match is_number {
            true => format!("(has(e, {id}) and tostring(integer(e, {id})) or \"\")"),
            false if field.kind == FieldType::String => format!("text(e, {id})"),
            false => format!("tostring(kestrel.event_get(e, {id}) or \"\")"),
        };
        let value = match field.cased {
            true => plain.clone(),
            false => format!("lower({plain})"),
        };
        self.tests(id, [&plain, &value], &field.tests, field.all)
    }

    /// Tests of a field, of which one or all must hold. `value` is what is compared without case, unless case counts.
    fn tests(
        &mut self,
        id: u32,
        [plain, value]: [&str; 2],
        tests: &[Test],
        is_all: bool,
    ) -> String {
        let mut parts = Vec::new();
        // By kind, so that a list of a hundred texts is one loop.
        let mut groups: Vec<(&'static str, Vec<String>)> = Vec::new();
        let mut tests: Vec<&Test> = tests.iter().rev().collect();
        while let Some(test) = tests.pop() {
            let (name, literal) = match test {
                // Spellings of a value are alternatives, also where all values must be there.
                Test::Any(spelled) if is_all => {
                    parts.push(self.tests(id, [plain, value], spelled, false));
                    continue;
                }
                Test::Any(spelled) => {
                    tests.extend(spelled.iter().rev());
                    continue;
                }
                Test::Is(text) => ("is", quoted(text)),
                Test::Contains(text) => ("contains", quoted(text)),
                Test::Starts(text) => ("starts", quoted(text)),
                Test::Ends(text) => ("ends", quoted(text)),
                Test::Matches(pattern) => ("matches", self.regex(pattern).to_string()),
                Test::Within(block) => {
                    self.has_blocks = true;
                    ("within", block.clone())
                }
                Test::Number(number) => {
                    parts.push(format!("(has(e, {id}) and integer(e, {id}) == {number})"));
                    continue;
                }
                Test::Compare(sign, number) => {
                    parts.push(format!(
                        "(has(e, {id}) and integer(e, {id}) {sign} {number})"
                    ));
                    continue;
                }
                Test::Exists(true) => {
                    parts.push(format!("has(e, {id})"));
                    continue;
                }
                Test::Exists(false) => {
                    parts.push(format!("not has(e, {id})"));
                    continue;
                }
            };
            match groups.iter_mut().find(|(known, _)| *known == name) {
                Some((_, list)) => list.push(literal),
                None => groups.push((name, vec![literal])),
            }
        }
        for (name, list) in groups {
            // Patterns say themselves whether case counts.
            let value = if name == "matches" { plain } else { value };
            parts.push(match list.as_slice() {
                [one] if name == "is" => format!("{value} == {one}"),
                [one] if name == "matches" => format!("re_match({one}, {value})"),
                [one] => format!("{name}({value}, {one})"),
                many => {
                    let list = self.list(many);
                    let quantity = if is_all { "all" } else { "any" };
                    format!("{quantity}({name}, {value}, {list})")
                }
            });
        }
        match parts.as_slice() {
            [] => "true".to_owned(),
            [one] => format!("({one})"),
            many => format!("({})", many.join(if is_all { " and " } else { " or " })),
        }
    }
}

fn expression(condition: &Condition) -> String {
    let joined = |all: &[Condition], word: &str| {
        let each: Vec<String> = all.iter().map(expression).collect();
        match each.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(word)),
        }
    };
    match condition {
        Condition::Search(at) => format!("S[{}](e)", at + 1),
        Condition::Not(inner) => format!("not {}", expression(inner)),
        Condition::And(all) => joined(all, " and "),
        Condition::Or(all) => joined(all, " or "),
        Condition::AtLeast(count, some) => {
            let each: Vec<String> = some.iter().map(|at| format!("S[{}](e)", at + 1)).collect();
            if *count == 1 {
                return format!("({})", each.join(" or "));
            }
            if *count == some.len() {
                return format!("({})", each.join(" and "));
            }
            let terms = each.iter().map(|one| format!("({one} and 1 or 0)"));
            format!("({} >= {count})", terms.collect::<Vec<_>>().join(" + "))
        }
    }
}
