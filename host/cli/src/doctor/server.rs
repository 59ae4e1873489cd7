//! Checks what the operator of a server must know: its store and its disk, its bounds, its tenants'
//! walls, its files, its clock and its certificate.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use kael_engine::confinement::Confinement;
use kael_engine::units::ByteSize;
use kael_server::certificate::Validity;
use kael_server::{ServeConfig, StoreError, maintenance};
use rustix::process::{Resource, getrlimit};

use super::{Finding, Status};
use crate::sanitize::with_causes;

/// Free room below which a server soon stops, and below which somebody should look.
const NO_ROOM: u64 = 100 << 20;
const LITTLE_ROOM: u64 = 2 << 30;
/// Descriptors of a run with a few calls, and of the server itself.
const OF_A_RUN: u64 = 8;
const OF_THE_SERVER: u64 = 64;
/// Microseconds.
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Days before the end of a certificate from which on it is told.
const SOON: i64 = 14;

/// Checks a server's settings and what they name. The server may run.
pub async fn examine_server(
    settings: Option<&Path>,
    config: &ServeConfig,
    confinement: Confinement,
) -> Vec<Finding> {
    let mut findings = vec![
        store(config),
        disk(config),
        descriptors(config),
        tenants(config, confinement).await,
        modes(settings, config),
        clock(config),
    ];
    findings.extend(certificate(config));
    findings
}

fn store(config: &ServeConfig) -> Finding {
    let path = maintenance::store(config);
    let shown = path.display();
    if !path.exists() {
        let detail = format!("{shown} is not there yet, and made by the first start");
        return Finding::ok("store", detail);
    }
    match maintenance::check(config, false) {
        Ok(seen) if !seen.file.mistakes.is_empty() => Finding::new(
            "store",
            Status::Missing,
            format!("{shown} is damaged: {}", seen.file.mistakes[0]),
            "stop the server, and restore the last backup: kael-host db restore FILE",
        ),
        Ok(seen) if seen.stranded > 0 => Finding::new(
            "store",
            Status::Limited,
            format!("{} runs are queued and stand in no queue", seen.stranded),
            "cancel them, and please report this as a bug",
        ),
        Ok(seen) => Finding::ok(
            "store",
            format!(
                "{shown} is whole: {}, {} of it unused",
                ByteSize::new(seen.file.bytes),
                ByteSize::new(seen.file.unused)
            ),
        ),
        Err(error) => unreadable("store", &error),
    }
}

fn unreadable(name: &'static str, error: &StoreError) -> Finding {
    let remedy = "run this as the user of the server; --data names its folder";
    Finding::new(name, Status::Missing, with_causes(error), remedy)
}

fn disk(config: &ServeConfig) -> Finding {
    let there = config.data.ancestors().find(|path| path.exists());
    let Some(free) = there.and_then(|path| kael_server::free_room(path).ok()) else {
        let detail = format!("{} has no disk that can be asked", config.data.display());
        return Finding::new(
            "disk",
            Status::Missing,
            detail,
            "name another folder with --data",
        );
    };
    let detail = format!("{} free at {}", ByteSize::new(free), config.data.display());
    let remedy = "make room, shorten `keep_output` of the tenants, or: kael-host db prune --vacuum";
    match free {
        ..NO_ROOM => Finding::new("disk", Status::Missing, detail, remedy),
        NO_ROOM..LITTLE_ROOM => Finding::new("disk", Status::Limited, detail, remedy),
        _ => Finding::ok("disk", detail),
    }
}

fn descriptors(config: &ServeConfig) -> Finding {
    let allowed = getrlimit(Resource::Nofile).current;
    let needed = config.connections as u64 + OF_A_RUN * u64::from(config.slots) + OF_THE_SERVER;
    match allowed {
        Some(allowed) if allowed < needed => Finding::new(
            "descriptors",
            Status::Limited,
            format!(
                "{allowed} files may be open here, and {} connections with {} slots need {needed}",
                config.connections, config.slots
            ),
            "LimitNOFILE= in the unit of the server, or ulimit -n; else set `connections` to less",
        ),
        _ => Finding::ok(
            "descriptors",
            format!("enough open files for {} connections", config.connections),
        ),
    }
}

async fn tenants(config: &ServeConfig, confinement: Confinement) -> Finding {
    let names = match maintenance::tenants(config) {
        Ok(names) => names,
        Err(error) => return unreadable("tenants", &error),
    };
    match (names.len(), maintenance::lacking_walls(confinement).await) {
        (count, None) => Finding::ok(
            "tenants",
            format!(
                "{count}; namespaces keep the store and each other's folders from their native actions"
            ),
        ),
        (..2, Some(lacking)) => Finding::new(
            "tenants",
            Status::Limited,
            format!("one; its native actions can read what the server's user can: {lacking}"),
            "allow user namespaces before there is a second tenant",
        ),
        (count, Some(lacking)) => Finding::new(
            "tenants",
            Status::Missing,
            format!("{count}, and their native actions are refused: {lacking}"),
            "allow user namespaces, or give each tenant a server and a user of its own",
        ),
    }
}

/// Files that others can read or write and should not.
fn modes(settings: Option<&Path>, config: &ServeConfig) -> Finding {
    let store = maintenance::store(config);
    let key = config.tls.as_ref().map(|tls| tls.key.as_path());
    let has_values = config
        .tenants
        .iter()
        .any(|(_, tenant)| !tenant.env.is_empty());
    let files = [
        (Some(config.data.as_path()), 0o022),
        (store.parent(), 0o077),
        (Some(store.as_path()), 0o077),
        (key, 0o077),
        // Values of `env` may be secrets.
        (settings, if has_values { 0o077 } else { 0o022 }),
    ];
    let mut open = Vec::new();
    for (path, others) in files {
        let Some(path) = path else { continue };
        let Ok(metadata) = fs::metadata(path) else {
            continue;
        };
        if metadata.mode() & others != 0 {
            open.push(format!(
                "{} ({:03o})",
                path.display(),
                metadata.mode() & 0o777
            ));
        }
    }
    if open.is_empty() {
        return Finding::ok("modes", "other users cannot read the store nor the key");
    }
    let detail = format!("other users can open {}", open.join(", "));
    let remedy =
        "chmod 600 the files and 700 the folders, or give them the group of the server alone";
    Finding::new("modes", Status::Limited, detail, remedy)
}

fn clock(config: &ServeConfig) -> Finding {
    let now = now();
    let newest = match maintenance::store(config).exists() {
        true => maintenance::newest(config).ok().flatten(),
        false => None,
    };
    match newest {
        Some(newest) if newest > now + MINUTE => Finding::new(
            "clock",
            Status::Missing,
            format!(
                "the clock is at least {} s behind the newest entry of the store",
                (newest - now) / 1_000_000
            ),
            "set the clock, and let NTP keep it: deadlines, schedules and retention go by it",
        ),
        _ => Finding::ok("clock", "not behind the newest entry of the store"),
    }
}

fn certificate(config: &ServeConfig) -> Option<Finding> {
    let renew = "renew it, and restart the server: it reads its certificate when it starts";
    Some(match maintenance::certificate(config) {
        Ok(None) if config.listen.ip().is_loopback() => return None,
        Ok(None) => Finding::new(
            "certificate",
            Status::Limited,
            format!(
                "none, and {} can be reached from other machines: tokens go in the clear",
                config.listen
            ),
            "set `tls`, or `listen` on 127.0.0.1 behind a proxy with TLS",
        ),
        Err(error) => Finding::new("certificate", Status::Missing, error.to_string(), renew),
        Ok(Some(valid)) => {
            let left = days_left(valid);
            let detail = match left {
                ..0 => format!("it expired {} days ago", -left),
                _ if valid.from > now() => "it is not valid yet".to_owned(),
                _ => format!("it is valid for {left} more days"),
            };
            match left {
                _ if left < 0 || valid.from > now() => {
                    Finding::new("certificate", Status::Missing, detail, renew)
                }
                ..SOON => Finding::new("certificate", Status::Limited, detail, renew),
                _ => Finding::ok("certificate", detail),
            }
        }
    })
}

fn days_left(valid: Validity) -> i64 {
    (valid.until - now()).div_euclid(DAY)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}
