//! Reads a pickle as data. Nothing in it is ever called or imported: a call becomes a node that says what would have
//! been called with what.
//!
//! Values live in one list and refer to each other by index. Each opcode adds at most one value and one reference, so
//! that memory is a small multiple of the pickle's length whatever it holds, and cycles and depth cost nothing.
//!
//! Opcodes of protocols 2 to 5 as in Python's `pickletools`.

use std::{cell::RefCell, collections::HashMap};

use crate::limits::Limits;

/// Index of a value.
pub(in crate::model) type Id = usize;

/// A value. Strings borrow from the pickle.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
    /// Also integers of more than 64 bits, little-endian.
    Bytes(&'a [u8]),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function by name.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// Boxed, so that the others stay small: a hostile pickle has one for each byte.
    Object(Box<Object>),
    /// Something stored outside the pickle, by its key.
    Persistent(Id),
}

/// What `callee(*args)` would give, with what is set on it afterwards.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Object {
    callee: Id,
    pub args: Id,
    state: Option<Id>,
    items: Vec<(Id, Id)>,
    elements: Vec<Id>,
}

/// A pickle that was read.
#[derive(Debug)]
pub(in crate::model) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    /// The largest number under which a value was stored.
    largest_key: u64,
    /// The entries of long dicts by their keys, once they are looked up.
    indices: RefCell<HashMap<Id, HashMap<&'a str, Id>>>,
}

impl<'a> Pickle<'a> {
    /// Reads the whole pickle. The error says what is wrong, and where.
    pub fn read(data: &'a [u8]) -> Result<Self, String> {
        let mut reader = Reader {
            data,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            sparse_memo: HashMap::new(),
            largest_key: 0,
        };
        loop {
            let at = reader.at;
            let located = |problem: String| format!("{problem} at byte {at} of its pickle");
            let opcode = reader.byte().map_err(located)?;
            if opcode == b'.' {
                let root = reader.pop().map_err(located)?;
                return Ok(Self {
                    values: reader.values,
                    root,
                    largest_key: reader.largest_key,
                    indices: RefCell::default(),
                });
            }
            reader.step(opcode).map_err(located)?;
        }
    }

    /// The largest number under which a value was stored, to be recalled. PyTorch counts from 0; a reader that keeps a
    /// list of them takes as much memory as this says.
    pub fn largest_key(&self) -> u64 {
        self.largest_key
    }

    /// The outermost value.
    pub fn root(&self) -> Id {
        self.root
    }

    pub fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// How many values there are; they are numbered from 0.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The arguments of a call.
    pub fn arguments(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Object(object) => match self.get(object.args) {
                Value::Tuple(args) => Some(args),
                _ => None,
            },
            _ => None,
        }
    }

    /// The values that lie in a value.
    pub fn parts(&self, id: Id) -> Vec<Id> {
        let both = |entries: &[(Id, Id)]| entries.iter().flat_map(|&(key, value)| [key, value]).collect::<Vec<_>>();
        match self.get(id) {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.clone(),
            Value::Dict(entries) => both(entries),
            Value::Persistent(key) => vec![*key],
            Value::Object(object) => {
                let mut parts = both(&object.items);
                parts.extend(&object.elements);
                parts.extend([object.callee, object.args]);
                parts.extend(object.state);
                parts
            }
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Bytes(_)
            | Value::Global { .. } => Vec::new(),
        }
    }

    pub fn str(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a dict, or of an object that is filled like one (`OrderedDict`).
    pub fn entries(&self, id: Id) -> &[(Id, Id)] {
        match self.get(id) {
            Value::Dict(entries) => entries,
            Value::Object(object) => &object.items,
            _ => &[],
        }
    }

    /// The entry of a dict with the text `key`; the last one, as in Python.
    pub fn entry(&self, id: Id, key: &str) -> Option<Id> {
        /// Up to here searching is faster than an index.
        const FEW: usize = 64;
        let entries = self.entries(id);
        if entries.len() <= FEW {
            return entries.iter().rev().find(|(name, _)| self.str(*name) == Some(key)).map(|&(_, value)| value);
        }
        // Nobody asks for a long key, and a long one may be in it a million times.
        let short = |&(name, value): &(Id, Id)| Some((self.str(name).filter(|name| name.len() <= FEW)?, value));
        let mut indices = self.indices.borrow_mut();
        indices.entry(id).or_insert_with(|| entries.iter().filter_map(short).collect()).get(key).copied()
    }

    /// Module and name of the class or function that an object was made by.
    pub fn class(&self, id: Id) -> Option<(&'a str, &'a str)> {
        match self.get(id) {
            Value::Object(object) => match self.get(object.callee) {
                Value::Global { module, name } => Some((module, name)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The attribute `name` of an object, from the state that was set on it.
    pub fn attribute(&self, id: Id, name: &str) -> Option<Id> {
        match self.get(id) {
            Value::Object(object) => self.entry(object.state?, name),
            _ => None,
        }
    }

    /// All attributes of an object, names and values.
    pub fn attributes(&self, id: Id) -> &[(Id, Id)] {
        match self.get(id) {
            Value::Object(object) => object.state.map_or(&[], |state| self.entries(state)),
            _ => &[],
        }
    }
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    /// What was stored, by number: pickles number from 0.
    memo: Vec<Id>,
    /// What was stored under other numbers.
    sparse_memo: HashMap<u64, Id>,
    largest_key: u64,
}

type Step<T = ()> = Result<T, String>;

impl<'a> Reader<'a> {
    #[expect(clippy::too_many_lines, reason = "a machine has an arm for each opcode")]
    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            // PROTO, FRAME: nothing to do.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.stack.push(self.top()?),

            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' => self.push_int::<1>()?,
            b'M' => self.push_int::<2>()?,
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()));
            }
            0x8A => {
                let length = self.length::<1>()?;
                self.push_long(length)?;
            }
            0x8B => {
                let length = self.length::<4>()?;
                self.push_long(length)?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(value));
            }
            0x8C => self.push_str::<1>()?,
            b'X' => self.push_str::<4>()?,
            0x8D => self.push_str::<8>()?,
            // SHORT_BINBYTES, SHORT_BINSTRING, and so on: bytes with a length of 1, 4 or 8 bytes.
            b'C' | b'U' => self.push_bytes::<1>()?,
            b'B' | b'T' => self.push_bytes::<4>()?,
            0x8E | 0x96 => self.push_bytes::<8>()?,

            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x8F => self.push(Value::Set(Vec::new())),
            0x85..=0x87 => {
                let start = self.stack.len().checked_sub(usize::from(opcode - 0x84)).ok_or("has too few values")?;
                let items = self.stack.split_off(start);
                self.push(Value::Tuple(items));
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Value::Set(items));
            }
            b'd' => {
                let entries = pairs(self.pop_to_mark()?)?;
                self.push(Value::Dict(entries));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])?;
            }
            b'u' => {
                let entries = pairs(self.pop_to_mark()?)?;
                self.set_items(entries)?;
            }

            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.values[module], &self.values[name]) {
                    (&Value::Str(module), &Value::Str(name)) => self.push_global(module, name)?,
                    _ => return Err("names a class by something else than text".into()),
                }
            }
            // REDUCE and NEWOBJ: a call. NEWOBJ_EX has keyword arguments, which no module of torch has.
            b'R' | 0x81 => {
                let (args, callee) = (self.pop()?, self.pop()?);
                self.push_call(callee, args);
            }
            0x92 => {
                let (_, args, callee) = (self.pop()?, self.pop()?, self.pop()?);
                self.push_call(callee, args);
            }
            b'b' => {
                let new_state = self.pop()?;
                let target = self.top()?;
                match &mut self.values[target] {
                    Value::Object(object) => object.state = Some(new_state),
                    _ => return Err("sets the state of something that has none".into()),
                }
            }
            b'Q' => {
                let key = self.pop()?;
                self.push(Value::Persistent(key));
            }

            b'q' => self.store::<1>()?,
            b'r' => self.store::<4>()?,
            0x94 => {
                self.memo.push(self.top()?);
            }
            b'h' => self.recall::<1>()?,
            b'j' => self.recall::<4>()?,
            other => return Err(format!("has the unknown opcode {other:#04x}")),
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.data.len());
        let end = end.ok_or_else(|| format!("ends where {length} more bytes should follow"))?;
        let taken = &self.data[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// An unsigned little-endian number of `N` bytes, at most 8.
    fn number<const N: usize>(&mut self) -> Step<u64> {
        Ok(self.array::<N>()?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn length<const N: usize>(&mut self) -> Step<usize> {
        let length = self.number::<N>()?;
        usize::try_from(length).map_err(|_| format!("asks for {length} bytes"))
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.data[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("has a name without end")?;
        self.at += length + 1;
        text(&rest[..length])
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn push_global(&mut self, module: &'a str, name: &'a str) -> Step {
        let letters = module.len() + name.len();
        if letters > Limits::CLASS_LETTERS {
            return Err(format!("names a class by {letters} letters"));
        }
        self.push(Value::Global { module, name });
        Ok(())
    }

    fn push_call(&mut self, callee: Id, args: Id) {
        let (items, elements) = (Vec::new(), Vec::new());
        self.push(Value::Object(Box::new(Object { callee, args, state: None, items, elements })));
    }

    fn push_int<const N: usize>(&mut self) -> Step {
        let value = self.number::<N>()? as i64;
        self.push(Value::Int(value));
        Ok(())
    }

    /// A signed little-endian number of `length` bytes.
    fn push_long(&mut self, length: usize) -> Step {
        let bytes = self.take(length)?;
        if length > 8 {
            self.push(Value::Bytes(bytes));
            return Ok(());
        }
        let fill = if bytes.last().is_some_and(|&last| last >= 0x80) { 0xFF } else { 0 };
        let mut padded = [fill; 8];
        padded[..length].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(padded)));
        Ok(())
    }

    fn push_str<const N: usize>(&mut self) -> Step {
        let length = self.length::<N>()?;
        let text = text(self.take(length)?)?;
        self.push(Value::Str(text));
        Ok(())
    }

    fn push_bytes<const N: usize>(&mut self) -> Step {
        let length = self.length::<N>()?;
        let bytes = self.take(length)?;
        self.push(Value::Bytes(bytes));
        Ok(())
    }

    /// Takes a value off the stack, down to the last mark at most.
    fn pop(&mut self) -> Step<Id> {
        if self.marks.last().is_some_and(|&mark| mark == self.stack.len()) {
            return Err("takes a value from beyond a mark".into());
        }
        self.stack.pop().ok_or_else(|| "has too few values".into())
    }

    fn top(&self) -> Step<Id> {
        self.stack.last().copied().ok_or_else(|| "has too few values".into())
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("has too few marks")?;
        if mark > self.stack.len() {
            return Err("has a mark beyond its values".into());
        }
        Ok(self.stack.split_off(mark))
    }

    fn extend(&mut self, new: Vec<Id>) -> Step {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::List(items) | Value::Set(items) => items.extend(new),
            Value::Object(object) => object.elements.extend(new),
            _ => return Err("appends to something that is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, new: Vec<(Id, Id)>) -> Step {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::Dict(entries) => entries.extend(new),
            Value::Object(object) => object.items.extend(new),
            _ => return Err("sets entries of something that is no dict".into()),
        }
        Ok(())
    }

    fn store<const N: usize>(&mut self) -> Step {
        let key = self.number::<N>()?;
        let top = self.top()?;
        self.largest_key = self.largest_key.max(key);
        match usize::try_from(key) {
            Ok(at) if at < self.memo.len() => self.memo[at] = top,
            Ok(at) if at == self.memo.len() => self.memo.push(top),
            _ => drop(self.sparse_memo.insert(key, top)),
        }
        Ok(())
    }

    fn recall<const N: usize>(&mut self) -> Step {
        let key = self.number::<N>()?;
        let id = usize::try_from(key).ok().and_then(|at| self.memo.get(at)).or_else(|| self.sparse_memo.get(&key));
        let id = *id.ok_or_else(|| format!("recalls value {key}, which was never stored"))?;
        self.stack.push(id);
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Step<&str> {
    std::str::from_utf8(bytes).map_err(|_| "has text that is no UTF-8".into())
}

fn pairs(items: Vec<Id>) -> Step<Vec<(Id, Id)>> {
    match items.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err("has a key without value".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn root<'a>(pickle: &Pickle<'a>) -> Value<'a> {
        pickle.get(pickle.root()).clone()
    }

    fn value(data: &[u8]) -> Value<'_> {
        root(&Pickle::read(data).unwrap())
    }

    #[test]
    fn a_value_is_small() {
        // A hostile pickle of 8 MiB, one value for each byte, then takes 320 MiB.
        assert!(size_of::<Value>() <= 40, "{} bytes", size_of::<Value>());
    }

    #[test]
    fn scalars_are_read() {
        assert_eq!(value(b"\x80\x02N."), Value::None);
        assert_eq!(value(b"\x88."), Value::Bool(true));
        assert_eq!(value(b"K\xff."), Value::Int(255));
        assert_eq!(value(b"M\x01\x02."), Value::Int(0x0201));
        assert_eq!(value(b"J\xff\xff\xff\xff."), Value::Int(-1));
        assert_eq!(value(b"\x8a\x00."), Value::Int(0));
        assert_eq!(value(b"\x8a\x02\x00\xff."), Value::Int(-256));
        assert_eq!(value(b"\x8a\x09\0\0\0\0\0\0\0\0\x01."), Value::Bytes(b"\0\0\0\0\0\0\0\0\x01"));
        assert_eq!(value(b"G\x3f\xf8\0\0\0\0\0\0."), Value::Float(1.5));
        assert_eq!(value(b"X\x03\0\0\0cat."), Value::Str("cat"));
        assert_eq!(value(b"\x8c\x03cat\x94."), Value::Str("cat"));
    }

    #[test]
    fn a_dict_is_read_and_the_last_entry_counts() {
        // {'a': 1, 'b': [2, 3], 'a': 4}
        let data = b"\x80\x02}q\0(X\x01\0\0\0aK\x01X\x01\0\0\0b](K\x02K\x03eX\x01\0\0\0aK\x04u.";
        let pickle = Pickle::read(data).unwrap();
        let at = |key| pickle.entry(pickle.root(), key).map(|id| pickle.get(id).clone());
        assert_eq!(at("a"), Some(Value::Int(4)));
        let Some(Value::List(items)) = at("b") else { panic!("no list") };
        assert_eq!(items.iter().map(|&id| pickle.get(id).clone()).collect::<Vec<_>>(), [Value::Int(2), Value::Int(3)]);
        assert_eq!(at("c"), None);
    }

    #[test]
    fn a_long_dict_is_read_as_a_short_one() {
        // {'a': 0, 'b': 1, 'a': 2, 'b': 1, 'b': 1, ...}
        let mut data = b"}(X\x01\0\0\0aK\0X\x01\0\0\0bK\x01X\x01\0\0\0aK\x02".to_vec();
        data.extend(b"X\x01\0\0\0bK\x01".repeat(1000));
        data.extend(b"u.");
        let pickle = Pickle::read(&data).unwrap();
        let at = |key| pickle.entry(pickle.root(), key).map(|id| pickle.get(id).clone());
        assert_eq!([at("a"), at("b"), at("c")], [Some(Value::Int(2)), Some(Value::Int(1)), None]);
    }

    #[test]
    fn a_call_is_kept_as_data() {
        // os.system('id'), then an object of models.yolo.Model with state {'nc': 2}.
        let data = b"cos\nsystem\n(X\x02\0\0\0idtR0cmodels.yolo\nModel\n)\x81}X\x02\0\0\0ncK\x02sb.";
        let pickle = Pickle::read(data).unwrap();
        assert_eq!(pickle.class(pickle.root()), Some(("models.yolo", "Model")));
        let classes = pickle.attribute(pickle.root(), "nc").map(|id| pickle.get(id));
        assert_eq!(classes, Some(&Value::Int(2)));
    }

    #[test]
    fn what_torch_stores_outside_is_a_key() {
        let data = b"(X\x07\0\0\0storageK\x05tQ.";
        let pickle = Pickle::read(data).unwrap();
        let Value::Persistent(key) = root(&pickle) else { panic!("no key") };
        assert!(matches!(pickle.get(key), Value::Tuple(items) if items.len() == 2));
    }

    #[test]
    fn a_value_may_contain_itself() {
        let data = b"]q\0h\0a.";
        let pickle = Pickle::read(data).unwrap();
        assert_eq!(root(&pickle), Value::List(vec![pickle.root()]));
    }

    #[test]
    fn references_cost_no_memory_however_often_they_multiply() {
        // Each list holds the one before ten times: 10^1000 elements if it were copied.
        let mut data = b"]q\0".to_vec();
        for _ in 0..1000 {
            data.extend(b"0](h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0eq\0");
        }
        data.push(b'.');
        let pickle = Pickle::read(&data).unwrap();
        assert_eq!(pickle.values.len(), 1001);
    }

    #[test]
    fn a_hostile_pickle_is_an_error() {
        for (data, problem) in [
            (&b""[..], "ends"),
            (b".", "too few values"),
            (b"N", "ends"),
            (b"\x8d\0\0\0\0\0\0\0\x10.", "ends where 1152921504606846976 more bytes"),
            (b"X\xff\xff\xff\xffabc.", "ends where"),
            (b"h\x07.", "recalls value 7"),
            (&[b"c", [b'x'; 2000].as_slice(), b"\ny\n."].concat(), "names a class by 2001 letters"),
            (b"t.", "too few marks"),
            (b"N(R.", "beyond a mark"),
            (b"NNb.", "state"),
            (b"NNa.", "no list"),
            (b"NNNs.", "no dict"),
            (b"(NNNd.", "key without value"),
            (b"X\x01\0\0\0\xff.", "UTF-8"),
            (b"NN\x93.", "text"),
            (b"cmodule", "name without end"),
            (b"\xfe.", "unknown opcode 0xfe"),
        ] {
            let error = Pickle::read(data).unwrap_err();
            assert!(error.contains(problem) && error.contains("at byte"), "{error:?} for {data:?}");
        }
    }

    #[test]
    fn values_are_stored_under_any_number() {
        // ['x', 'y', 'x'], with 'x' as number 2^24 and 'y' as number 0.
        let pickle = Pickle::read(b"](X\x01\0\0\0xr\0\0\0\x01X\x01\0\0\0yq\0j\0\0\0\x01e.").unwrap();
        let Value::List(items) = root(&pickle) else { panic!("no list") };
        assert_eq!(items.iter().map(|&id| pickle.str(id)).collect::<Vec<_>>(), [Some("x"), Some("y"), Some("x")]);
    }

    #[test]
    fn depth_is_no_recursion() {
        let mut data = vec![b']'; 1_000_000];
        data.extend(vec![b'a'; 999_999]);
        data.push(b'.');
        assert!(Pickle::read(&data).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_within_their_length(
            data in prop::collection::vec(prop_oneof![
                any::<u8>(),
                prop::sample::select(b"N(.tRbq\0h\0]ae}us)\x81Q\x85\x86\x87K1X".to_vec()),
            ], 0..300)
        ) {
            if let Ok(pickle) = Pickle::read(&data) {
                prop_assert!(pickle.values.len() <= data.len());
            }
        }
    }
}
