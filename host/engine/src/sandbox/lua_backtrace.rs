//! Where in Lua a run was when it was ended from outside: read out of the instance's memory, where nothing runs any more.
//!
//! The offsets are those of Lua 5.5's structures (`lstate.h`, `lobject.h`) on wasm32; a test fails when they move. The
//! memory is a hostile script's: each access is checked, and what does not fit gives fewer frames.

use wasmtime::{AsContextMut, WasmCoreDump};

/// The guest's static that holds the address of the thread that runs.
const RUNNING: &str = "kael_running";

/// How many frames are read, and how many are reported.
const WALKED: usize = 200_000;
const TOLD: usize = 20;
/// Bytes of a chunk's name.
const NAME: usize = 200;
/// Local variables of a function that are looked at.
const MOST_LOCALS: u32 = 10_000;
/// Names of local variables that are told of a frame, and bytes of each.
const LOCALS: usize = 20;
const LOCAL: usize = 40;

/// `CIST_C` of `callstatus`: the function is C's.
const IS_C: u32 = 1 << 15;
/// The tag of a Lua function: `ctb(LUA_VLCL)`.
const LUA_FUNCTION: u8 = 6 | 1 << 6;
/// `ABSLINEINFO`.
const ABSOLUTE: i8 = -0x80;

/// The Lua frames, the innermost first, as a traceback shows them; with the names of their local variables for somebody
/// who looks at a run.
pub(super) fn frames(
    dump: &WasmCoreDump,
    mut store: impl AsContextMut,
    with_locals: bool,
) -> Vec<String> {
    for instance in dump.instances() {
        let running = instance.get_global(&mut store, RUNNING);
        let memory = instance.get_memory(&mut store, "memory");
        if let (Some(running), Some(memory)) = (running, memory) {
            let Some(address) = running.get(&mut store).i32() else {
                continue;
            };
            let bytes = Bytes(memory.data(&store));
            return walk(&bytes, address.cast_unsigned(), with_locals).unwrap_or_default();
        }
    }
    Vec::new()
}

/// A memory of 32-bit addresses.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn at(&self, address: u32, length: usize) -> Option<&[u8]> {
        self.0.get(address as usize..)?.get(..length)
    }

    fn byte(&self, structure: u32, offset: u32) -> Option<u8> {
        Some(self.at(structure.checked_add(offset)?, 1)?[0])
    }

    fn word(&self, structure: u32, offset: u32) -> Option<u32> {
        let bytes = self.at(structure.checked_add(offset)?, 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

fn walk(memory: &Bytes<'_>, running: u32, with_locals: bool) -> Option<Vec<String>> {
    let state = memory.word(running, 0)?;
    // lua_State.ci
    let mut call = memory.word(state, 16)?;
    let (mut frames, mut innermost) = (Vec::new(), true);
    for _ in 0..WALKED {
        if call == 0 || frames.len() == TOLD {
            break;
        }
        // CallInfo.callstatus
        if memory.word(call, 32)? & IS_C == 0 {
            frames.extend(frame(memory, call, innermost, with_locals));
        }
        innermost = false;
        // CallInfo.previous
        call = memory.word(call, 8)?;
    }
    Some(frames)
}

/// One frame; none for the runtime's own functions.
fn frame(memory: &Bytes<'_>, call: u32, computing: bool, with_locals: bool) -> Option<String> {
    // CallInfo.func, a TValue: its value and its tag
    let value = memory.word(call, 0)?;
    if memory.byte(value, 8)? != LUA_FUNCTION {
        return None;
    }
    let closure = memory.word(value, 0)?;
    // LClosure.p
    let proto = memory.word(closure, 12)?;
    let name = chunk(memory, memory.word(proto, 76)?)?;
    // CallInfo.u.l.savedpc and Proto.code: the program counter is one ahead, in words
    let ahead = memory
        .word(call, 16)?
        .checked_sub(memory.word(proto, 52)?)?
        / 4;
    let line = ahead
        .checked_sub(1)
        .and_then(|counter| line(memory, proto, counter));
    // Proto.linedefined
    let defined = memory.word(proto, 40)?;
    let function = match defined {
        0 => "in main chunk".to_owned(),
        line => format!("in function <{name}:{line}>"),
    };
    let names = with_locals.then(|| locals(memory, proto, ahead.checked_sub(1)?));
    let names = match names.flatten() {
        Some(names) if !names.is_empty() => format!("; locals {}", names.join(", ")),
        _ => String::new(),
    };
    let frame = match line {
        // A function that computes notes where it is only now and then.
        Some(line) if computing => {
            format!("{name}:{line}: {function} (the last line that is known)")
        }
        Some(line) => format!("{name}:{line}: {function}"),
        None => format!("{name}: {function}"),
    };
    Some(frame + &names)
}

/// The names of the local variables of a function at an instruction, in the order in which they were declared.
fn locals(memory: &Bytes<'_>, proto: u32, counter: u32) -> Option<Vec<String>> {
    // Proto.sizelocvars, locvars: each a name, and the instructions from and to which it is one
    let (count, variables) = (memory.word(proto, 32)?, memory.word(proto, 72)?);
    let mut names = Vec::new();
    for index in 0..count.min(MOST_LOCALS) {
        let variable = variables.checked_add(index.checked_mul(12)?)?;
        let (from, to) = (memory.word(variable, 4)?, memory.word(variable, 8)?);
        if from > counter || names.len() == LOCALS {
            break;
        }
        let name = memory.word(variable, 0)?;
        let name = bytes_of(memory, name, LOCAL)?;
        // Lua's own, such as the state of a loop, are in brackets.
        if counter < to && !name.starts_with(b"(") {
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Some(names)
}

/// The first bytes of a string.
fn bytes_of<'a>(memory: &'a Bytes<'_>, string: u32, most: usize) -> Option<&'a [u8]> {
    // TString.shrlen, which is negative for a long string; u.lnglen; contents
    let (start, length) = match memory.byte(string, 7)?.cast_signed() {
        short @ 0.. => (string.checked_add(16)?, u32::from(short.cast_unsigned())),
        _ => (memory.word(string, 16)?, memory.word(string, 12)?),
    };
    memory.at(start, (length as usize).min(most))
}

/// What a traceback calls a chunk; none for the runtime's own.
fn chunk(memory: &Bytes<'_>, string: u32) -> Option<String> {
    let text = String::from_utf8_lossy(bytes_of(memory, string, NAME)?);
    match text.chars().next() {
        _ if text.starts_with("=[kael]") => None,
        Some('@' | '=') => Some(text[1..].to_owned()),
        _ => {
            let first: String = text.lines().next().unwrap_or("").chars().take(40).collect();
            Some(format!("[string \"{first}\"]"))
        }
    }
}

/// `luaG_getfuncline`: from the nearest line that is noted in full, the differences are added up.
fn line(memory: &Bytes<'_>, proto: u32, counter: u32) -> Option<u32> {
    // Proto.sizelineinfo, lineinfo
    let (size, info) = (memory.word(proto, 24)?, memory.word(proto, 64)?);
    if counter >= size {
        return None;
    }
    // Proto.sizeabslineinfo, abslineinfo: pairs of a program counter and a line, in order
    let (noted, pairs) = (memory.word(proto, 36)?, memory.word(proto, 68)?);
    let pair = |index: u32| {
        let at = index.checked_mul(8)?;
        Some((
            memory.word(pairs, at)?,
            memory.word(pairs, at.checked_add(4)?)?,
        ))
    };
    let (mut low, mut high) = (0, noted);
    while low < high {
        let middle = low + (high - low) / 2;
        match pair(middle)? {
            (at, _) if at <= counter => low = middle + 1,
            _ => high = middle,
        }
    }
    let (mut at, mut line) = match low.checked_sub(1) {
        Some(index) => pair(index).map(|(at, line)| (at + 1, line))?,
        None => (0, memory.word(proto, 40)?),
    };
    while at <= counter {
        let step = memory.byte(info, at)?.cast_signed();
        if step == ABSOLUTE {
            return None;
        }
        line = line.checked_add_signed(step.into())?;
        at += 1;
    }
    Some(line)
}
