//! Keys and CSRs.

use std::{
    num::NonZeroUsize,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use gameday_tests::{process::Usage, skipped, tool};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::create;

/// What 30,000 may take.
const P256_S_MAX: f64 = 3.0;
/// What may lie between us and the crypto library alone.
const RSA_SHARE_MIN: f64 = 0.9;
/// The archived solution's own figure: keys and CSRs (RSA-2048) of 30,000 devices.
const ARCHIVED_PER_S: f64 = 30_000.0 / 11_086.0;
/// Devices that openssl makes; it is slow.
const OPENSSL_DEVICES: u32 = 20;

pub(crate) fn p256(devices: u32) -> Result<()> {
    // First alone, so that what the disk has cached helps nobody.
    let alone =
        alone(devices, || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(drop).map_err(Into::into))?;
    let (whole_s, per_s) = ours(devices, "p256")?;
    println!("P-256: {devices} keys and CSRs, on disk with mode 0600: {whole_s:.2} s, {per_s:.0} a second");
    println!("    keys alone by aws-lc-rs on all cores: {alone:.0} a second; ours {:.2}x", per_s / alone);
    let limit_s = P256_S_MAX * f64::from(devices) / 30_000.0;
    let reached = if whole_s <= limit_s { "reached" } else { "MISSED" };
    println!("    goal: at most {limit_s:.2} s: {reached}");
    println!(
        "    the archived solution (RSA): {ARCHIVED_PER_S:.1} a second; ours {:.0}x",
        per_s / ARCHIVED_PER_S
    );
    openssl("P-256", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], per_s)
}

pub(crate) fn rsa2048(devices: u32) -> Result<()> {
    let generate = || {
        let made = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048);
        made.map(drop).map_err(|_| anyhow::anyhow!("aws-lc-rs makes no key"))
    };
    // Primes are found by luck: half before and half after, so that what else the machine does weighs on both.
    let before = alone(devices.div_ceil(2), generate)?;
    let (whole_s, per_s) = ours(devices, "rsa2048")?;
    let after = alone(devices.div_ceil(2), generate)?;
    let alone = 2.0 / (1.0 / before + 1.0 / after);
    println!(
        "RSA-2048: {devices} keys and CSRs, on disk with mode 0600: {whole_s:.2} s, {per_s:.1} a second"
    );
    let share = per_s / alone;
    let reached = if share >= RSA_SHARE_MIN { "reached" } else { "MISSED" };
    println!(
        "    keys alone by aws-lc-rs on all cores: {alone:.1} a second; ours {share:.2}x (goal: at least {RSA_SHARE_MIN}x: {reached})"
    );
    println!("    the archived solution: {ARCHIVED_PER_S:.1} a second; ours {:.1}x", per_s / ARCHIVED_PER_S);
    openssl("RSA-2048", &["-newkey", "rsa:2048"], per_s)
}

/// By the binary, from its start to its end.
fn ours(devices: u32, key: &str) -> Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    let made =
        create(folder.path(), "bench", &["--devices", &devices.to_string(), "--key", key, "--keys-only"])?;
    let whole_s = began.elapsed().as_secs_f64();
    ensure!(made["new_keys"] == devices, "{made}");
    Ok((whole_s, f64::from(devices) / whole_s))
}

/// How often a second all cores do something.
fn alone(count: u32, work: impl Fn() -> Result<()> + Sync) -> Result<f64> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (next, began, used) = (AtomicU32::new(0), Instant::now(), Usage::own()?);
    thread::scope(|scope| {
        let worker = || -> Result<()> {
            while next.fetch_add(1, Relaxed) < count {
                work()?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(_) => bail!("a worker panicked"),
        })
    })?;
    let (whole_s, used) = (began.elapsed().as_secs_f64(), Usage::own()?.since(used));
    if used.cpu_s < 0.8 * whole_s * cores as f64 && whole_s > 1.0 {
        println!("    (the machine was busy: {:.1} of {cores} cores were to be had)", used.cpu_s / whole_s);
    }
    Ok(f64::from(count) / whole_s)
}

/// As the archived solution did it: one device after another, a process each.
fn openssl(what: &str, key: &[&str], ours_per_s: f64) -> Result<()> {
    let Some(openssl) = tool("openssl") else {
        skipped(what, "no openssl");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    for number in 0..OPENSSL_DEVICES {
        let mut command = Command::new(&openssl);
        command.args([
            "req",
            "-new",
            "-nodes",
            "-subj",
            &format!("/CN=bench-{number}"),
            "-keyout",
            "key.pem",
            "-out",
            "csr.pem",
        ]);
        let done = command.args(key).current_dir(folder.path()).stderr(Stdio::null()).status();
        ensure!(done.context("openssl")?.success(), "openssl failed");
    }
    let per_s = f64::from(OPENSSL_DEVICES) / began.elapsed().as_secs_f64();
    println!(
        "    openssl req, one device after another: {per_s:.1} a second; ours {:.0}x",
        ours_per_s / per_s
    );
    Ok(())
}
