//! Bounds what it costs to hold a value against a schema, in steps and in memory.
//!
//! The validator reads a value through `Metered`, which counts every look at it. Once the allowance
//! is used up, the next look unwinds to `Allowance::run`. So the cost is bounded wherever it comes
//! from: alternatives that multiply with each level of a value, the errors of all of them, long
//! lists that must be unique, long texts.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::json::{Array, Json, Node, NodeIdentity, Object};
use jsonschema::paths::Location;
use jsonschema::{JsonType, Keyword, ValidationError};
use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

/// Steps that a check of any value may take. Each takes some ten nanoseconds.
pub(super) const MIN_STEPS: u64 = 1_000_000;
/// Steps that each value of a document, keys included, and each 16 bytes of its texts add.
const STEPS_FOR_EACH: u64 = 50;
/// Bytes that the errors of one check may take.
const MAX_ERRORS: u64 = 8 << 20;
/// Bytes that an error takes, beside what it holds of schema and value.
const ERROR: u64 = 2 << 10;
/// Bytes of a stack that a check may take. A host call may have no more than 1 MiB left.
const MAX_STACK: usize = 512 << 10;
/// Bytes of a text that are read in one step.
const BYTES: usize = 16;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(u64::MAX) };
    static ROOM: Cell<u64> = const { Cell::new(u64::MAX) };
    /// What the next error costs, and whether errors hold copies of values.
    static ERRORS: Cell<(u64, bool)> = const { Cell::new((0, false)) };
    /// Where the stack was when the check began.
    static STACK: Cell<usize> = const { Cell::new(0) };
}

/// What a check unwinds with.
struct UsedUp;

fn stop() -> ! {
    // No bug, so the hook for panics is not called.
    resume_unwind(Box::new(UsedUp))
}

fn spend(steps: u64) {
    STEPS.with(|left| match left.get().checked_sub(steps) {
        Some(rest) => left.set(rest),
        None => stop(),
    });
}

fn spend_text(text: &str) {
    spend(1 + (text.len() / BYTES) as u64);
}

fn stack() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here) as usize
}

/// What one check may use.
#[derive(Debug)]
pub(super) struct Allowance {
    most: u64,
    steps: Cell<u64>,
    error: u64,
    copies: bool,
}

impl Allowance {
    /// What a value may cost. `schema` is the size of the schema, of which each error may hold a
    /// copy; `copies` says whether errors hold copies of the value, too.
    pub(super) fn of(value: &Value, schema: usize, copies: bool) -> Self {
        let mut size = 0;
        let mut path = 0;
        measure(value, 0, &mut size, &mut path);
        let most = MIN_STEPS + STEPS_FOR_EACH * size;
        Self {
            most,
            steps: Cell::new(most),
            error: ERROR + schema as u64 + path as u64,
            copies,
        }
    }

    /// The same with no more than so many steps.
    pub(super) fn at_most(self, steps: u64) -> Self {
        let most = self.most.min(steps);
        Self {
            most,
            steps: Cell::new(most),
            ..self
        }
    }

    /// The steps that were taken.
    pub(super) fn taken(&self) -> u64 {
        self.most.saturating_sub(self.steps.get())
    }

    /// The steps that it began with.
    pub(super) fn steps(&self) -> u64 {
        self.most
    }

    /// Does work that looks at values through `Metered`. None where the allowance is used up.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let outer = (
            STEPS.replace(self.steps.get()),
            ROOM.replace(MAX_ERRORS),
            ERRORS.replace((self.error, self.copies)),
            STACK.replace(stack()),
        );
        let done = catch_unwind(AssertUnwindSafe(work));
        self.steps.set(STEPS.replace(outer.0));
        ROOM.set(outer.1);
        ERRORS.set(outer.2);
        STACK.set(outer.3);
        match done {
            Ok(done) => Some(done),
            Err(reason) if reason.is::<UsedUp>() => None,
            Err(bug) => resume_unwind(bug),
        }
    }
}

/// Counts values, keys and pieces of texts, and finds the longest path, in bytes.
fn measure(value: &Value, above: usize, size: &mut u64, longest: &mut usize) {
    *size += 1;
    *longest = above.max(*longest);
    match value {
        Value::String(text) => *size += (text.len() / BYTES) as u64,
        // The digits of an index count as three.
        Value::Array(elements) => {
            for element in elements {
                measure(element, above + 4, size, longest);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                *size += 1 + (key.len() / BYTES) as u64;
                measure(value, above + key.len() + 1, size, longest);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Values of `serde_json` whose every look is counted.
pub(super) struct Metered;

/// A value that is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a>(pub(super) &'a Value);

/// The fields of an object that is looked at.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

/// The elements of an array that is looked at.
pub(super) struct Elements<'a>(&'a [Value]);

impl Json for Metered {
    type Node<'a> = Seen<'a>;
    type PreparedKey = String;
    type StringBuffer = Value;

    // As for values of `serde_json`.
    const KEYS_PER_LOOKUP: usize = 2;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(
        buffer: &mut Value,
        string: &str,
        work: impl FnOnce(Seen<'_>) -> T,
    ) -> T {
        spend_text(string);
        *buffer = Value::String(string.to_owned());
        work(Seen(buffer))
    }
}

impl<'a> Node<'a, Metered> for Seen<'a> {
    type Object = Fields<'a>;
    type Array = Elements<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Fields<'a>> {
        spend(1);
        self.0.as_object().map(Fields)
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        spend(1);
        self.0.as_array().map(|elements| Elements(elements))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let Value::String(text) = self.0 else {
            spend(1);
            return None;
        };
        spend_text(text);
        Some(Cow::Borrowed(text))
    }

    fn as_number(&self) -> Option<&'a Number> {
        spend(1);
        self.0.as_number()
    }

    fn as_boolean(&self) -> Option<bool> {
        spend(1);
        self.0.as_bool()
    }

    fn is_null(&self) -> bool {
        spend(1);
        self.0.is_null()
    }

    fn json_type(&self) -> JsonType {
        spend(1);
        match self.0 {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        let text = self.as_string()?;
        Some(text.chars().count() as u64)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        equal(self.0, expected)
    }

    /// Called for each error.
    fn to_value(&self) -> Cow<'a, Value> {
        let (mut bytes, copies) = ERRORS.get();
        if copies {
            let (mut size, mut path) = (0, 0);
            measure(self.0, 0, &mut size, &mut path);
            spend(size);
            bytes += size * 64;
        }
        ROOM.with(|room| match room.get().checked_sub(bytes) {
            Some(rest) => room.set(rest),
            None => stop(),
        });
        Cow::Borrowed(self.0)
    }

    /// Called where a schema may refer to itself.
    fn identity(&self) -> Option<NodeIdentity> {
        let depth = stack().abs_diff(STACK.get());
        if depth > MAX_STACK && STACK.get() != 0 {
            stop();
        }
        // The validator walks the references that it is in.
        spend(1 + (depth >> 12) as u64);
        Some(NodeIdentity::new(
            std::ptr::from_ref::<Value>(self.0) as usize
        ))
    }
}

impl<'a> Object<'a, Metered> for Fields<'a> {
    type Node = Seen<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        spend(1);
        self.0.len()
    }

    fn get(&self, key: &String) -> Option<Seen<'a>> {
        spend(2);
        self.0.get(key).map(Seen)
    }

    fn members(&self) -> Members<'a> {
        Members(self.0.iter())
    }
}

/// The fields, one after the other.
pub(super) struct Members<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Seen<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.0.next()?;
        spend_text(key);
        Some((key, Seen(value)))
    }
}

impl<'a> Array<'a, Metered> for Elements<'a> {
    type Node = Seen<'a>;
    type ElementsIter = ElementsIter<'a>;

    fn len(&self) -> usize {
        spend(1);
        self.0.len()
    }

    fn elements(&self) -> ElementsIter<'a> {
        ElementsIter(self.0.iter())
    }

    /// By digests of the elements: a hash table of hashes that collide takes quadratic time, and
    /// nested lists that differ in their brackets alone had the same hash.
    fn is_unique(&self) -> bool {
        let mut seen = HashSet::new();
        self.0.iter().all(|element| {
            spend(20);
            let mut digest = Sha256::new();
            feed(element, &mut digest);
            let digest: [u8; 32] = digest.finalize().into();
            seen.insert(digest)
        })
    }
}

/// The elements, one after the other.
pub(super) struct ElementsIter<'a>(std::slice::Iter<'a, Value>);

impl<'a> Iterator for ElementsIter<'a> {
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        let element = self.0.next()?;
        spend(1);
        Some(Seen(element))
    }
}

/// Feeds a value so that equal values feed the same bytes, and others do not.
fn feed(value: &Value, digest: &mut Sha256) {
    spend(2);
    match value {
        Value::Null => digest.update(b"z"),
        Value::Bool(true) => digest.update(b"t"),
        Value::Bool(false) => digest.update(b"f"),
        Value::Number(number) => match exact(number) {
            Exact::Integer(whole) => {
                digest.update(b"i");
                digest.update(whole.to_le_bytes());
            }
            Exact::Float(bits) => {
                digest.update(b"d");
                digest.update(bits.to_le_bytes());
            }
        },
        Value::String(text) => feed_text(text, digest),
        Value::Array(elements) => {
            digest.update(b"a");
            digest.update((elements.len() as u64).to_le_bytes());
            for element in elements {
                feed(element, digest);
            }
        }
        Value::Object(fields) => {
            digest.update(b"o");
            digest.update((fields.len() as u64).to_le_bytes());
            for (key, value) in fields {
                feed_text(key, digest);
                feed(value, digest);
            }
        }
    }
}

fn feed_text(text: &str, digest: &mut Sha256) {
    spend_text(text);
    digest.update(b"s");
    digest.update((text.len() as u64).to_le_bytes());
    digest.update(text);
}

/// A number by its mathematical value.
#[derive(PartialEq, Eq)]
enum Exact {
    Integer(i128),
    /// One with a fraction, or beyond the integers, by its bits.
    Float(u64),
}

fn exact(number: &Number) -> Exact {
    if let Some(whole) = number.as_i128() {
        return Exact::Integer(whole);
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    if float.fract() == 0.0 && float.abs() < 1e38 {
        return Exact::Integer(float as i128);
    }
    Exact::Float(float.to_bits())
}

/// Whether two values are the same to JSON Schema: 1 and 1.0 are.
fn equal(one: &Value, other: &Value) -> bool {
    spend(1);
    match (one, other) {
        (Value::String(one), Value::String(other)) => {
            one.len() == other.len() && {
                spend_text(one);
                one == other
            }
        }
        (Value::Number(one), Value::Number(other)) => exact(one) == exact(other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        // Keys ascend in both.
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|((key, one), (same, other))| {
                    spend_text(key);
                    key == same && equal(one, other)
                })
        }
        (one, other) => one == other,
    }
}

/// A keyword that takes a step, and whose value says whether it holds. `counted` puts it where a
/// schema asks nothing else.
struct Step(bool);

/// Makes the keyword.
pub(super) fn step<'a>(
    _: &'a Map<String, Value>,
    holds: &'a Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i, Metered>>, ValidationError<'a>> {
    Ok(Box::new(Step(holds != false)))
}

impl<'i> Keyword<'i, Metered> for Step {
    fn validate(&self, _instance: Seen<'i>) -> Result<(), ValidationError<'i>> {
        spend(1);
        if self.0 {
            Ok(())
        } else {
            Err(ValidationError::custom("must not be there"))
        }
    }

    fn is_valid(&self, _instance: Seen<'i>) -> bool {
        spend(1);
        self.0
    }
}
