//! A small hub on the loopback: enough HTTP for the tests, and every fault they ask for.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const MODEL: &str = "owner/name";

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is(&self, method: &str, path_part: &str) -> bool {
        self.method == method && self.path.contains(path_part)
    }
}

/// What the server answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Close the connection after this many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// Answer only after this time.
    pub(crate) delay: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    fn write(&self, stream: &mut TcpStream, head_only: bool) -> std::io::Result<()> {
        thread::sleep(self.delay);
        let mut head = format!("HTTP/1.1 {} Answer\r\nConnection: close\r\n", self.status);
        if !self.headers.iter().any(|(name, _)| name == "transfer-encoding") {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        if !head_only {
            stream.write_all(&self.body[..self.cut.unwrap_or(self.body.len())])?;
        }
        stream.flush()
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server on a free port of the loopback; it ends with the value.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let (log, stop) = (requests.clone(), stopped.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (log, handler) = (log.clone(), handler.clone());
                thread::spawn(move || serve(stream.unwrap(), &log, &*handler));
            }
        });
        Self { address, requests, stopped, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests had this method and this in their path.
    pub(crate) fn count(&self, method: &str, path_part: &str) -> usize {
        self.requests().iter().filter(|request| request.is(method, path_part)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Request>>, handler: &Handler) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned())))
        .collect();
    let request = Request { method, path, headers };
    log.lock().unwrap().push(request.clone());
    let _ = handler(&request).write(&mut stream, request.method == "HEAD");
}

/// A model on the hub: names and bytes.
#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Where large files lie, if not on the hub itself.
    pub(crate) storage: Option<String>,
}

impl Repository {
    /// A small model with one file of weights of `size` bytes.
    pub(crate) fn small(size: usize) -> Self {
        let weights = (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let files = vec![
            file(".gitattributes", "*"),
            file("README.md", "# a model"),
            file("config.json", r#"{"model_type":"llama"}"#),
            ("model.safetensors".to_owned(), weights),
            file("pytorch_model.bin", "not needed"),
            file("tokenizer.json", r#"{"version":"1.0"}"#),
        ];
        Self { files, storage: None }
    }

    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        &self.files.iter().find(|(file, _)| file == name).unwrap().1
    }

    pub(crate) fn etag(&self, name: &str) -> String {
        let bytes = self.bytes(name);
        if name.ends_with(".safetensors") {
            return format!("{:x}", Sha256::digest(bytes));
        }
        let blob = Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes);
        format!("{:x}", blob.finalize())
    }

    /// What a hub answers.
    pub(crate) fn answer(&self, request: &Request) -> Answer {
        let api = format!("/api/models/{MODEL}/revision/");
        if let Some(revision) = request.path.strip_prefix(&api) {
            let known = ["main", "refs%2Fpr%2F1", COMMIT];
            return match revision.strip_suffix("?blobs=true") {
                Some(revision) if known.contains(&revision) => self.listing(),
                _ => Answer::new(404, "{}").with("X-Error-Code", "RevisionNotFound"),
            };
        }
        let name = request.path.strip_prefix(&format!("/{MODEL}/resolve/{COMMIT}/"));
        match name.and_then(|name| self.files.iter().find(|(file, _)| file == name)) {
            Some((name, _)) => self.file(request, name),
            None => Answer::new(404, "{}").with("X-Error-Code", "EntryNotFound"),
        }
    }

    fn listing(&self) -> Answer {
        let siblings: Vec<_> = self
            .files
            .iter()
            .map(|(name, bytes)| json!({ "rfilename": name, "size": bytes.len() }))
            .collect();
        let answer = json!({ "id": MODEL, "sha": COMMIT, "siblings": siblings });
        Answer::new(200, answer.to_string())
    }

    fn file(&self, request: &Request, name: &str) -> Answer {
        let (bytes, etag) = (self.bytes(name), self.etag(name));
        if let Some(storage) = self.storage.as_ref().filter(|_| name.ends_with(".safetensors")) {
            return Answer::new(302, "see there")
                .with("X-Repo-Commit", COMMIT)
                .with("X-Linked-Etag", format!("\"{etag}\""))
                .with("X-Linked-Size", bytes.len())
                .with("Location", format!("{storage}/{name}?signature=1"));
        }
        let answer = ranged(request, bytes);
        answer.with("ETag", format!("\"{etag}\"")).with("X-Repo-Commit", COMMIT)
    }
}

/// The part of the bytes that was asked for.
pub(crate) fn ranged(request: &Request, bytes: &[u8]) -> Answer {
    let start = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match start {
        None => Answer::new(200, bytes),
        Some(start) if start >= bytes.len() => Answer::new(416, ""),
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            Answer::new(206, &bytes[start..]).with("Content-Range", range)
        }
    }
}
