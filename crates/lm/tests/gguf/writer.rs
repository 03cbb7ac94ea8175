//! Writes small GGUF files, valid or not.

/// A metadata value.
#[derive(Clone)]
pub enum Meta {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Floats(Vec<f32>),
    Ints(Vec<i32>),
    /// A type code and the bytes after it.
    Raw(u32, Vec<u8>),
}

/// A tensor; its shape is outermost first, as everywhere but in the file.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub shape: Vec<u64>,
    pub code: u32,
    pub bytes: Vec<u8>,
    /// Its offset, where it is not the next free one.
    pub offset: Option<u64>,
}

/// A file to be.
#[derive(Clone)]
pub struct File {
    pub magic: [u8; 4],
    pub version: u32,
    pub alignment: usize,
    pub meta: Vec<(String, Meta)>,
    pub tensors: Vec<Entry>,
}

impl File {
    pub fn new() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            alignment: 32,
            meta: Vec::new(),
            tensors: Vec::new(),
        }
    }

    /// Sets a metadata value, in place of the one that was there.
    pub fn set(&mut self, key: &str, value: Meta) -> &mut Self {
        self.unset(key);
        self.meta.push((key.into(), value));
        self
    }

    pub fn unset(&mut self, key: &str) -> &mut Self {
        self.meta.retain(|(other, _)| other != key);
        self
    }

    pub fn tensor(&mut self, name: &str, shape: &[u64], code: u32, bytes: Vec<u8>) -> &mut Self {
        self.tensors.retain(|tensor| tensor.name != name);
        let entry = Entry { name: name.into(), shape: shape.to_vec(), code, bytes, offset: None };
        self.tensors.push(entry);
        self
    }

    /// A tensor of singles.
    pub fn singles(&mut self, name: &str, shape: &[u64], values: &[f32]) -> &mut Self {
        assert_eq!(shape.iter().product::<u64>(), values.len() as u64);
        self.tensor(name, shape, 0, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.meta.len() as u64).to_le_bytes());
        for (key, value) in &self.meta {
            text(&mut out, key);
            value.write(&mut out);
        }
        let mut end = 0;
        let mut data = Vec::new();
        for tensor in &self.tensors {
            text(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().rev().for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(tensor.code.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(end as u64).to_le_bytes());
            data.extend(&tensor.bytes);
            end = data.len().next_multiple_of(self.alignment);
            data.resize(end, 0);
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        out.extend(data);
        out
    }
}

impl Meta {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Meta::U32(value) => scalar(out, 4, &value.to_le_bytes()),
            Meta::F32(value) => scalar(out, 6, &value.to_le_bytes()),
            Meta::Bool(value) => scalar(out, 7, &[u8::from(*value)]),
            Meta::Text(value) => {
                out.extend(8u32.to_le_bytes());
                text(out, value);
            }
            Meta::Texts(values) => {
                array(out, 8, values.len());
                values.iter().for_each(|value| text(out, value));
            }
            Meta::Floats(values) => {
                array(out, 6, values.len());
                values.iter().for_each(|value| out.extend(value.to_le_bytes()));
            }
            Meta::Ints(values) => {
                array(out, 5, values.len());
                values.iter().for_each(|value| out.extend(value.to_le_bytes()));
            }
            Meta::Raw(code, bytes) => scalar(out, *code, bytes),
        }
    }
}

fn scalar(out: &mut Vec<u8>, code: u32, bytes: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend(bytes);
}

fn array(out: &mut Vec<u8>, of: u32, count: usize) {
    out.extend(9u32.to_le_bytes());
    out.extend(of.to_le_bytes());
    out.extend((count as u64).to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
