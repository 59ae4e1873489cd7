//! Checks the containment and confinement of native actions on this machine.

use super::{Finding, Status};
use kael_engine::executor::{Capabilities, Containment, Counting};

const NAMESPACE: &str = "run Kael as root, or allow user namespaces: sysctl user.max_user_namespaces, \
kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns; in a container, its seccomp profile and \
the capability SYS_ADMIN";
const LANDLOCK: &str =
    "use a kernel from 5.13 with CONFIG_SECURITY_LANDLOCK and `landlock` in its `lsm=` list";
const PIDS: &str = "let Kael make control groups with the pids controller, for instance with systemd-run --user --scope -p Delegate=yes";

const FILTER: &str = "use a kernel with CONFIG_SECCOMP_FILTER";
const EXHAUSTED: &str = "end the programs that have used it up, or raise the bound: sysctl user.max_user_namespaces, \
user.max_pid_namespaces, user.max_mnt_namespaces, user.max_ipc_namespaces; ulimit -n and -u";

pub(super) fn findings(machine: &Capabilities) -> Vec<Finding> {
    vec![
        namespace(machine),
        landlock(machine.landlock),
        filter(machine.unfiltered),
        processes(&machine.counting),
    ]
}

/// The user has turned the confinement off.
pub(super) fn off() -> Finding {
    let detail = "off, as configured: native actions may do everything that their user may";
    let remedy = "leave `confinement` out, or set it to best-effort or required";
    Finding::new("confinement", Status::Limited, detail, remedy)
}

fn namespace(machine: &Capabilities) -> Finding {
    if let Some(why) = &machine.exhausted {
        let detail = format!("no action runs now: {why}");
        return Finding::new("namespace", Status::Missing, detail, EXHAUSTED);
    }
    let used = machine.containment;
    let unpromised = match used {
        Containment::Namespace {
            read_only: true, ..
        } => {
            let detail = format!("actions run in {used} whose mounts are read-only");
            return Finding::ok("namespace", detail);
        }
        Containment::Namespace { .. } => {
            "actions may change modes, owners and times of files that they may not write"
        }
        Containment::Group | Containment::Subreaper => {
            "actions see other processes; what they started outlives Kael when Kael is killed with KILL"
        }
        Containment::Session => {
            "actions see other processes; one that leaves its session and changes its environment is not ended"
        }
    };
    let detail = format!(
        "actions are kept together by {used}, because: {}; {unpromised}",
        machine.refused
    );
    Finding::new("namespace", Status::Limited, detail, NAMESPACE)
}

fn landlock(version: Option<i64>) -> Finding {
    let without = match version {
        None => {
            let detail = "the kernel offers no Landlock; actions may write and read wherever their user and mounts let them";
            return Finding::new("landlock", Status::Limited, detail, LANDLOCK);
        }
        Some(1) => {
            "; files are not moved between folders, truncate(2), devices, signals are not restrained"
        }
        Some(2) => "; truncate(2), devices, signals are not restrained",
        Some(3 | 4) => "; devices, signals are not restrained",
        Some(5) => "; signals are not restrained, nor abstract sockets",
        Some(_) => ", with signals and abstract sockets",
    };
    let version = version.unwrap_or_default();
    Finding::ok("landlock", format!("version {version}{without}"))
}

fn filter(unfiltered: Option<&'static str>) -> Finding {
    match unfiltered {
        None => Finding::ok(
            "seccomp",
            "actions trace no process, make no namespaces, mounts, leases, keys or raw sockets",
        ),
        Some(why) => {
            let detail = format!(
                "{why}; actions may trace one another and what starts them, and take leases on files"
            );
            Finding::new("seccomp", Status::Limited, detail, FILTER)
        }
    }
}

fn processes(counting: &Counting) -> Finding {
    match counting {
        Counting::Group(place) => Finding::ok(
            "processes",
            format!("counted by the pids controller below {place}"),
        ),
        Counting::User => Finding::ok("processes", "counted by RLIMIT_NPROC in a user namespace"),
        Counting::None(why) => Finding::new(
            "processes",
            Status::Limited,
            format!("`limits.processes` is not held: {why}"),
            PIDS,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_promised_is_said() {
        let machine = Capabilities {
            containment: Containment::Subreaper,
            refused: "Operation not permitted (os error 1)".to_owned(),
            exhausted: None,
            unfiltered: Some("the kernel offers no filters of system calls"),
            landlock: None,
            counting: Counting::None("no hierarchy".to_owned()),
        };
        let findings = findings(&machine);
        assert!(
            findings
                .iter()
                .all(|finding| finding.status == Status::Limited)
        );
        assert!(findings[0].detail.contains("outlives Kael"));
        assert!(findings[1].detail.contains("may write and read wherever"));
        assert_eq!(
            findings[3].detail,
            "`limits.processes` is not held: no hierarchy"
        );
        assert!(findings[2].detail.contains("trace one another"));
        assert_eq!(machine.missing().len(), 4);
        let machine = Capabilities {
            exhausted: Some("Too many open files".to_owned()),
            ..machine
        };
        let findings = super::findings(&machine);
        assert_eq!(findings[0].status, Status::Missing);
        assert_eq!(
            findings[0].detail,
            "no action runs now: Too many open files"
        );
        assert!(
            landlock(Some(7))
                .detail
                .ends_with("with signals and abstract sockets")
        );
        assert!(landlock(Some(4)).detail.contains("signals are not"));
    }
}
