//! The servers: the twin, MiniStack and moto, each a child process on loopback.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use gameday_tests::{gameday, process::Usage, tool};

const START_MAX: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    /// From the start of the process until it listened.
    pub(crate) started_ms: f64,
    child: Child,
    _folder: tempfile::TempDir,
}

/// A server's name, and the server if it is installed.
pub(crate) type Started = (&'static str, Option<Server>);

impl Server {
    /// The twin, with quotas far above what it reaches.
    pub(crate) fn twin() -> Result<Started> {
        let folder = tempfile::tempdir()?;
        let env = folder.path().join("twin.env");
        let began = Instant::now();
        let mut command = Command::new(gameday()?);
        command.args(["twin", "--quota-scale", "100000", "--env"]).arg(&env);
        let child = spawn(&mut command)?;
        let mut server = Self { url: String::new(), started_ms: 0.0, child, _folder: folder };
        until(|| {
            let text = fs::read_to_string(&env).unwrap_or_default();
            let url = text.split_whitespace().find_map(|word| word.strip_prefix("AWS_ENDPOINT_URL="));
            url.unwrap_or_default().clone_into(&mut server.url);
            text.contains("GAMEDAY_SECONDARY_HTTPS_PORT")
        })?;
        server.started_ms = began.elapsed().as_secs_f64() * 1e3;
        Ok(("twin", Some(server)))
    }

    /// MiniStack: one Python process.
    pub(crate) fn ministack() -> Result<Started> {
        peer("ministack", "ministack", |command, port| {
            command
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port)
                .env("IOT_MTLS_ENABLED", "0")
                .env("LOG_LEVEL", "WARNING");
        })
    }

    /// moto's server.
    pub(crate) fn moto() -> Result<Started> {
        peer("moto", "moto_server", |command, port| {
            command.args(["-H", "127.0.0.1", "-p", port]);
        })
    }

    /// What its process has used.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peer(name: &'static str, program: &str, set: impl FnOnce(&mut Command, &str)) -> Result<Started> {
    let Some(program) = tool(program) else { return Ok((name, None)) };
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let began = Instant::now();
    let mut command = Command::new(program);
    command.current_dir(folder.path());
    set(&mut command, &port.to_string());
    let child = spawn(&mut command)?;
    let mut server =
        Server { url: format!("http://127.0.0.1:{port}"), started_ms: 0.0, child, _folder: folder };
    until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).context(name)?;
    server.started_ms = began.elapsed().as_secs_f64() * 1e3;
    Ok((name, Some(server)))
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))
}

fn until(mut ready: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !ready() {
        if began.elapsed() > START_MAX {
            bail!("it does not listen after {START_MAX:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
