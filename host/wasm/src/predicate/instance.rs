//! An instance of a predicate, which is called for one event after the other within its limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Extern, Store, Trap, TypedFunc, UpdateDeadline};

use super::abi;
use super::event::Event;
use super::state::{State, Tables};
use super::{Compiled, Limits, Predicates};
use kael_engine::bounds::Limiter;
use kael_engine::units::ByteSize;

/// Bytes that captures may have.
const MAX_CAPTURES: u32 = 64 << 10;
/// A function that is called for every event.
enum Evaluate {
    Event(TypedFunc<i32, i32>),
    /// With a context, which is 0, before the event.
    Context(TypedFunc<(i32, i32), i32>),
}

/// What a call gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What the function returned.
    pub number: i32,
    /// Whether it called `alert_emit`.
    pub emitted: bool,
}

/// Why an instance is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It reached a limit: which, as a fragment behind what was going on.
    Limit(String),
    /// It trapped: why.
    Trap(String),
}

/// An instance of a predicate.
pub struct Instance<E: 'static> {
    predicates: Arc<Predicates>,
    limits: Limits,
    store: Store<State<E>>,
    instance: wasmtime::Instance,
    functions: Vec<Evaluate>,
    capture: Option<TypedFunc<i32, i32>>,
}

impl<E: Event> Instance<E> {
    /// Makes an instance, calls `pred_init`, and finds the functions of these names.
    ///
    /// # Errors
    /// Why the predicate cannot be used, as a fragment.
    pub fn open(
        predicates: &Arc<Predicates>,
        module: &Compiled,
        functions: &[String],
        event: E,
        limits: Limits,
    ) -> Result<Self, String> {
        let module = &module.0;
        let state = State {
            event,
            emitted: false,
            capturing: false,
            limiter: Tables(Limiter::new(limits.memory)),
            until: Instant::now() + limits.load,
        };
        let mut store = Store::new(&predicates.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|store| {
            Ok(match Instant::now() < store.data().until {
                true => UpdateDeadline::Continue(1),
                false => UpdateDeadline::Interrupt,
            })
        });
        let linker = abi::linker(&predicates.engine).map_err(|error| format!("{error:#}"))?;
        if let Some(why) = abi::strange_import(module, &linker, &mut store) {
            return Err(why);
        }
        let running = predicates.ticker.run();
        store.set_epoch_deadline(1);
        // Loading is bounded by time alone.
        let fuel = store.set_fuel(u64::MAX);
        let made = fuel.and_then(|()| linker.instantiate(&mut store, module));
        let instance = made.map_err(|error| {
            let what = "loading it";
            told(what, &stopped(&error, &store, &limits, limits.load))
        })?;
        let init = function::<E, (), i32>(&mut store, &instance, "pred_init", "() -> i32")?;
        if let Some(init) = init {
            match init.call(&mut store, ()) {
                Ok(0) => {}
                Ok(number) => return Err(format!("pred_init returned {number} (0 is success)")),
                Err(error) => {
                    return Err(told(
                        "pred_init",
                        &stopped(&error, &store, &limits, limits.load),
                    ));
                }
            }
        }
        drop(running);
        let mut evaluated = Vec::new();
        for name in functions {
            evaluated.push(evaluate(&mut store, &instance, name)?);
        }
        let capture = function(&mut store, &instance, "pred_capture", "(i32) -> i32")?;
        Ok(Self {
            predicates: predicates.clone(),
            limits,
            store,
            instance,
            functions: evaluated,
            capture,
        })
    }

    /// The event of the next calls.
    pub fn event(&mut self) -> &mut E {
        &mut self.store.data_mut().event
    }

    /// Keeps the clock of limits running, as long as the returned value lives. Calls need it.
    #[must_use]
    pub fn running(&self) -> impl Sized + use<E> {
        self.predicates.ticker.run()
    }

    /// Whether it has `pred_capture`.
    #[must_use]
    pub fn has_capture(&self) -> bool {
        self.capture.is_some()
    }

    /// The most memory that it had.
    #[must_use]
    pub fn memory(&self) -> ByteSize {
        self.store.data().limiter.0.peak()
    }

    /// Calls a function for the event.
    ///
    /// # Errors
    /// How the instance ended. It must not be used any more.
    pub fn evaluate(&mut self, function: usize) -> Result<Answer, Stopped> {
        self.begin(false);
        let handle = self.store.data().event.handle().cast_signed();
        let called = match &self.functions[function] {
            Evaluate::Event(eval) => eval.call(&mut self.store, handle),
            Evaluate::Context(eval) => eval.call(&mut self.store, (0, handle)),
        };
        match called {
            Ok(number) => Ok(Answer {
                number,
                emitted: self.store.data().emitted,
            }),
            Err(error) => Err(self.stopped(&error)),
        }
    }

    /// Calls `pred_capture`. Gives the text that it returned, which is not checked.
    ///
    /// # Errors
    /// How the instance ended. It must not be used any more.
    pub fn capture(&mut self) -> Result<Option<String>, Stopped> {
        let Some(capture) = self.capture.clone() else {
            return Ok(None);
        };
        self.begin(true);
        let handle = self.store.data().event.handle().cast_signed();
        let called = capture.call(&mut self.store, handle);
        self.store.data_mut().capturing = false;
        match called {
            Ok(0) => Ok(None),
            Ok(at) => self.text(at.cast_unsigned() as usize).map(Some),
            Err(error) => Err(self.stopped(&error)),
        }
    }

    /// The text at an address, behind its length.
    fn text(&mut self, at: usize) -> Result<String, Stopped> {
        let outside =
            || Stopped::Trap("pred_capture returned an address outside of its memory".into());
        let Some(Extern::Memory(memory)) = self.instance.get_export(&mut self.store, "memory")
        else {
            return Err(Stopped::Trap("it exports no memory".into()));
        };
        let memory = memory.data(&self.store);
        let head = memory.get(at..at.saturating_add(4)).ok_or_else(outside)?;
        let length = head
            .try_into()
            .map(u32::from_le_bytes)
            .map_err(|_| outside())?;
        if length > MAX_CAPTURES {
            return Err(Stopped::Trap(format!(
                "the captures are {length} bytes (allowed: {MAX_CAPTURES})"
            )));
        }
        let text = memory
            .get(at + 4..at + 4 + length as usize)
            .ok_or_else(outside)?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn begin(&mut self, capturing: bool) {
        // Setting fuel fails only in an engine without it.
        self.store.set_fuel(self.limits.fuel).ok();
        self.store.set_epoch_deadline(1);
        let until = Instant::now() + self.limits.evaluation;
        let state = self.store.data_mut();
        state.until = until;
        state.capturing = capturing;
        state.emitted = false;
        state.limiter.0.forget_refusal();
    }

    fn stopped(&self, error: &wasmtime::Error) -> Stopped {
        stopped(error, &self.store, &self.limits, self.limits.evaluation)
    }
}

/// Why a call failed.
fn stopped<E>(
    error: &wasmtime::Error,
    store: &Store<State<E>>,
    limits: &Limits,
    time: Duration,
) -> Stopped {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            let fuel = limits.fuel;
            return Stopped::Limit(format!("takes more than {fuel} steps"));
        }
        Some(Trap::Interrupt) => {
            let ms = time.as_millis();
            return Stopped::Limit(format!("computes for more than {ms} ms"));
        }
        _ => {}
    }
    if store.data().limiter.0.refused().is_some() {
        let allowed = limits.memory;
        return Stopped::Limit(format!("needs more memory than {allowed}"));
    }
    // Its first line is where it happened, and its last why.
    let why = error.root_cause().to_string();
    Stopped::Trap(why.lines().next().unwrap_or_default().to_owned())
}

fn told(what: &str, stopped: &Stopped) -> String {
    match stopped {
        Stopped::Limit(limit) => format!("{what} {limit}"),
        Stopped::Trap(why) => format!("{what} trapped: {why}"),
    }
}

/// An exported function, if there is one.
fn function<E: 'static, P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
    store: &mut Store<State<E>>,
    instance: &wasmtime::Instance,
    name: &str,
    ty: &str,
) -> Result<Option<TypedFunc<P, R>>, String> {
    match instance.get_export(&mut *store, name) {
        None => Ok(None),
        Some(Extern::Func(found)) => match found.typed(&*store) {
            Ok(typed) => Ok(Some(typed)),
            Err(_) => Err(format!("{name} must be {ty}")),
        },
        Some(_) => Err(format!("{name} must be a function")),
    }
}

fn evaluate<E: 'static>(
    store: &mut Store<State<E>>,
    instance: &wasmtime::Instance,
    name: &str,
) -> Result<Evaluate, String> {
    let Some(export) = instance.get_export(&mut *store, name) else {
        return Err(format!("it exports no function {name}"));
    };
    let Some(found) = export.into_func() else {
        return Err(format!("{name} must be a function"));
    };
    if let Ok(typed) = found.typed(&*store) {
        return Ok(Evaluate::Event(typed));
    }
    match found.typed(&*store) {
        Ok(typed) => Ok(Evaluate::Context(typed)),
        Err(_) => Err(format!("{name} must be (i32) -> i32")),
    }
}
