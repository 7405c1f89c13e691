//! A YAML document as written: values from `serde_yaml`, positions from `saphyr-parser`, both walked side by side.
//! A guard on the event stream refuses depth, size, anchors and tags before `serde_yaml` sees the text, because it is
//! quadratic in depth and expands aliases without bound.

use crate::{diagnostic::Place, mistake::Mistake};
use saphyr_parser::{Event, Parser};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Deepest nesting; the schema needs six.
pub(crate) const MAX_DEPTH: usize = 16;
/// Most values and keys in a file.
pub(crate) const MAX_NODES: usize = 20_000;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// Where it ends: line and column behind it.
    pub(crate) end: (usize, usize),
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Seq(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// A mistake that ends the reading of a file, and where.
pub(crate) type Broken = (Place, Mistake);

/// Parses one file; `Ok(None)` for one without any value.
pub(crate) fn parse(file: usize, text: &str) -> Result<Option<Node>, Broken> {
    let marks = marks(file, text)?;
    if marks.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map_or(Place::start(file), |l| Place::new(file, l.line(), l.column()));
        (place, Mistake::Syntax { what: error.to_string() })
    })?;
    let mut walk = marks.into_iter();
    Ok(Some(value.at(&mut walk, (Place::start(file), (1, 1)))))
}

type Mark = (Place, (usize, usize));

/// The places of all nodes in document order.
fn marks(file: usize, text: &str) -> Result<Vec<Mark>, Broken> {
    let (mut depth, mut documents, mut marks) = (0_usize, 0_usize, Vec::new());
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let place = Place::new(file, error.marker().line(), error.marker().col() + 1);
            (place, Mistake::Syntax { what: error.info().to_owned() })
        })?;
        let place = Place::new(file, span.start.line(), span.start.col() + 1);
        let refuse = |mistake| Err((place, mistake));
        match &event {
            Event::Alias(_) => return refuse(Mistake::Alias),
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return refuse(Mistake::SecondDocument);
                }
            }
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => {
                if *anchor != 0 {
                    return refuse(Mistake::Anchor);
                }
                if tag.is_some() {
                    return refuse(Mistake::Tag);
                }
                marks.push((place, (span.end.line(), span.end.col() + 1)));
                if marks.len() > MAX_NODES {
                    return refuse(Mistake::TooManyNodes);
                }
                if !matches!(event, Event::Scalar(..)) {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return refuse(Mistake::TooDeep);
                    }
                }
            }
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(marks)
}

/// A value as `serde_yaml` gives it: maps as pairs, so that a key that stands twice is seen twice.
#[derive(Debug)]
enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Seq(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// Gives every value its place; a node that the other parser did not see takes the place of its parent.
    fn at(self, marks: &mut impl Iterator<Item = Mark>, parent: Mark) -> Node {
        let (place, end) = marks.next().unwrap_or(parent);
        let kind = match self {
            Self::Null => Kind::Null,
            Self::Bool(value) => Kind::Bool(value),
            Self::Number(value) => Kind::Number(value),
            Self::Text(value) => Kind::Text(value),
            Self::Seq(items) => {
                Kind::Seq(items.into_iter().map(|item| item.at(marks, (place, end))).collect())
            }
            Self::Map(pairs) => {
                let pair = |(key, value): (Self, Self)| {
                    let key = key.at(marks, (place, end));
                    let value = value.at(marks, (key.place, key.end));
                    (key, value)
                };
                Kind::Map(pairs.into_iter().map(pair).collect())
            }
        };
        Node { kind, place, end }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Value::Map(pairs))
    }
}
