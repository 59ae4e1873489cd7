//! What native actions run under on this machine, and what that does not promise.

use super::{Finding, Status};
use kael_engine::executor::{Capabilities, Containment, Counting};

const NAMESPACE: &str = "run Kael as root, or allow user namespaces: sysctl user.max_user_namespaces, \
kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns; in a container, its seccomp profile and \
the capability SYS_ADMIN";
const LANDLOCK: &str =
    "use a kernel from 5.13 with CONFIG_SECURITY_LANDLOCK and `landlock` in its `lsm=` list";
const PIDS: &str = "let Kael make control groups with the pids controller, for instance with systemd-run --user --scope -p Delegate=yes";

pub(super) fn findings(machine: &Capabilities) -> Vec<Finding> {
    vec![
        namespace(machine),
        landlock(machine.landlock),
        processes(&machine.counting),
    ]
}

/// It is the user's wish that there be none.
pub(super) fn off() -> Finding {
    let detail = "off, as configured: native actions may do whatever their user may";
    let remedy = "leave `confinement` out, or set it to best-effort or required";
    Finding::new("confinement", Status::Limited, detail, remedy)
}

fn namespace(machine: &Capabilities) -> Finding {
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
            let detail = "the kernel offers no Landlock; actions may write wherever their user and mounts let them";
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
        assert!(findings[1].detail.contains("may write wherever"));
        assert_eq!(
            findings[2].detail,
            "`limits.processes` is not held: no hierarchy"
        );
        assert_eq!(machine.missing().len(), 3);
        assert!(
            landlock(Some(7))
                .detail
                .ends_with("with signals and abstract sockets")
        );
        assert!(landlock(Some(4)).detail.contains("signals are not"));
    }
}
