//! What a predicate may ask of the event of its call.

/// The kinds of patterns that a rule has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternKind {
    /// A regular expression, which is found anywhere in a text.
    Regex,
    /// A glob, which matches a whole text.
    Glob,
}

/// What a predicate may ask of the event of its call.
pub trait Event: Send + 'static {
    /// The handle of the event; 0 where there is none.
    fn handle(&self) -> u32;
    /// A field as an i64, as the table of coercions has it.
    fn get_i64(&mut self, id: u32) -> i64;
    /// A field as a u64.
    fn get_u64(&mut self, id: u32) -> u64;
    /// A field as a truth value.
    fn get_bool(&mut self, id: u32) -> bool;
    /// The bytes of a field that is a text; none of another.
    fn get_str(&mut self, id: u32) -> &[u8];
    /// Whether the event has the field.
    fn has(&mut self, id: u32) -> bool;
    /// What a search for a pattern in a text of this length costs in fuel, before it is made.
    ///
    /// # Errors
    /// That there is no pattern of this number.
    fn cost(&self, kind: PatternKind, number: u32, length: usize) -> Result<u64, String>;
    /// Whether a pattern is found in the text. It is one that [`Event::cost`] knows.
    fn matches(&mut self, kind: PatternKind, number: u32, text: &[u8]) -> bool;
    /// Adds a field to the captures. Says whether the event has it.
    fn capture(&mut self, id: u32) -> bool;
}
