//! A receiver in a process of its own, and what is sent to it.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Deserialize;
use serde_json::Value;
use tower_webhook::{
    clock::{Clock, SystemClock, UnixTime},
    provider,
    scheme::{Expected, Outgoing, Part, Scheme, Signer, Source},
};

/// In each secret of these tests, so that it is noticed wherever one comes out.
pub(crate) const CANARY: &str = "canary-5d41402abc4b2a76";

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn keys() -> String {
    format!("keys = ['{CANARY}']")
}

pub(crate) fn endpoint(path: &str, provider: &str, settings: &str) -> String {
    format!("[[endpoint]]\npath = {}\nprovider = {}\n{settings}\n", quoted(path), quoted(provider))
}

/// JSON's strings are TOML's as well.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A known answer, see `tests/vectors/README.md`.
#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) secret: Option<String>,
    #[serde(default)]
    pub(crate) keys: Vec<NamedKey>,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<String>,
    body_base64: Option<String>,
    pub(crate) now: Option<u64>,
    pub(crate) expect: String,
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
}

/// Whether path or query of a request say anything that the public URL does not.
pub(crate) fn depends_on_target(provider: &str) -> bool {
    let scheme = provider::find(provider).unwrap();
    let is_query = |source: Source<'_>| matches!(source, Source::Query(_));
    let looks_at_target = |parts: &[Part<'_>]| {
        parts.iter().any(|part| matches!(part, Part::Target | Part::Path | Part::Query(_) | Part::Canonical(_)))
    };
    let claims = scheme.jws.iter().flat_map(|jws| jws.claims).any(|claim| match claim.expected {
        Expected::Sha256(parts, _) => looks_at_target(parts),
        _ => false,
    });
    let places = [scheme.id, scheme.event, scheme.timestamp.map(|time| time.source), Some(scheme.signature.place)];
    claims || looks_at_target(scheme.message) || places.into_iter().flatten().any(is_query)
}

#[derive(Deserialize)]
pub(crate) struct NamedKey {
    pub(crate) id: Option<String>,
    pub(crate) key: String,
}

pub(crate) fn catalogue_vectors() -> impl Iterator<Item = (String, Vector)> {
    #[derive(Deserialize)]
    struct File {
        provider: String,
        vectors: Vec<Vector>,
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    provider::ALL.iter().flat_map(move |Scheme { name, .. }| {
        let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let File { provider, vectors } = serde_json::from_str(&text).unwrap();
        assert_eq!(provider, *name);
        vectors.into_iter().map(move |vector| (provider.clone(), vector))
    })
}

impl Vector {
    pub(crate) fn settings(&self) -> String {
        let list = |texts: Vec<&str>| texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ");
        let keys = self.secret.iter().map(String::as_str).chain(self.keys.iter().map(|key| &*key.key)).collect();
        let ids: Vec<&str> = self.keys.iter().filter_map(|key| key.id.as_deref()).collect();
        let parameters: Vec<_> =
            self.parameters.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
        // Some vectors are handshakes, whose signatures are those of deliveries.
        let parameters = parameters.join(", ");
        let mut settings = format!("handshake = false\nkeys = [{}]\nparameters = {{ {parameters} }}\n", list(keys));
        if !ids.is_empty() {
            settings += &format!("key_ids = [{}]\n", list(ids));
        }
        settings + &self.now.map_or(String::new(), |now| format!("now = {now}"))
    }

    pub(crate) fn sent_to(&self, target: &str) -> Sent {
        let body = match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => BASE64.decode(base64).unwrap(),
            _ => panic!("{}: one body is needed", self.name),
        };
        Sent {
            method: self.method.clone(),
            target: target.to_owned(),
            headers: self.headers.clone().into_iter().collect(),
            body,
        }
    }

    /// What is wrong with the answer, if anything is.
    pub(crate) fn judge(&self, provider: &str, answer: &Answer) -> Option<String> {
        let is_right = if self.expect == "valid" {
            let report = if answer.is_report() { answer.json() } else { Value::Null };
            let (id, event) = (report["delivery_id"].as_str(), report["event"].as_str());
            answer.status == 200
                && report["provider"] == provider
                && id == self.id.as_deref()
                && (self.event.is_none() || event == self.event.as_deref())
                && answer.outcome() == "accepted"
                && answer.line["delivery_id"].as_str().map(str::to_owned) == id.map(|id| id.chars().take(64).collect())
        } else {
            (400..500).contains(&answer.status) && !answer.is_report() && answer.line["delivery_id"].is_null()
        };
        (!is_right).then(|| {
            format!(
                "{provider}, {}: expected {} {:?} {:?}, got {answer:?}",
                self.name, self.expect, self.id, self.event
            )
        })
    }
}

#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    pub(crate) fn now(path: &str, signer: &Signer, id: &str, body: &str) -> Self {
        Self::signed(path, signer, id, body, SystemClock.now().unwrap())
    }

    pub(crate) fn signed(path: &str, signer: &Signer, id: &str, body: &str, now: UnixTime) -> Self {
        let url = format!("https://hooks.example.com{path}");
        let request = Outgoing { id: Some(id), now, ..Outgoing::post(&url, body.as_bytes()) };
        let headers = signer.sign(&request).unwrap();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Self { method: "POST".into(), target: path.into(), headers: headers.collect(), body: body.into() }
    }

    pub(crate) fn as_http(&self) -> Vec<u8> {
        let length = self.body.len();
        let mut text = format!("{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let mut bytes = format!("{text}content-length: {length}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// What the receiver recorded.
    pub(crate) line: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Whether the handler ran.
    pub(crate) fn is_report(&self) -> bool {
        self.body.contains("body_sha256")
    }

    pub(crate) fn outcome(&self) -> &str {
        self.line["outcome"].as_str().unwrap()
    }
}

/// A running receiver, stopped on drop.
pub(crate) struct Receiver {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) lines: mpsc::Receiver<String>,
    /// What it says on stdout after the first line.
    pub(crate) stdout: mpsc::Receiver<String>,
    pub(crate) _file: TempFile,
}

impl Receiver {
    pub(crate) fn start(endpoints: &str) -> Self {
        let file = TempFile::new(&format!("listen = '127.0.0.1:0'\n{endpoints}"));
        let mut child = run(&file.0);
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        let (send_stdout, stdout) = mpsc::channel();
        let (send_lines, lines) = mpsc::channel();
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send_stdout.send(line)));
        thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| send_lines.send(line)));
        let Ok(first) = stdout.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the receiver did not start: {:?}", lines.recv_timeout(PATIENCE));
        };
        let address = first.strip_prefix("listening on http://").expect(&first).parse().expect(&first);
        Self { child, address, lines, stdout, _file: file }
    }

    /// With an admin listener, and where that is.
    pub(crate) fn start_with_admin(endpoints: &str) -> (Self, Admin) {
        let receiver = Self::start(&format!("admin = '127.0.0.1:0'\n{endpoints}"));
        let line = receiver.stdout.recv_timeout(PATIENCE).expect("no second line");
        let address = line.strip_prefix("admin on http://").expect(&line).parse().expect(&line);
        (receiver, Admin { address })
    }

    /// Sends a request, and does not wait for the answer.
    pub(crate) fn open(&self, sent: &Sent) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&sent.as_http()).unwrap();
        stream
    }

    pub(crate) fn send(&self, sent: &Sent) -> Answer {
        let mut answer = Vec::new();
        // Who refuses before having read everything may reset the connection after the answer.
        let read = self.open(sent).read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?} {read:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(!answer.contains(CANARY), "{answer}");
        let line = self.line();
        assert_eq!(line["status"], status);
        Answer { status, head: head.to_owned(), body: body.to_owned(), line }
    }

    /// The next record: one for each request.
    pub(crate) fn line(&self) -> Value {
        let line = self.said();
        for field in ["path", "provider", "status", "outcome", "code", "delivery_id", "event", "ms"] {
            assert!(line.get(field).is_some(), "no {field} in {line}");
        }
        line
    }

    /// The next line, of a request or not.
    pub(crate) fn said(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("not a word");
        assert!(!line.contains(CANARY), "{line}");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The receiver's listener for operators.
pub(crate) struct Admin {
    pub(crate) address: SocketAddr,
}

impl Admin {
    /// Status, head and body of what it answers to a request for this, under its own name.
    pub(crate) fn get(&self, path: &str) -> (u16, String, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", self.address))
    }

    /// The same for a request's first lines.
    pub(crate) fn ask(&self, head: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
        let (head, body) = read_answer(stream);
        assert!(!body.contains(CANARY), "{body}");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
    }

    pub(crate) fn status(&self) -> Value {
        let (status, _, body) = self.get("/status.json");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn metrics(&self) -> String {
        let (status, _, body) = self.get("/metrics");
        assert_eq!(status, 200, "{body}");
        body
    }
}

/// Head and body, without the record: for several requests at once.
pub(crate) fn read_answer(mut stream: TcpStream) -> (String, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub(crate) fn run(file: &Path) -> Child {
    Command::new(&*BINARY)
        .arg(file)
        .env("RECEIVER_TEST_KEY", format!("{CANARY}-of-the-environment"))
        .env("RECEIVER_TEST_EMPTY", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| crate::example::binary("receiver"));

/// A file of this test, removed on drop.
pub(crate) struct TempFile(pub(crate) PathBuf);

impl TempFile {
    pub(crate) fn new(text: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("receiver-test-{}-{number}.toml", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
