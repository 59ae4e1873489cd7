//! What parameters and results look like: JSON Schema, compiled once, and every mistake in words.

mod counted;
mod integers;
mod metered;
mod wording;

use std::cell::Cell;
use std::fmt;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{JsonType, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use counted::{Parts, STEP, counted};
use metered::{Allowance, Metered, Seen};
use wording::{accepts, cut, dotted, expected, in_schema};

use crate::names;

/// Mistakes that are told one by one.
const MAX_MISTAKES: usize = 20;
/// Bytes that a compiled `pattern` may have.
const MAX_PATTERN: usize = 1 << 20;
/// Bytes that all compiled patterns of a schema may have.
const MAX_PATTERN_BYTES: usize = 16 << 20;

/// A compiled schema.
pub struct Schema {
    document: Value,
    validator: Validator<Metered>,
    /// Its length as text.
    size: usize,
    /// Whether errors hold copies of what they are about: those of alternatives and of names do.
    copies: bool,
    /// Whether what is asked of one part may depend on what another is.
    depends: bool,
    /// Whether it asks for integers anywhere.
    integers: bool,
    /// Whether texts are held against patterns.
    patterns: bool,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}

impl Schema {
    /// Compiles a JSON Schema. Nothing is fetched, and patterns take time in proportion to the text.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub(crate) fn compile(document: Value) -> Result<Self, String> {
        let parts =
            Parts::of(&document).map_err(|error| format!("is not a valid schema: {error}"))?;
        let counted = counted(&document, &parts);
        let pattern = MAX_PATTERN.min(MAX_PATTERN_BYTES / parts.patterns.max(1));
        let validator = jsonschema::options_for::<Metered>()
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(PatternOptions::regex().size_limit(pattern))
            .with_keyword(STEP, metered::step)
            .build(counted.as_ref().unwrap_or(&document))
            .map_err(|error| in_schema(&error))?;
        let text = document.to_string();
        let copies = ["\"anyOf\"", "\"oneOf\"", "\"propertyNames\""]
            .iter()
            .any(|keyword| text.contains(keyword));
        let depends = ["\"if\"", "\"dependent", "\"unevaluated", "\"dependencies\""]
            .iter()
            .any(|keyword| text.contains(keyword));
        Ok(Self {
            integers: integers::are_named(&document),
            patterns: text.contains("\"pattern"),
            size: text.len(),
            document,
            validator,
            copies,
            depends,
        })
    }

    /// The schema as JSON Schema.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Whether it holds texts against patterns.
    pub(crate) fn has_patterns(&self) -> bool {
        self.patterns
    }

    /// A value that it would take, as far as that is simple.
    #[must_use]
    pub fn sample_value(&self) -> Value {
        super::sample_value(&self.document)
    }

    /// Checks a value. Where a list is wanted and an empty table is there, it becomes an empty list: Lua writes both
    /// alike. Where an integer is wanted, 3.0 becomes 3.
    ///
    /// # Errors
    /// Every mistake, bounded in number and length.
    pub fn check(&self, value: &mut Value) -> Result<(), Mistakes> {
        let allowance = self.allowance(value);
        if !self.fits(value, &allowance)? {
            self.mend_lists(value, &allowance);
            self.require(value, &allowance)?;
        }
        if self.integers {
            integers::made_of(&self.document, value);
        }
        Ok(())
    }

    /// Makes empty tables into empty lists where only those would do.
    fn mend_lists(&self, value: &mut Value, allowance: &Allowance) {
        loop {
            let lists = self.empty_lists(value, allowance);
            let mut mended = false;
            for pointer in lists {
                if let Some(place) = value.pointer_mut(&pointer) {
                    *place = Value::Array(Vec::new());
                    mended = true;
                }
            }
            if !mended {
                return;
            }
        }
    }

    /// Checks a value as it is.
    ///
    /// # Errors
    /// Every mistake, bounded in number and length.
    pub fn check_exactly(&self, value: &Value) -> Result<(), Mistakes> {
        self.require(value, &self.allowance(value))
    }

    /// Whether a value fits as it is. Takes the steps that this costs; none where they, or those of one check, are
    /// used up.
    pub(crate) fn fits_within(&self, value: &Value, steps: &Cell<u64>) -> Option<bool> {
        let allowance = self.allowance(value).at_most(steps.get());
        let fits = allowance.run(|| self.validator.is_valid(Seen(value)));
        steps.set(steps.get().saturating_sub(allowance.taken()));
        fits
    }

    fn require(&self, value: &Value, allowance: &Allowance) -> Result<(), Mistakes> {
        if self.fits(value, allowance)? {
            return Ok(());
        }
        Err(self.mistakes(value, allowance, |_| true))
    }

    /// What looking at a value may cost.
    fn allowance(&self, value: &Value) -> Allowance {
        Allowance::of(value, self.size, self.copies)
    }

    /// Whether a value fits.
    fn fits(&self, value: &Value, allowance: &Allowance) -> Result<bool, Mistakes> {
        allowance
            .run(|| self.validator.is_valid(Seen(value)))
            .ok_or_else(|| Mistakes::too_costly(allowance))
    }

    /// All that is wrong. None where that takes too many steps or too much memory to say.
    fn errors<'a>(
        &'a self,
        value: &'a Value,
        allowance: &Allowance,
    ) -> Option<Vec<ValidationError<'a>>> {
        allowance.run(|| self.validator.iter_errors(Seen(value)).collect())
    }

    /// Checks what is there and not what is missing: a script may give that.
    pub(super) fn check_part(&self, value: &Value) -> Result<(), Mistakes> {
        let whole_only = |kind: &Kind| {
            matches!(
                kind,
                Kind::Required { .. }
                    | Kind::MinProperties { .. }
                    | Kind::AnyOf { .. }
                    | Kind::OneOfNotValid { .. }
                    | Kind::OneOfMultipleValid { .. }
                    | Kind::Not { .. }
            )
        };
        let allowance = self.allowance(value);
        let mistakes = self.mistakes(value, &allowance, |error| !whole_only(error.kind()));
        if mistakes.list.is_empty() {
            Ok(())
        } else {
            Err(mistakes)
        }
    }

    /// Checks a value of which parts are not known yet: those at the places in `unknown`, and whether there is more in
    /// the tables and lists at those in `open` (both are JSON pointers). Only what is a mistake whatever these turn out
    /// to be is told, each with its place.
    #[must_use]
    pub fn check_known(
        &self,
        value: &mut Value,
        unknown: &[String],
        open: &[String],
    ) -> Vec<Misfit> {
        let partly = !unknown.is_empty() || !open.is_empty();
        if partly && self.depends {
            return Vec::new();
        }
        if !partly && self.check(value).is_ok() {
            return Vec::new();
        }
        let allowance = self.allowance(value);
        self.mend_lists(value, &allowance);
        let below = |place: &str, at: &str| {
            at == place
                || at
                    .strip_prefix(place)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let certain = |error: &ValidationError<'_>| {
            let at = error.instance_path().as_str();
            if unknown.iter().any(|place| below(place, at)) {
                return false;
            }
            let more = open.iter().any(|place| place == at);
            match error.kind() {
                Kind::Required { .. } | Kind::MinItems { .. } => !more,
                Kind::AdditionalProperties { .. } | Kind::Type { .. } | Kind::MaxItems { .. } => {
                    true
                }
                _ => !unknown.iter().chain(open).any(|place| below(at, place)),
            }
        };
        let problems = self.errors(value, &allowance).unwrap_or_default();
        let misfit = |error: ValidationError<'_>| {
            let mut pointer = error.instance_path().as_str().to_owned();
            if let Kind::AdditionalProperties { unexpected } = error.kind()
                && let Some(first) = unexpected.first()
            {
                pointer = format!("{pointer}/{}", first.replace('~', "~0").replace('/', "~1"));
            }
            let (path, text) = self.mistake(&error);
            Misfit {
                pointer,
                path,
                text,
            }
        };
        let certain = problems.into_iter().filter(certain);
        certain.take(MAX_MISTAKES).map(misfit).collect()
    }

    fn mistakes(
        &self,
        value: &Value,
        allowance: &Allowance,
        keep: impl Fn(&ValidationError<'_>) -> bool,
    ) -> Mistakes {
        if let Some(errors) = self.errors(value, allowance) {
            let kept: Vec<_> = errors.iter().filter(|error| keep(error)).collect();
            let list = kept.iter().take(MAX_MISTAKES);
            return Mistakes {
                list: list.map(|error| self.mistake(error)).collect(),
                more: kept.len().saturating_sub(MAX_MISTAKES),
                steps: None,
            };
        }
        // Where all of them are too much, the first may not be; it gets steps of its own.
        let again = self.allowance(value);
        let first = match again.run(|| self.validator.validate(Seen(value)).err()) {
            Some(first) => first.filter(keep).map(|error| self.mistake(&error)),
            None => Some((
                String::new(),
                "must fit the schema, and there is too much of it to say where it does not"
                    .to_owned(),
            )),
        };
        Mistakes {
            list: first.into_iter().collect(),
            more: 0,
            steps: None,
        }
    }

    /// The places of empty tables where only a list would do.
    fn empty_lists(&self, value: &Value, allowance: &Allowance) -> Vec<String> {
        let wants_list = |kind: &Kind| match kind {
            Kind::Type { kind } => {
                accepts(kind, JsonType::Array) && !accepts(kind, JsonType::Object)
            }
            _ => false,
        };
        // Where there are too many errors to look at, there is more to mend than these.
        let errors = self.errors(value, allowance).unwrap_or_default();
        let places = errors
            .iter()
            .filter(|error| wants_list(error.kind()))
            .filter(|error| error.instance().as_object().is_some_and(|t| t.is_empty()))
            .map(|error| error.instance_path().as_str().to_owned());
        places.collect()
    }

    fn mistake(&self, error: &ValidationError<'_>) -> (String, String) {
        let path = dotted(error.instance_path().as_str());
        let got = error.instance();
        let inside = |key: &str| match path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        match error.kind() {
            Kind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                (cut(&inside(key)), "is missing".to_owned())
            }
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let known = self.properties(error.schema_path().as_str());
                let first = unexpected.first().map(String::as_str).unwrap_or_default();
                let near = names::nearest(first, known.iter().map(String::as_str));
                let hint = names::did_you_mean(near, '`');
                let others = match unexpected.len() {
                    0 | 1 => String::new(),
                    n => format!(", nor are {} more", n - 1),
                };
                let text = format!("is not known{hint}{others}");
                (cut(&inside(first)), cut(&text))
            }
            kind => (cut(&path), cut(&expected(kind, got, error))),
        }
    }

    /// The properties that stand beside the keyword at this place of the schema.
    fn properties(&self, keyword: &str) -> Vec<String> {
        let beside = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
        let properties = self
            .document
            .pointer(&format!("{beside}/properties"))
            .and_then(Value::as_object);
        properties
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// One mistake of a value that is known in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its place as a JSON pointer; that of a field that is not known has the field's name.
    pub pointer: String,
    /// Its place as people write it; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub text: String,
}

/// What is wrong with a value: where, and what was expected there. An empty place is the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    /// At least one.
    pub list: Vec<(String, String)>,
    /// How many are not in the list.
    pub more: usize,
    /// The steps after which the check was given up: then nothing is known of the value.
    pub steps: Option<u64>,
}

/// What to do where a check is given up.
pub(crate) const TOO_COSTLY_HINT: &str = "alternatives that a `const` or a `type` tells apart take fewer steps, and so does a smaller value";

impl Mistakes {
    fn too_costly(allowance: &Allowance) -> Self {
        let steps = allowance.steps();
        let text = format!("would take more than {steps} steps to check");
        Self {
            list: vec![(String::new(), text)],
            more: 0,
            steps: Some(steps),
        }
    }

    /// All of them in one text: `parameter `limit` must be an integer, got a string; …`. `whole` names the value, `part`
    /// what is inside it.
    #[must_use]
    pub fn told(&self, whole: &str, part: &str) -> String {
        let mut texts: Vec<String> = self
            .list
            .iter()
            .map(|(path, text)| match path.as_str() {
                "" => format!("{whole} {text}"),
                path => format!("{part}`{path}` {text}"),
            })
            .collect();
        if self.more > 0 {
            texts.push(format!("and {} more", self.more));
        }
        texts.join("; ")
    }
}

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod tests;
