//! The example `axum` as a server that is started and stopped.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::example::binary;

/// The example of this name, ready to be run.
pub(crate) fn example(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    // Nothing of where the tests run: what an example is configured by, a test says.
    command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// The example `axum`, running; killed on drop.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Of `/metrics` and `/health`.
    pub(crate) admin: SocketAddr,
    /// What it says once it is there, if it is not to be configured but to demonstrate.
    pub(crate) said: mpsc::Receiver<String>,
    logged: Option<JoinHandle<String>>,
}

/// What a service has said from beginning to end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) said: String,
    pub(crate) logged: String,
}

impl Service {
    pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let mut child = example("axum")
            .env("LISTEN", "127.0.0.1:0")
            .env("ADMIN_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let (lines, said) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let logged = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut address = |what: &str| {
            let Ok(line) = said.recv_timeout(Self::PATIENCE) else {
                let _ = child.kill();
                panic!("the service does not start");
            };
            line.strip_prefix(what).unwrap_or_else(|| panic!("{line}")).trim_end_matches("/metrics").parse().unwrap()
        };
        let (address, admin) = (address("webhooks on http://"), address("metrics on http://"));
        Self { child, address, admin, said, logged: Some(logged) }
    }

    /// Tells it to stop, as those do who deploy the next one.
    pub(crate) fn ask_to_stop(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Ended {
        self.ask_to_stop();
        let success = self.child.wait().unwrap().success();
        let said = self.said.iter().collect::<Vec<_>>().join("\n");
        Ended { success, said, logged: self.logged.take().unwrap().join().unwrap() }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
