//! The brokers: mosquitto and the twin, each a child process with its own port on loopback.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use gameday_tests::{process::Usage, tool};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};

use crate::{http::Http, identity::Fleet};

/// A broker listens within this time.
const START_MAX: Duration = Duration::from_secs(10);
/// Connections that register certificates.
const REGISTRARS: usize = 4;
/// Everything may be done by every device: the policy is evaluated all the same.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/bench-*"},
  {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/dt/${iot:ClientId}/*"}]}"#;

/// A running broker.
pub(crate) struct Broker {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) server: ServerName<'static>,
    /// From the start of the process until it listened.
    pub(crate) started_ms: f64,
    api: Option<String>,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Broker {
    /// mosquitto, if it is installed.
    pub(crate) fn mosquitto(fleet: &Fleet) -> Result<Option<Self>> {
        let Some(program) = mosquitto() else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("ca.pem"), &fleet.ca_pem)?;
        fs::write(path("server.pem"), &fleet.server_pem)?;
        fs::write(path("server.key"), &fleet.server_key_pem)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let configuration = format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
             use_identity_as_username true\nmax_inflight_messages 100\npersistence false\nallow_anonymous false\n\
             set_tcp_nodelay true\nlog_type error\nuser root\n",
            path("ca.pem").display(),
            path("server.pem").display(),
            path("server.key").display(),
        );
        fs::write(path("mosquitto.conf"), configuration)?;
        let began = Instant::now();
        let child = Command::new(program)
            .arg("-c")
            .arg(path("mosquitto.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut broker = Self {
            name: "mosquitto",
            address,
            server: ServerName::try_from("localhost")?,
            started_ms: 0.0,
            api: None,
            child,
            _folder: folder,
        };
        until(|| TcpStream::connect(address).is_ok())?;
        broker.started_ms = began.elapsed().as_secs_f64() * 1e3;
        Ok(Some(broker))
    }

    /// The twin of the `gameday` that was built with the benches. Calls of the control plane are not limited, which the
    /// registration of the fleet needs; the limits of a connection are.
    pub(crate) fn twin(_fleet: &Fleet) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let env = folder.path().join("twin.env");
        let began = Instant::now();
        let child = Command::new(gameday_tests::gameday()?)
            .args(["twin", "--quota-scale", "10000", "--env"])
            .arg(&env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut text = String::new();
        until(|| {
            text = fs::read_to_string(&env).unwrap_or_default();
            text.contains("GAMEDAY_SECONDARY_HTTPS_PORT")
        })?;
        let started_ms = began.elapsed().as_secs_f64() * 1e3;
        let variable = |name: &str| {
            let found = text.split_whitespace().find_map(|word| word.strip_prefix(&format!("{name}=")));
            found.map(str::to_owned).with_context(|| format!("the twin did not print {name}"))
        };
        let address: Ipv4Addr = variable("GAMEDAY_PRIMARY_ADDRESS")?.parse()?;
        let port: u16 = variable("GAMEDAY_PRIMARY_MQTT_PORT")?.parse()?;
        Ok(Some(Self {
            name: "twin",
            address: SocketAddr::from((address, port)),
            server: ServerName::try_from(variable("GAMEDAY_PRIMARY_HOST")?)?,
            started_ms,
            api: Some(variable("AWS_ENDPOINT_URL")?),
            child,
            _folder: folder,
        }))
    }

    /// Lets devices in: the twin knows certificates by their registration. mosquitto knows their authority.
    pub(crate) async fn admit(&self, fleet: &Fleet, devices: usize) -> Result<()> {
        let Some(api) = &self.api else { return Ok(()) };
        let policy = json!({"policyDocument": POLICY}).to_string();
        Http::connect(api).await?.call("iot", "POST", "/policies/bench", policy).await?;
        let share = devices.div_ceil(REGISTRARS).max(1);
        let registrars = fleet.devices[..devices].chunks(share).map(|devices| async move {
            let mut http = Http::connect(api).await?;
            for device in devices {
                let body = json!({"certificatePem": *device.certificate_pem, "status": "ACTIVE"}).to_string();
                let answer = http.call("iot", "POST", "/certificate/register-no-ca", body).await?;
                let answer: Value = serde_json::from_slice(&answer)?;
                let body = json!({"target": answer["certificateArn"]}).to_string();
                http.call("iot", "PUT", "/target-policies/bench", body).await?;
            }
            anyhow::Ok(())
        });
        futures::future::try_join_all(registrars).await?;
        Ok(())
    }

    /// Where its AWS API listens, if it has one.
    #[allow(dead_code, reason = "for the bench that plays game days against it")]
    pub(crate) fn api(&self) -> Option<&str> {
        self.api.as_deref()
    }

    /// What its process has used.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// mosquitto's program, which Debian has where no path leads.
pub(crate) fn mosquitto() -> Option<PathBuf> {
    tool("mosquitto")
        .or_else(|| Some("/usr/sbin/mosquitto".into()))
        .filter(|program: &PathBuf| program.is_file())
}

/// Waits, within a bound, for a broker to be ready.
pub(crate) fn until(mut ready: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !ready() {
        if began.elapsed() > START_MAX {
            bail!("the broker does not listen after {START_MAX:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
