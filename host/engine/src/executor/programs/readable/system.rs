//! The folders and files of the system that programs read, and that hold nothing of a user.
//!
//! Below `/etc` these are the files by which programs find libraries, names, time zones and
//! certificates. Keys, passwords and what services are set up with are not among them. `/opt`,
//! `/home`, `/root`, `/srv`, `/var`, `/run`, `/mnt` and `/tmp` are not there at all.

use std::path::Path;

/// Whether one of these folders holds a real path, so that every action with `reads` reads it.
pub(super) fn has(path: &Path) -> bool {
    PLACES.iter().any(|place| path.starts_with(place))
}

/// As they are on the common distributions. What a machine lacks is passed over.
pub(super) const PLACES: &[&str] = &[
    // Programs and libraries.
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/run/current-system",
    // How libraries are found.
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/alternatives",
    // Users, and names of the network.
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/networks",
    "/etc/static",
    // Time, language and the kind of system.
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/os-release",
    "/etc/lsb-release",
    "/etc/debian_version",
    "/etc/terminfo",
    "/etc/inputrc",
    "/etc/mime.types",
    "/etc/magic",
    // The authorities that sign certificates, without keys.
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/var/lib/ca-certificates",
    // Settings of interpreters that the distribution ships.
    "/etc/python2.7",
    "/etc/python3",
    "/etc/perl",
    "/etc/fonts",
    // How many processors there are, for the runtimes of Go, Java and Node.
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
];
