//! The filter functions in Rust: jaq's safe ones, and those for Kael's values.

use std::rc::Rc;

use jaq_core::box_iter::box_once;
use jaq_core::native::{Filter, Fun, bome, run, unary, v};
use jaq_core::{Error, RunPtr, ValR};
use regex_automata::PatternID;

use super::read_json::read_json;
use super::value::{Object, Val, indices, write_json};
use super::{Data, format, math, regex, time};

/// jaq's functions that are left out: there is no process to end, and Kael's strings are always
/// valid text. Two more are replaced by versions for all values.
const WITHOUT: [&str; 4] = ["halt", "implode", "ltrimstr", "rtrimstr"];

/// All functions by name. Of jaq-std only those without dependencies: its times, formats and
/// mathematics would double the guest's size, its regular expressions can panic, and it reads the
/// environment.
pub(super) fn all() -> impl Iterator<Item = Fun<Data>> {
    let library = jaq_std::base_funs().filter(|(name, ..)| !WITHOUT.contains(name));
    let own = [
        own(),
        format::functions(),
        math::functions(),
        time::functions(),
    ];
    let own = own.into_iter().flat_map(<[_]>::into_vec).map(run::<Data>);
    jaq_core::funs().chain(library).chain(own)
}

fn own() -> Box<[Filter<RunPtr<Data>>]> {
    Box::new([
        ("nan", v(0), |_| bome(Ok(Val::Float(f64::NAN)))),
        ("infinite", v(0), |_| bome(Ok(Val::Float(f64::INFINITY)))),
        ("length", v(0), |cv| bome(length(cv.1))),
        ("tojson", v(0), |cv| {
            bome(Ok(Val::from(
                String::from_utf8_lossy(&write_json(&cv.1)).into_owned(),
            )))
        }),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("implode", v(0), |cv| bome(implode(cv.1))),
        ("ltrimstr", v(1), |cv| {
            unary(cv, |value, start| {
                Ok(trimmed(value, &start, |text, start| {
                    text.strip_prefix(start)
                }))
            })
        }),
        ("rtrimstr", v(1), |cv| {
            unary(cv, |value, end| {
                Ok(trimmed(value, &end, |text, end| text.strip_suffix(end)))
            })
        }),
        ("contains", v(1), |cv| {
            unary(cv, |whole, part| contains(&whole, &part).map(Val::from))
        }),
        ("has", v(1), |cv| {
            unary(cv, |value, key| {
                // Negative depths do not count from the end here.
                let below =
                    matches!((&value, key.number()), (Val::List(_), Some(at)) if at.float() < 0.0);
                Ok((value.find(&key)?.is_some() && !below).into())
            })
        }),
        ("indices", v(1), |cv| {
            unary(cv, |value, part| all_indices(&value, &part))
        }),
        ("bsearch", v(1), |cv| {
            unary(cv, |list, wanted| {
                let found = list.list()?.items().binary_search(&wanted);
                Ok(found
                    .map_or_else(|at| -1 - at as isize, |at| at as isize)
                    .into())
            })
        }),
        ("matches", v(2), |mut cv| {
            let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
            box_once(search(&cv.1, &pattern, &flags, false, true).map_err(Into::into))
        }),
        ("split_matches", v(2), |mut cv| {
            let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
            box_once(search(&cv.1, &pattern, &flags, true, true).map_err(Into::into))
        }),
        ("split_", v(2), |mut cv| {
            let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
            box_once(search(&cv.1, &pattern, &flags, true, false).map_err(Into::into))
        }),
    ])
}

fn length(value: Val) -> ValR<Val> {
    Ok(match value {
        Val::Null => Val::Int(0),
        Val::Text(text) => Val::from(text.chars().count()),
        Val::List(list) => Val::from(list.items().len()),
        Val::Object(object) => Val::from(object.entries().len()),
        number @ (Val::Int(_) | Val::Float(_)) if number < Val::Int(0) => return -number,
        number @ (Val::Int(_) | Val::Float(_)) => number,
        value @ Val::Bool(_) => return Err(Error::str(format_args!("{value} has no length"))),
    })
}

fn as_text(value: &Val) -> Result<&str, Error<Val>> {
    match value {
        Val::Text(text) => Ok(text),
        other => Err(Error::typ(other.clone(), "string")),
    }
}

/// A string without its prefix or suffix. Other values stay as they are.
fn trimmed(value: Val, part: &Val, strip: for<'a> fn(&'a str, &str) -> Option<&'a str>) -> Val {
    match (&value, part) {
        (Val::Text(text), Val::Text(part)) => match strip(text, part) {
            Some(rest) => Val::from(rest.to_owned()),
            None => value,
        },
        _ => value,
    }
}

fn from_json(value: &Val) -> ValR<Val> {
    read_json(as_text(value)?.as_bytes())
        .map_err(|error| Error::str(format_args!("cannot parse {value} as JSON: {error}")))
}

fn implode(value: Val) -> ValR<Val> {
    let list = value.list()?;
    let characters = list.items().iter().map(|item| {
        let code = match item {
            Val::Int(code) => u32::try_from(*code).ok().and_then(char::from_u32),
            _ => None,
        };
        code.ok_or_else(|| Error::str(format_args!("{item} is not a character")))
    });
    Ok(Val::from(characters.collect::<Result<String, _>>()?))
}

fn contains(whole: &Val, part: &Val) -> Result<bool, Error<Val>> {
    fn within(whole: &Val, part: &Val) -> bool {
        match (whole, part) {
            (Val::Text(whole), Val::Text(part)) => whole.contains(part.as_str()),
            (Val::List(whole), Val::List(part)) => {
                let mut parts = part.items().iter();
                parts.all(|part| whole.items().iter().any(|item| within(item, part)))
            }
            (Val::Object(whole), Val::Object(part)) => part.entries().iter().all(|(key, part)| {
                let item = whole.entries().get(key);
                item.is_some_and(|item| within(item, part))
            }),
            (whole, part) => whole == part,
        }
    }
    match (whole, part) {
        (Val::Text(_), Val::Text(_))
        | (Val::List(_), Val::List(_))
        | (Val::Object(_), Val::Object(_)) => Ok(within(whole, part)),
        _ if whole == part => Ok(true),
        _ => {
            let message = format_args!("cannot check whether {whole} contains {part}");
            Err(Error::str(message))
        }
    }
}

fn all_indices(value: &Val, part: &Val) -> ValR<Val> {
    match (value, part) {
        (Val::Null, _) => Ok(Val::Null),
        (Val::Text(text), Val::Text(part)) if !part.is_empty() => {
            // Matches may overlap. Their positions are in characters.
            let places = text.char_indices().enumerate();
            let hits = places.filter(|(_, (at, _))| text[*at..].starts_with(part.as_str()));
            Ok(hits.map(|(count, _)| Val::from(count)).collect())
        }
        (Val::Text(_), Val::Text(_)) => Ok([].into_iter().collect()),
        (Val::List(list), Val::List(part)) => Ok(indices(list.items(), part.items())),
        (Val::List(list), item) => Ok(indices(list.items(), std::slice::from_ref(item))),
        (value, part) => Err(Error::index(value.clone(), part.clone())),
    }
}

/// Searches with a regular expression: `between` returns the strings between matches, `found` the
/// groups of the matches.
fn search(value: &Val, pattern: &Val, flags: &Val, between: bool, found: bool) -> ValR<Val> {
    let (subject, mut flags) = (as_text(value)?, as_text(flags)?.to_owned());
    let pattern = match pattern {
        // The pattern and its flags may come as one list.
        Val::List(both) => match both.items() {
            [pattern] => as_text(pattern)?,
            [pattern, more] => {
                flags += as_text(more)?;
                as_text(pattern)?
            }
            _ => return Err(Error::typ(pattern.clone(), "list of a pattern and flags")),
        },
        pattern => as_text(pattern)?,
    };
    let flags = flags.as_str();
    let regex = regex::compiled(pattern, flags)?;
    let is = |flag: char| flags.contains(flag);
    let cut = |from: usize, to: usize| Val::from(subject[from..to].to_owned());
    let names = regex.get_nfa().group_info().pattern_names(PatternID::ZERO);
    let names: Vec<Option<&str>> = names.collect();
    let mut cache = regex.create_cache();
    // Matches ascend, so characters are counted on from the last match.
    let (mut seen, mut seen_characters) = (0, 0);
    let (mut parts, mut last) = (Vec::new(), 0);
    for captures in regex.captures_iter(&mut cache, subject) {
        let Some(whole) = captures.get_group(0) else {
            continue;
        };
        if is('n') && whole.start == whole.end {
            continue;
        }
        if between {
            parts.push(cut(last, whole.start));
            last = whole.end;
        }
        if found {
            seen_characters += characters(&subject[seen..whole.start]);
            seen = whole.start;
            let groups = names.iter().enumerate().map(|(number, name)| {
                let mut object = Object::default();
                let mut put = |key: &str, value| object.insert(Rc::new(key.to_owned()), value);
                // A group that did not match still has an entry.
                let (offset, length, string) = match captures.get_group(number) {
                    None => (Val::Int(-1), Val::Int(0), Val::Null),
                    Some(group) => (
                        Val::from(seen_characters + characters(&subject[seen..group.start])),
                        Val::from(characters(&subject[group.start..group.end])),
                        cut(group.start, group.end),
                    ),
                };
                put("offset", offset);
                put("length", length);
                put("string", string);
                if let Some(name) = name {
                    put("name", Val::from((*name).to_owned()));
                }
                Val::from(object)
            });
            parts.push(groups.collect());
        }
        if !is('g') {
            break;
        }
    }
    if between {
        parts.push(cut(last, subject.len()));
    }
    Ok(parts.into_iter().collect())
}

fn characters(text: &str) -> usize {
    text.chars().count()
}
