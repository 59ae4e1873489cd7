//! Implements jaq's interface for values.

use std::rc::Rc;

use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Error, ValR, ValX};

use super::super::number::Number;
use super::{Object, Val, position, unshared, write_json};

/// The largest index at which a filter may add an element. The elements before it become null.
const MAX_INDEX: usize = 1 << 26;

/// Start and length of a slice. A missing or null bound means the start or the end.
fn slice(range: &Range<&Val>, length: usize) -> ValR<(usize, usize), Val> {
    let bound = |bound: Option<&Val>, default: usize, up: bool| match bound {
        None | Some(Val::Null) => Ok(default),
        Some(value) => {
            let number = match value {
                Val::Float(float) if up => Some(Number::Float(float.ceil())),
                value => value.number(),
            };
            let number = number.ok_or_else(|| Error::typ(value.clone(), "number"))?;
            let at = number.whole().unwrap_or(match number.float() < 0.0 {
                true => i64::MIN,
                false => i64::MAX,
            });
            Ok(position(at, length)
                .unwrap_or(if at < 0 { 0 } else { length })
                .min(length))
        }
    };
    let from = bound(range.start, 0, false)?;
    let to = bound(range.end, length, true)?;
    Ok((from, to.saturating_sub(from)))
}

impl jaq_core::ValT for Val {
    fn from_num(text: &str) -> ValR<Self> {
        if let Ok(int) = text.parse() {
            return Ok(Self::Int(int));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let message =
                format_args!("the integer {text} does not fit into 64 bits: {text}.0 is a float");
            return Err(Error::str(message));
        }
        text.parse()
            .map(Self::Float)
            .map_err(|_| Error::str(format_args!("{text} is not a number")))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(pairs: I) -> ValR<Self> {
        let mut object = Object::default();
        for (key, value) in pairs {
            match key {
                Self::Text(key) => object.insert(key, value),
                key => {
                    let message = format_args!("{key} cannot be the key of an object");
                    return Err(Error::str(message));
                }
            }
        }
        Ok(Self::object(object))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        match self {
            Self::List(list) => {
                let items = unshared(list).items.into_iter().enumerate();
                Box::new(items.map(|(at, item)| Ok((Self::from(at), item))))
            }
            Self::Object(object) => {
                let entries = unshared(object).entries.into_iter();
                Box::new(entries.map(|(key, value)| Ok((Self::Text(key), value))))
            }
            other => box_once(Err(Error::typ(other, "array or object"))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        match self {
            Self::List(list) => Box::new(unshared(list).items.into_iter().map(Ok)),
            Self::Object(object) => Box::new(unshared(object).entries.into_values().map(Ok)),
            other => box_once(Err(Error::typ(other, "array or object"))),
        }
    }

    fn index(self, index: &Self) -> ValR<Self> {
        self.find(index).map(Option::unwrap_or_default)
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        match self {
            Self::Null => Ok(Self::Null),
            Self::List(list) => {
                let (from, length) = slice(&range, list.items.len())?;
                Ok(list.items[from..from + length].iter().cloned().collect())
            }
            Self::Text(text) => {
                let (from, length) = slice(&range, text.chars().count())?;
                let part: String = text.chars().skip(from).take(length).collect();
                Ok(Self::from(part))
            }
            other => Err(Error::typ(other, "array or string")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::List(list) => unshared(list).items.into_iter().flat_map(f).collect(),
            Self::Object(object) => {
                let mut mapped = Object::default();
                for (key, value) in unshared(object).entries {
                    if let Some(value) = f(value).next() {
                        mapped.insert(key, value?);
                    }
                }
                Ok(Self::object(mapped))
            }
            other => opt.fail(other, |other| Error::typ(other, "array or object").into()),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self, index) {
            (Self::Null, Self::Text(_)) => Self::object(Object::default()).map_index(index, opt, f),
            (Self::Null, Self::Int(_) | Self::Float(_)) => {
                Self::from_iter([]).map_index(index, opt, f)
            }
            (Self::Object(mut object), Self::Text(key)) => {
                let entries = Rc::make_mut(&mut object);
                let value = entries.entries.remove(key).unwrap_or_default();
                if let Some(value) = f(value).next().transpose()? {
                    entries.insert(key.clone(), value);
                }
                Ok(Self::Object(object))
            }
            (Self::List(mut list), Self::Int(_) | Self::Float(_)) => {
                let outside = || Error::str(format_args!("index {index} out of bounds"));
                let at = index.number().and_then(Number::whole);
                let at = at.and_then(|at| position(at, list.items.len()));
                let at = match at.filter(|at| *at < MAX_INDEX) {
                    Some(at) => at,
                    None => return opt.fail(Self::List(list), |_| outside().into()),
                };
                let items = Rc::make_mut(&mut list);
                let value = items.items.get_mut(at).map(std::mem::take);
                match (f(value.unwrap_or_default()).next().transpose()?, at) {
                    (Some(value), at) => {
                        if at >= items.items.len() {
                            items.items.resize(at + 1, Self::Null);
                        }
                        items.put(at, value);
                    }
                    (None, at) if at < items.items.len() => {
                        items.items.remove(at);
                    }
                    (None, _) => {}
                }
                Ok(Self::List(list))
            }
            (value @ (Self::Null | Self::List(_)), Self::Object(bounds)) => {
                let bound = |name: &str| bounds.get(name);
                value.map_range(bound("start")..bound("end"), opt, f)
            }
            (value, index) => opt.fail(value, |value| Error::index(value, index.clone()).into()),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::Null => Self::from_iter([]).map_range(range, opt, f),
            Self::List(list) => {
                let (from, length) = match slice(&range, list.items.len()) {
                    Ok(slice) => slice,
                    Err(error) => return opt.fail(Self::List(list), |_| error.into()),
                };
                let part = list.items[from..from + length].iter().cloned().collect();
                let part = f(part).next().transpose()?.unwrap_or_default();
                let part = match part {
                    Self::Null => Rc::default(),
                    part => part.list()?,
                };
                let mut whole = unshared(list);
                whole.levels = whole.levels.max(part.levels);
                whole
                    .items
                    .splice(from..from + length, part.items.iter().cloned());
                Ok(Self::List(Rc::new(whole)))
            }
            other => opt.fail(other, |other| Error::typ(other, "array").into()),
        }
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::Text(_) => self,
            other => Self::from(String::from_utf8_lossy(&write_json(&other)).into_owned()),
        }
    }
}

impl jaq_std::ValT for Val {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::List(list) => Ok(unshared(list).items.into_iter().collect()),
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Int(_))
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Int(int) => isize::try_from(*int).ok(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.number().map(Number::float)
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        Self::from_utf8_bytes(sub.to_vec())
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::from(String::from_utf8_lossy(bytes.as_ref()).into_owned())
    }
}

impl From<bool> for Val {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<isize> for Val {
    fn from(value: isize) -> Self {
        Self::Int(value as i64)
    }
}

impl From<usize> for Val {
    fn from(value: usize) -> Self {
        i64::try_from(value).map_or(Self::Float(value as f64), Self::Int)
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<String> for Val {
    fn from(value: String) -> Self {
        Self::Text(Rc::new(value))
    }
}

impl From<Object> for Val {
    fn from(object: Object) -> Self {
        Self::object(object)
    }
}

impl From<Range<Self>> for Val {
    fn from(range: Range<Self>) -> Self {
        let mut object = Object::default();
        for (key, bound) in [("start", range.start), ("end", range.end)] {
            if let Some(bound) = bound {
                object.insert(Rc::new(key.to_owned()), bound);
            }
        }
        Self::object(object)
    }
}

impl FromIterator<Self> for Val {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::List(Rc::new(items.into_iter().collect()))
    }
}
