//! JSON for people whose keys stand in the order of their bytes: what a [`serde_json::Value`] prints, without making one.
//!
//! Anything that can be serialized enters, bytes leave. Fields are written as they come, and put in order where they stand
//! once their object ends.

use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::Range;
use std::rc::Rc;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Pretty JSON with sorted keys.
pub fn to_vec<T: Serialize + ?Sized>(body: &T) -> serde_json::Result<Vec<u8>> {
    let sheet = Sheet::default();
    let sorted = Sorted {
        pretty: PrettyFormatter::new(),
        sheet: sheet.clone(),
        fields: Vec::new(),
        begun: Vec::new(),
        room: Vec::new(),
    };
    body.serialize(&mut Serializer::with_formatter(sheet.clone(), sorted))?;
    Ok(sheet.0.take())
}

/// What is written so far. The serializer adds to it, and it is put in order behind its back.
#[derive(Clone, Default)]
struct Sheet(Rc<RefCell<Vec<u8>>>);

impl Sheet {
    fn end(&self) -> usize {
        self.0.borrow().len()
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where on the sheet a field stands.
struct Field {
    /// The first bytes of its key as a number: most keys differ there, and the rest need not be looked up.
    head: u64,
    /// Its key, without quotes.
    key: Range<usize>,
    /// Key and value, without what separates fields.
    all: Range<usize>,
}

/// Pretty, and sorted.
struct Sorted {
    pretty: PrettyFormatter<'static>,
    sheet: Sheet,
    /// Of every object that is not at its end, an inner one's behind those of the one around it.
    fields: Vec<Field>,
    /// How many of them belong to those around each object.
    begun: Vec<usize>,
    /// The object that is put in order.
    room: Vec<u8>,
}

impl Sorted {
    fn put_in_order(&mut self) {
        let begun = self.begun.pop().unwrap_or_default();
        let fields = self.fields.get_mut(begun..).unwrap_or_default();
        if let [head, next, ..] = &*fields {
            let mut sheet = self.sheet.0.borrow_mut();
            let text = |range: &Range<usize>| sheet.get(range.clone()).unwrap_or_default();
            let (place, between) = (head.all.start, text(&(head.all.end..next.all.start)));
            fields.sort_by(|one, other| {
                let heads = one.head.cmp(&other.head);
                heads.then_with(|| text(&one.key).cmp(text(&other.key)))
            });
            self.room.clear();
            for (index, field) in fields.iter().enumerate() {
                self.room.extend_from_slice(if index == 0 { &[] } else { between });
                self.room.extend_from_slice(text(&field.all));
            }
            sheet.truncate(place);
            sheet.extend_from_slice(&self.room);
        }
        self.fields.truncate(begun);
    }
}

/// In the order of the bytes: a key that ends early stands before those that go on, or beside one that goes on with zeros.
fn head(key: &[u8]) -> u64 {
    let mut first = [0; size_of::<u64>()];
    first.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    u64::from_be_bytes(first)
}

impl Formatter for Sorted {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begun.push(self.fields.len());
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.put_in_order();
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(writer, first)?;
        let begin = self.sheet.end();
        self.fields.push(Field {
            head: 0,
            key: begin + 1..begin + 1,
            all: begin..begin,
        });
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(field) = self.fields.last_mut() {
            let sheet = self.sheet.0.borrow();
            field.key.end = sheet.len() - 1;
            field.head = head(sheet.get(field.key.clone()).unwrap_or_default());
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if let Some(field) = self.fields.last_mut() {
            field.all.end = self.sheet.end();
        }
        self.pretty.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{hash_map, vec};
    use proptest::prelude::*;

    use super::*;

    /// A value whose objects come in no order.
    #[derive(Debug, Clone, Serialize)]
    #[serde(untagged)]
    enum Any {
        Nothing,
        Number(f64),
        Text(String),
        List(Vec<Any>),
        Object(std::collections::HashMap<String, Any>),
    }

    fn any_value() -> impl Strategy<Value = Any> {
        let leaf = prop_oneof![
            Just(Any::Nothing),
            any::<f64>().prop_map(Any::Number),
            ".{0,4}".prop_map(Any::Text),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Any::List),
                // No characters that JSON escapes: a value sorts keys before it escapes them.
                hash_map("[ -!#-\\[\\]-~ä]{0,3}", inner, 0..6).prop_map(Any::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_what_a_value_prints(value in any_value()) {
            let sorted = String::from_utf8(to_vec(&value).unwrap()).unwrap();
            prop_assert_eq!(sorted, format!("{:#}", serde_json::to_value(&value).unwrap()));
        }
    }

    #[test]
    fn fields_of_structs_are_sorted_too() {
        #[derive(Serialize)]
        struct Inner {
            z: u8,
            a: [u8; 2],
        }
        #[derive(Serialize)]
        struct Outer {
            name: &'static str,
            #[serde(flatten)]
            inner: Inner,
            deep: Inner,
            also: Option<u8>,
        }
        let inner = |z| Inner { z, a: [z, z + 1] };
        let outer = Outer {
            name: "n",
            inner: inner(1),
            deep: inner(5),
            also: None,
        };
        let sorted = String::from_utf8(to_vec(&outer).unwrap()).unwrap();
        assert_eq!(sorted, format!("{:#}", serde_json::to_value(&outer).unwrap()));
    }
}
