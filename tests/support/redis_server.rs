//! A `redis-server` of the test's own, on a free port; another one, such as `valkey-server`, if `TEST_REDIS_SERVER` names it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    cell::RefCell,
    env,
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tower_webhook::store::RedisConnection;

pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
}

impl Server {
    /// None if there is no `redis-server` here, which is an error where everything is to be tested.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        Self::start_with(&[], options)
    }

    /// With files that the options name.
    pub(crate) fn start_with(files: &[(&str, &str)], options: &[&str]) -> Option<Self> {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let folder = format!("redis-test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = env::temp_dir().join(folder);
        // Another process may take the port in between, and then this one does not start.
        for _ in 0..5 {
            fs::create_dir_all(&folder).unwrap();
            for (name, text) in files {
                fs::write(folder.join(name), text).unwrap();
            }
            let port = free_port();
            match spawn(port, &folder, &options) {
                Ok(child) => {
                    let mut server = Self { child, port, folder: folder.clone(), options: options.clone() };
                    if server.is_up() {
                        return Some(server);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let _ = fs::remove_dir_all(&folder);
                    assert!(env::var_os("CI").is_none(), "there is no {:?} to test with", program());
                    eprintln!("skipped: there is no {:?} to test with", program());
                    return None;
                }
                Err(error) => panic!("{:?}: {error}", program()),
            }
        }
        panic!("{:?} does not start", program());
    }

    /// One for all tests that do it no harm.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        // It ends with the last test's thread: statics are never dropped.
        thread_local!(static HELD: RefCell<Option<Arc<Server>>> = const { RefCell::new(None) });
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let server = match shared.upgrade() {
            Some(server) => server,
            None => Arc::new(Self::start(&[])?),
        };
        *shared = Arc::downgrade(&server);
        HELD.set(Some(Arc::clone(&server)));
        Some(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn url_with_password(&self, password: &str) -> String {
        format!("redis://:{password}@127.0.0.1:{}", self.port)
    }

    /// A connection beside the one that is tested.
    pub(crate) fn admin(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn command(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).exec(&mut self.admin()).unwrap();
    }

    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Without a chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.options).unwrap();
        assert!(self.is_up(), "it does not start again");
    }

    fn is_up(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && self.child.try_wait().unwrap().is_none() {
            let client = redis::Client::open(self.url()).unwrap();
            match client.get_connection().and_then(|mut connection| redis::cmd("PING").exec(&mut connection)) {
                Ok(()) => return true,
                Err(error) if error.code() == Some("NOAUTH") => return true,
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
        false
    }
}

/// The shared server, with a prefix of the test's own.
pub(crate) fn shared() -> Option<(Arc<Server>, String, RedisConnection)> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let server = Server::shared()?;
    let prefix = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    // A thousand tasks at once are no reason to give up.
    let connection = RedisConnection::open(&server.url()).unwrap().prefix(&*prefix);
    Some((server, prefix, connection.timeout(Duration::from_secs(10)).unwrap()))
}

/// Free a moment ago, at least.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn program() -> OsString {
    env::var_os("TEST_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

fn spawn(port: u16, folder: &Path, options: &[String]) -> io::Result<Child> {
    Command::new(program())
        .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
        .args(options)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
