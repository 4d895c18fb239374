//! A Chromium without a screen, and what it made of a page.

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{self, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

pub(crate) struct Browser {
    program: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Dark,
    Light,
}

/// A page after it has been open for some seconds.
pub(crate) struct Seen {
    pub(crate) dom: String,
    /// What the console says is wrong.
    pub(crate) complaints: Vec<String>,
    /// What was asked for over HTTP, and which page wanted it; the browser itself wants updates.
    pub(crate) requests: Vec<Request>,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) page: String,
}

impl Browser {
    /// None if there is no Chromium here, which is an error where everything is to be tested.
    pub(crate) fn find() -> Option<Self> {
        let named = env::var_os("CHROMIUM").map(PathBuf::from);
        let folders: Vec<PathBuf> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
        let usual = ["chromium", "chromium-browser", "google-chrome"];
        let mut usual = usual.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        let found = named.or_else(|| usual.find(|program| program.is_file()));
        if found.is_none() {
            assert!(env::var_os("CI").is_none(), "there is no Chromium to test with");
            eprintln!("skipped: there is no Chromium to test with");
        }
        found.map(|program| Self { program })
    }

    pub(crate) fn open(&self, url: &str) -> Seen {
        let folder = Folder::new();
        let log = folder.0.join("net.json");
        let output = self.run(
            &folder,
            &["--dump-dom", "--window-size=1280,900", &format!("--log-net-log={}", log.display())],
            url,
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // What its console says names the page; what else it says is of a machine without a desktop.
        let complaints = said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
        let dom = String::from_utf8(output.stdout).unwrap();
        assert!(dom.contains("</html>"), "no page: {said}");
        Seen { dom, complaints, requests: requests(&fs::read_to_string(log).unwrap()) }
    }

    pub(crate) fn picture(&self, url: &str, scheme: Scheme, width: u32, height: u32) -> Picture {
        let folder = Folder::new();
        let file = folder.0.join("page.png");
        let scheme = match scheme {
            Scheme::Dark => "preferredColorScheme=0",
            Scheme::Light => "preferredColorScheme=1",
        };
        let options = [
            "--hide-scrollbars",
            &format!("--blink-settings={scheme}"),
            &format!("--window-size={width},{height}"),
            &format!("--screenshot={}", file.display()),
        ];
        let output = self.run(&folder, &options, url);
        let bytes =
            fs::read(file).unwrap_or_else(|_| panic!("no picture: {}", String::from_utf8_lossy(&output.stderr)));
        Picture::decode(&bytes)
    }

    fn run(&self, folder: &Folder, options: &[&str], url: &str) -> Output {
        let output = Command::new(&self.program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
            ])
            .args(["--enable-logging=stderr", "--force-device-scale-factor=1", "--virtual-time-budget=7000"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", folder.0.display()))
            .args(options)
            .arg(url)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

/// Those in a log of the network, which is JSON.
fn requests(log: &str) -> Vec<Request> {
    let log: Value = serde_json::from_str(log).unwrap();
    let is_request = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"].clone();
    assert!(is_request.is_number(), "the log has another form");
    let starts = log["events"].as_array().unwrap().iter().filter(|event| event["type"] == is_request);
    let text = |event: &Value, name: &str| Some(event["params"][name].as_str()?.to_owned());
    starts.filter_map(|event| Some(Request { url: text(event, "url")?, page: text(event, "initiator")? })).collect()
}

/// The text of the first element that begins with `cell`, in that of the first one that begins with `part` or after it.
pub(crate) fn text_of(dom: &str, part: &str, cell: &str) -> Option<String> {
    let (_, rest) = dom.split_once(part)?;
    let start = rest.find(cell)?;
    // The cell's own tag may have begun before the attribute that was looked for.
    let opening = if cell.starts_with('<') { start } else { rest[..start].rfind('<')? };
    let tag: String = rest[opening + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
    let inside = &rest[opening + rest[opening..].find('>')? + 1..];
    let inside = &inside[..inside.find(&format!("</{tag}>"))?];
    let mut text = String::new();
    let mut is_tag = false;
    for char in inside.chars() {
        match char {
            '<' => is_tag = true,
            '>' if is_tag => is_tag = false,
            _ if is_tag => {}
            _ => text.push(char),
        }
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&");
    Some(text.trim().to_owned())
}

pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn decode(file: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!(info.bit_depth, png::BitDepth::Eight);
        let samples = info.color_type.samples();
        assert!(samples >= 3, "{:?}", info.color_type);
        let pixels = bytes[..info.buffer_size()].chunks_exact(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
        Self { width: info.width, height: info.height, pixels: pixels.collect() }
    }

    pub(crate) fn at(&self, x: u32, y: u32) -> [u8; 3] {
        self.pixels[(y * self.width + x) as usize]
    }

    pub(crate) fn colours(&self) -> usize {
        self.pixels.iter().collect::<HashSet<_>>().len()
    }

    pub(crate) fn count(&self, colour: [u8; 3]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }
}

/// Serves the page with data of the test's own: each once, and the last one for ever; null is an error.
pub(crate) struct Stage {
    address: SocketAddr,
}

impl Stage {
    pub(crate) fn new(answers: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let next = Arc::new(AtomicUsize::new(0));
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, next) = (answers.clone(), Arc::clone(&next));
                thread::spawn(move || play(stream, &answers, &next));
            }
        });
        Self { address }
    }

    pub(crate) fn page(&self) -> String {
        format!("http://{}/status", self.address)
    }

    /// A page that holds the status page in so many pixels, and tells how wide that is, all that is in it, and how many parts have to be
    /// scrolled.
    pub(crate) fn frame(&self, width: u32) -> String {
        format!("http://{}/frame/{width}", self.address)
    }
}

const PAGE: &str = include_str!("../../examples/receiver/status.html");

fn play(mut stream: TcpStream, answers: &[Value], next: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?.take(16 * 1024));
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    while line.trim_end() != "" {
        line.clear();
        reader.read_line(&mut line).ok()?;
    }
    let (status, kind, body) = match path.strip_prefix("/frame/") {
        Some(width) => {
            let page = format!(
                "<!doctype html><html><body><iframe id=f src=/status width={width} height=9000 style=border:0></iframe><output></output>\
                 <script>setTimeout(() => {{ const page = f.contentDocument.documentElement;\
                 document.querySelector('output').textContent = `${{page.clientWidth}} ${{page.scrollWidth}} ${{\
                 [...f.contentDocument.querySelectorAll('.wide')].filter((part) => part.scrollWidth > part.clientWidth).length}}`; }}, 3000)</script></body></html>"
            );
            (200, "text/html", page)
        }
        None if path == "/status" => (200, "text/html", PAGE.to_owned()),
        None if path == "/status.json" => match &answers[next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)] {
            Value::Null => (503, "text/plain", String::new()),
            answer => (200, "application/json", answer.to_string()),
        },
        None => (404, "text/plain", String::new()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).ok()
}

/// A folder of this test, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("receiver-page-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
