//! The grammar of Sigma's conditions: `and`, `or`, `not`, brackets, `1 of x*`, `all of them`.

/// A condition over the searches of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// A search, by its place.
    Search(usize),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    /// So many of some searches.
    AtLeast(usize, Vec<usize>),
}

/// How deep conditions may nest.
const MAX_DEPTH: usize = 50;

/// Parses a condition over searches of these names. The error is a fragment.
pub(super) fn parse(text: &str, names: &[String]) -> Result<Condition, String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().collect();
    if words.contains(&"|") {
        return Err("aggregations (`| count() …`) are not translated: use `threshold`".to_owned());
    }
    words.reverse();
    let mut parser = Parser { words, names };
    let condition = parser.either(0)?;
    match parser.words.pop() {
        None => Ok(condition),
        Some(word) => Err(format!("`{word}` is not expected in the condition")),
    }
}

struct Parser<'a> {
    /// The words that are left, the next one last.
    words: Vec<&'a str>,
    names: &'a [String],
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let is = self
            .words
            .last()
            .is_some_and(|next| next.eq_ignore_ascii_case(word));
        if is {
            self.words.pop();
        }
        is
    }

    fn either(&mut self, depth: usize) -> Result<Condition, String> {
        let mut all = vec![self.both(depth)?];
        while self.take("or") {
            all.push(self.both(depth)?);
        }
        Ok(match all.len() {
            1 => all.swap_remove(0),
            _ => Condition::Or(all),
        })
    }

    fn both(&mut self, depth: usize) -> Result<Condition, String> {
        let mut all = vec![self.one(depth)?];
        while self.take("and") {
            all.push(self.one(depth)?);
        }
        Ok(match all.len() {
            1 => all.swap_remove(0),
            _ => Condition::And(all),
        })
    }

    fn one(&mut self, depth: usize) -> Result<Condition, String> {
        if depth > MAX_DEPTH {
            return Err("the condition nests too deeply".to_owned());
        }
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.either(depth + 1)?;
            return match self.take(")") {
                true => Ok(inner),
                false => Err("a `)` is missing in the condition".to_owned()),
            };
        }
        let Some(word) = self.words.pop() else {
            return Err("the condition ends too early".to_owned());
        };
        if self.take("of") {
            let Some(pattern) = self.words.pop() else {
                return Err(format!("`{word} of` names nothing"));
            };
            let some = self.matching(pattern)?;
            return match word.to_ascii_lowercase().as_str() {
                "all" => Ok(Condition::AtLeast(some.len(), some)),
                "any" => Ok(Condition::AtLeast(1, some)),
                count => match count.parse() {
                    Ok(count) if count > 0 => Ok(Condition::AtLeast(count, some)),
                    _ => Err(format!("`{word} of` is no number, `all` or `any`")),
                },
            };
        }
        match self.names.iter().position(|name| name == word) {
            Some(at) => Ok(Condition::Search(at)),
            None => Err(format!("the condition names `{word}`, which is no search")),
        }
    }

    fn matching(&self, pattern: &str) -> Result<Vec<usize>, String> {
        let matches = |name: &str| match pattern.split_once('*') {
            _ if pattern.eq_ignore_ascii_case("them") => !name.starts_with('_'),
            Some((before, after)) => {
                name.len() >= before.len() + after.len()
                    && name.starts_with(before)
                    && name.ends_with(after)
            }
            None => name == pattern,
        };
        let names = self.names.iter().enumerate();
        let some: Vec<usize> = names
            .filter(|(_, name)| matches(name))
            .map(|(at, _)| at)
            .collect();
        match some.is_empty() {
            true => Err(format!("no search is called `{pattern}`")),
            false => Ok(some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_bind_as_sigma_says() {
        use Condition::{And, AtLeast, Not, Or, Search};
        let names = ["sel_a", "sel_b", "filter", "_x"].map(str::to_owned);
        let parse = |text: &str| parse(text, &names);
        assert_eq!(
            parse("sel_a or sel_b and not filter"),
            Ok(Or(vec![
                Search(0),
                And(vec![Search(1), Not(Box::new(Search(2)))])
            ]))
        );
        assert_eq!(
            parse("(1 of sel_*) AND NOT filter"),
            Ok(And(vec![AtLeast(1, vec![0, 1]), Not(Box::new(Search(2)))]))
        );
        assert_eq!(parse("all of them"), Ok(AtLeast(3, vec![0, 1, 2])));
        for (text, error) in [
            ("sel_a and", "the condition ends too early"),
            ("(sel_a", "a `)` is missing in the condition"),
            ("sel_c", "the condition names `sel_c`, which is no search"),
            ("1 of y*", "no search is called `y*`"),
            ("sel_a sel_b", "`sel_b` is not expected in the condition"),
        ] {
            assert_eq!(parse(text), Err(error.to_owned()), "{text}");
        }
    }
}
