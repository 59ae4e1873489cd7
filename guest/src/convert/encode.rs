//! A Lua value to JSON text. What JSON cannot hold is an error that names its place: `$.rows[3].value`.

use std::fmt::Write as _;

use mlua::Value;
use mlua::prelude::*;

use super::{Arrays, MAX_DEPTH};

/// Encodes a value; object keys come sorted, so equal values have equal text.
pub(crate) fn encode(
    lua: &Lua,
    arrays: &Arrays,
    value: &Value,
    pretty: bool,
) -> Result<String, String> {
    let mut encoder = Encoder {
        lua,
        arrays,
        out: Vec::new(),
        path: Vec::new(),
        open: Vec::new(),
        pretty,
    };
    encoder.value(value)?;
    String::from_utf8(encoder.out).map_err(|_| "the text is not UTF-8".to_owned())
}

/// Encodes the parameters of an action.
pub(crate) fn encode_params(lua: &Lua, arrays: &Arrays, params: &Value) -> Result<String, String> {
    encode(lua, arrays, params, false).map_err(|problem| format!("parameter {problem}"))
}

enum Step {
    Key(LuaString),
    Index(usize),
}

struct Encoder<'a> {
    lua: &'a Lua,
    arrays: &'a Arrays,
    out: Vec<u8>,
    /// The way from the root to the value at hand.
    path: Vec<Step>,
    /// The tables on that way: one that is met again is a cycle.
    open: Vec<*const std::ffi::c_void>,
    pretty: bool,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Nil => self.put(b"null"),
            value if *value == Value::NULL => self.put(b"null"),
            Value::Boolean(true) => self.put(b"true"),
            Value::Boolean(false) => self.put(b"false"),
            Value::Integer(integer) => self.scalar(integer),
            Value::Number(number) if number.is_finite() => self.scalar(number),
            Value::Number(number) => {
                let what = if number.is_nan() { "NaN" } else { "infinity" };
                Err(self.refuse(&format!("is {what}, which JSON cannot hold")))
            }
            Value::String(text) => self.string(text),
            Value::Table(table) => self.table(table),
            other => Err(self.refuse(&format!(
                "is a {}, which JSON cannot hold",
                other.type_name()
            ))),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.out.try_reserve(bytes.len()).is_err() {
            // Lua may hold what is no longer needed; when that does not help, the run is over its limit.
            self.lua
                .gc_collect()
                .map_err(|problem| problem.to_string())?;
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn scalar<T: serde::Serialize>(&mut self, value: &T) -> Result<(), String> {
        serde_json::to_writer(&mut self.out, value).map_err(|problem| problem.to_string())
    }

    fn string(&mut self, text: &LuaString) -> Result<(), String> {
        let bytes = text.as_bytes();
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(self.refuse("is a string that is not UTF-8"));
        };
        self.out
            .try_reserve(text.len() + 2)
            .or_else(|_| self.lua.gc_collect())
            .map_err(|problem| problem.to_string())?;
        self.scalar(&text)
    }

    fn table(&mut self, table: &LuaTable) -> Result<(), String> {
        let pointer = table.to_pointer();
        if self.open.contains(&pointer) {
            return Err(self.refuse("contains itself"));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(self.refuse(&format!("nests deeper than {MAX_DEPTH}")));
        }
        self.open.push(pointer);
        match self.classify(table)? {
            Shape::Array(length) => self.array(table, length)?,
            Shape::Object(keys) => self.object(table, keys)?,
        }
        self.open.pop();
        Ok(())
    }

    /// Looks at every key: 1 to n make an array, strings an object, and anything else has no JSON.
    fn classify(&mut self, table: &LuaTable) -> Result<Shape, String> {
        let length = table.raw_len();
        let marked = self.arrays.is_marked(table);
        let mut keys = Vec::new();
        let mut indices = 0;
        for pair in table.pairs::<Value, Value>() {
            match pair.map_err(|problem| problem.to_string())?.0 {
                Value::String(key) => {
                    if marked || indices > 0 {
                        return Err(self.refuse("mixes a list with named keys"));
                    }
                    keys.push(key);
                }
                Value::Integer(index) if index >= 1 && index as u64 <= length as u64 => {
                    if !keys.is_empty() {
                        return Err(self.refuse("mixes a list with named keys"));
                    }
                    indices += 1;
                }
                Value::Integer(index) => {
                    return Err(self.refuse(&format!(
                        "is a list with a hole: it has [{index}] after {length} elements"
                    )));
                }
                other => {
                    return Err(self.refuse(&format!(
                        "has a key that is a {}, and JSON keys are strings",
                        other.type_name()
                    )));
                }
            }
        }
        if indices != length {
            return Err(self.refuse(&format!(
                "is a list with a hole: {indices} of {length} elements are there"
            )));
        }
        if marked || length > 0 {
            return Ok(Shape::Array(length));
        }
        #[expect(
            clippy::unnecessary_sort_by,
            reason = "a key would borrow from what is moved"
        )]
        keys.sort_unstable_by(|a, b| a.as_bytes().cmp(&b.as_bytes()));
        Ok(Shape::Object(keys))
    }

    fn array(&mut self, table: &LuaTable, length: usize) -> Result<(), String> {
        self.put(b"[")?;
        for index in 1..=length {
            self.separate(index == 1)?;
            self.path.push(Step::Index(index));
            let value: Value = table
                .raw_get(index)
                .map_err(|problem| problem.to_string())?;
            self.value(&value)?;
            self.path.pop();
        }
        self.close(length == 0, b"]")
    }

    fn object(&mut self, table: &LuaTable, keys: Vec<LuaString>) -> Result<(), String> {
        self.put(b"{")?;
        let empty = keys.is_empty();
        for (at, key) in keys.into_iter().enumerate() {
            self.separate(at == 0)?;
            let value: Value = table.raw_get(&key).map_err(|problem| problem.to_string())?;
            self.path.push(Step::Key(key.clone()));
            self.string(&key)?;
            self.put(if self.pretty { b": " } else { b":" })?;
            self.value(&value)?;
            self.path.pop();
        }
        self.close(empty, b"}")
    }

    fn separate(&mut self, first: bool) -> Result<(), String> {
        if !first {
            self.put(b",")?;
        }
        if self.pretty {
            self.new_line(self.open.len())
        } else {
            Ok(())
        }
    }

    fn close(&mut self, empty: bool, bracket: &[u8]) -> Result<(), String> {
        if self.pretty && !empty {
            self.new_line(self.open.len() - 1)?;
        }
        self.put(bracket)
    }

    fn new_line(&mut self, indent: usize) -> Result<(), String> {
        self.put(b"\n")?;
        (0..indent).try_for_each(|_| self.put(b"  "))
    }

    fn refuse(&self, problem: &str) -> String {
        let mut text = String::from("$");
        for step in &self.path {
            match step {
                Step::Index(index) => _ = write!(text, "[{index}]"),
                Step::Key(key) => {
                    let key = key.to_string_lossy();
                    let plain = !key.is_empty()
                        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                    _ = if plain {
                        write!(text, ".{key}")
                    } else {
                        write!(text, "[{key:?}]")
                    };
                }
            }
            if text.len() > 300 {
                text.push_str("...");
                break;
            }
        }
        text.push(' ');
        text.push_str(problem);
        text
    }
}

enum Shape {
    Array(usize),
    Object(Vec<LuaString>),
}
