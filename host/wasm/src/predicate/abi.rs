//! What a predicate imports: the module `kestrel`, each function with its exact type.

use std::fmt::Write as _;

use wasmtime::{Caller, Extern, ExternType, FuncType, Linker, Module};

use super::event::{Event, PatternKind};
use super::state::State;

/// The module that predicates import from.
const MODULE: &str = "kestrel";
/// Bytes that the host copies for one step.
const BYTES_A_STEP: u64 = 8;
/// Steps that a call costs at least.
const CALL: u64 = 10;

type Called<'a, E> = Caller<'a, State<E>>;

/// The linker for predicates of one kind of event.
pub(super) fn linker<E: Event>(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State<E>>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        MODULE,
        "event_get_i64",
        |mut caller: Called<'_, E>, event: i32, id: i32| -> wasmtime::Result<i64> {
            let source = current(&mut caller, event)?;
            Ok(source.get_i64(id.cast_unsigned()))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "event_get_u64",
        |mut caller: Called<'_, E>, event: i32, id: i32| -> wasmtime::Result<i64> {
            let source = current(&mut caller, event)?;
            Ok(source.get_u64(id.cast_unsigned()).cast_signed())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "event_get_bool",
        |mut caller: Called<'_, E>, event: i32, id: i32| -> wasmtime::Result<i32> {
            let source = current(&mut caller, event)?;
            Ok(source.get_bool(id.cast_unsigned()).into())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "event_has",
        |mut caller: Called<'_, E>, event: i32, id: i32| -> wasmtime::Result<i32> {
            let source = current(&mut caller, event)?;
            Ok(source.has(id.cast_unsigned()).into())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "event_get_str",
        |mut caller: Called<'_, E>, event: i32, id: i32, at: i32, length: i32| {
            get_str(&mut caller, event, id.cast_unsigned(), at, length)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "re_match",
        |mut caller: Called<'_, E>, number: i32, at: i32, length: i32| -> wasmtime::Result<i32> {
            let number = number.cast_unsigned();
            search(&mut caller, PatternKind::Regex, number, at, length)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "glob_match",
        |mut caller: Called<'_, E>, number: i32, at: i32, length: i32| -> wasmtime::Result<i32> {
            let number = number.cast_unsigned();
            search(&mut caller, PatternKind::Glob, number, at, length)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "alert_emit",
        |mut caller: Called<'_, E>, event: i32| -> wasmtime::Result<i32> {
            current(&mut caller, event)?;
            caller.data_mut().emitted = true;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "capture_field",
        |mut caller: Called<'_, E>, id: i32| -> wasmtime::Result<i32> {
            pay(&mut caller, CALL)?;
            if !caller.data().capturing {
                return Err(wasmtime::format_err!(
                    "capture_field is for pred_capture alone"
                ));
            }
            let captured = caller.data_mut().event.capture(id.cast_unsigned());
            Ok(if captured { 0 } else { -2 })
        },
    )?;
    Ok(linker)
}

/// The event, if the handle means it.
fn current<'a, E: Event>(caller: &'a mut Called<'_, E>, event: i32) -> wasmtime::Result<&'a mut E> {
    pay(caller, CALL)?;
    let source = &mut caller.data_mut().event;
    let handle = source.handle();
    if handle == 0 {
        let why = "there is no event yet: only pred_eval and pred_capture have one";
        return Err(wasmtime::format_err!("{why}"));
    }
    if event != 0 && event.cast_unsigned() != handle {
        return Err(wasmtime::format_err!("stale event"));
    }
    Ok(source)
}

/// Takes steps for what the host does.
fn pay<E: Event>(caller: &mut Called<'_, E>, steps: u64) -> wasmtime::Result<()> {
    let left = caller.get_fuel()?;
    match left.checked_sub(steps) {
        Some(left) => caller.set_fuel(left),
        None => {
            caller.set_fuel(0)?;
            Err(wasmtime::Trap::OutOfFuel.into())
        }
    }
}

/// The exported memory and the data of the store, side by side.
fn memory<'a, E: Event>(
    caller: &'a mut Called<'_, E>,
) -> wasmtime::Result<(&'a mut [u8], &'a mut State<E>)> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory.data_and_store_mut(caller)),
        _ => Err(wasmtime::format_err!("it exports no memory")),
    }
}

/// The place of `length` bytes at `at`.
fn place(size: usize, at: i32, length: i32) -> wasmtime::Result<std::ops::Range<usize>> {
    let (at, length) = (at.cast_unsigned() as usize, length.cast_unsigned() as usize);
    match at.checked_add(length) {
        Some(end) if end <= size => Ok(at..end),
        _ => Err(wasmtime::format_err!(
            "{length} bytes at {at} are outside of its memory"
        )),
    }
}

fn get_str<E: Event>(
    caller: &mut Called<'_, E>,
    event: i32,
    id: u32,
    at: i32,
    length: i32,
) -> wasmtime::Result<i32> {
    let source = current(caller, event)?;
    if length == 0 {
        let full = source.get_str(id).len();
        return Ok(i32::try_from(full).unwrap_or(i32::MAX));
    }
    let (memory, state) = memory(caller)?;
    let place = place(memory.len(), at, length)?;
    let text = state.event.get_str(id);
    let written = text.len().min(place.len());
    memory[place][..written].copy_from_slice(&text[..written]);
    pay(caller, written as u64 / BYTES_A_STEP)?;
    Ok(i32::try_from(written).unwrap_or(i32::MAX))
}

/// Searches the bytes at an address. They are paid for first: nothing interrupts the search.
fn search<E: Event>(
    caller: &mut Called<'_, E>,
    kind: PatternKind,
    number: u32,
    at: i32,
    length: i32,
) -> wasmtime::Result<i32> {
    let bytes = length.cast_unsigned() as usize;
    let cost = caller.data().event.cost(kind, number, bytes);
    let cost = cost.map_err(|why| wasmtime::format_err!("{why}"))?;
    pay(caller, cost.saturating_add(CALL))?;
    let (memory, state) = memory(caller)?;
    let place = place(memory.len(), at, length)?;
    Ok(state.event.matches(kind, number, &memory[place]).into())
}

/// What a module imports that a predicate cannot have: its name, and why.
pub(super) fn strange_import<E: Event>(
    module: &Module,
    linker: &Linker<State<E>>,
    store: &mut wasmtime::Store<State<E>>,
) -> Option<String> {
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let known = linker.get(&mut *store, from, name);
        let Some(known) = known.ok().and_then(wasmtime::Extern::into_func) else {
            let mut all: Vec<&str> = linker.iter(&mut *store).map(|(_, name, _)| name).collect();
            all.sort_unstable();
            return Some(format!(
                "it imports `{from}.{name}` (there are, of `{MODULE}`: {})",
                all.join(", ")
            ));
        };
        let known = known.ty(&mut *store);
        match import.ty() {
            ExternType::Func(wanted) if FuncType::eq(&wanted, &known) => {}
            ExternType::Func(wanted) => {
                return Some(format!(
                    "it imports `{from}.{name}` as {}, and that is {}",
                    shown(&wanted),
                    shown(&known)
                ));
            }
            _ => {
                return Some(format!(
                    "it imports `{from}.{name}`, which is a function, as something else"
                ));
            }
        }
    }
    None
}

/// `(i32 i32) -> i64`
fn shown(ty: &FuncType) -> String {
    let list = |types: Vec<wasmtime::ValType>| {
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    let mut text = format!("({})", list(ty.params().collect()));
    if ty.results().len() > 0 {
        _ = write!(text, " -> {}", list(ty.results().collect()));
    }
    text
}
