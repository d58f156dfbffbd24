//! Devices that register themselves with a CA of the fleet's own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use gameday_tests::{fixture, play};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fleets::{Fleets, WAIT_MAX};

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_the_fleets_own_ca_register_themselves_in_both_regions() {
    let fleets = Fleets::on(50, &["--just-in-time", "gameday-jitr"]).await;
    let made = fleets.json(&["create", "cars", "--devices", "3", "--by", "just-in-time", "--json"]);
    assert_eq!((&made["certificates"], &made["made"]), (&3.into(), &3.into()), "{made}");
    for region in [&fleets.site.primary, &fleets.site.secondary] {
        let authorities = region.iot.list_ca_certificates().send().await.unwrap();
        assert_eq!(authorities.certificates().len(), 1);
        assert!(region.iot.list_things().send().await.unwrap().things().is_empty(), "nobody has connected");
    }
    fleets.ends(0, &["show", "cars", "--device", "2", "--export", "identity"]);
    let folder = fleets.folder.path().join("identity");
    let mode = |file: &str| fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("cars-00002.pem"), mode("cars-00002.key.pem")), (0o600, 0o600));
    for side in ["PRIMARY", "SECONDARY"] {
        let began = Instant::now();
        while !connects(&fleets, side, &folder, "cars-00002").await {
            assert!(began.elapsed() < WAIT_MAX, "it is not let in by the {side}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let shown = fleets.ends(0, &["show", "cars", "--device", "2"]).0;
    assert_eq!(shown.matches("ACTIVE").count(), 2, "{shown}");
    assert_eq!(shown.matches("gameday-jitr").count(), 2, "{shown}");
    fleets.ends(10, &["show", "cars", "--device", "1"]);
    // No run takes such a fleet, and it says so before anything is changed.
    let folder = fleets.folder.path().join("fleets");
    let (url, folder) = (fleets.site.url(), folder.to_str().unwrap().to_owned());
    let arguments =
        ["--fleets", &folder, "--target", &url, "--set", "fleet.pool=cars", "--set", "fleet.devices=3"];
    let (_, exit) = play(&fixture("pooled.toml"), &arguments).unwrap();
    assert_eq!(exit, 14);
    fleets.ends(0, &["delete", "cars", "--yes"]);
    fleets.assert_empty(&["gameday-jitr"]).await;
    for region in [&fleets.site.primary, &fleets.site.secondary] {
        assert!(region.iot.list_ca_certificates().send().await.unwrap().certificates().is_empty());
    }
}

/// Whether a device is let in with its own certificate: MQTT 3.1.1, CONNECT and CONNACK.
async fn connects(fleets: &Fleets, side: &str, folder: &Path, device: &str) -> bool {
    let variable = |name: &str| fleets.site.twin.variable(&format!("GAMEDAY_{side}_{name}")).to_owned();
    let read = |file: String| fs::read(folder.join(file)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let ca = fs::read(fleets.site.twin.variable("GAMEDAY_CA")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read(format!("{device}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read(format!("{device}.key.pem"))).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let address = format!("{}:{}", variable("ADDRESS"), variable("MQTT_PORT"));
    let name = ServerName::try_from(variable("HOST")).unwrap();
    let connect = async {
        let stream = tokio::net::TcpStream::connect(&address).await?;
        let mut stream =
            tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await?;
        let length = u8::try_from(device.len()).unwrap();
        let mut packet = vec![0x10, 12 + length, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 30, 0, length];
        packet.extend(device.as_bytes());
        stream.write_all(&packet).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer == [0x20, 2, 0, 0])
    };
    tokio::time::timeout(WAIT_MAX, connect).await.unwrap().unwrap_or(false)
}
