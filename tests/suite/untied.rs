//! Actions and cancelling scripts that try to escape their host, their confinement or their limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kael_tests::{Kael, Need, Program, Ran, alive, gone, lacks, needs};

/// A session with a Python action `t.a` that prints a text.
fn python(fields: &str, code: &str) -> Kael {
    Kael::new()
        .program("impl/a.py", code)
        .program("impl/a.sh", "#!/bin/sh\nexec python3 \"$(dirname \"$0\")/a.py\"\n")
        .define(
            "a",
            &format!("source = '../impl', entrypoint = 'a.sh', executor = 'native', output = 'text', {fields}"),
        )
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout == b"0\n"
}

/// A copy of the host that other users can execute, and a prefix that runs it as another user if
/// this user is root.
fn as_another(folder: &Path) -> (Command, PathBuf) {
    let host = folder.join("kael-host");
    fs::copy(&Program::get().host, &host).expect("a copy");
    let mut command = match is_root() {
        true => Command::new("setpriv"),
        false => Command::new("env"),
    };
    if is_root() {
        let ids = ["--reuid=61234", "--regid=61234", "--clear-groups", "env"];
        command.args(ids);
        let owner = ["-R", "61234:61234"];
        let status = Command::new("chown").args(owner).arg(folder).status();
        assert!(status.expect("chown").success());
    }
    command
        .args(["-i", "PATH=/usr/local/bin:/usr/bin:/bin"])
        .arg(format!("HOME={}", folder.display()))
        .arg(format!("KAEL_DATA={}/data", folder.display()))
        .current_dir(folder)
        .stdin(Stdio::null());
    (command, host)
}

#[test]
fn system_calls_that_lead_out_are_refused() {
    if !needs(&[Need::Seccomp]) {
        return;
    }
    // Each call must fail with EPERM, or with ENOSYS if the C library can use another one.
    let code = r#"
import ctypes, errno, fcntl, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) >= 0: return 'done'
    return errno.errorcode[ctypes.get_errno()]
def told(work):
    try: work()
    except OSError as error: return errno.errorcode[error.errno]
    return 'done'
buffer = ctypes.create_string_buffer(64)
print('ptrace', call('ptrace', 0x4206, 1, 0, 0))
print('readv', call('process_vm_readv', 1, None, 0, None, 0, 0))
print('writev', call('process_vm_writev', 1, None, 0, None, 0, 0))
for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000, 0x80): print('unshare', call('unshare', flag))
print('files', call('unshare', 0x400))
namespace = os.open('/proc/self/ns/mnt', os.O_RDONLY)
print('setns', call('setns', namespace, 0))
print('mount', call('mount', b'none', b'/tmp', b'tmpfs', 0, None))
lease = os.open('/etc/passwd', os.O_RDONLY)
print('lease', told(lambda: fcntl.fcntl(lease, 1024, 1)))
print('packet', told(lambda: socket.socket(17, socket.SOCK_RAW)))
print('raw', told(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)))
print('old', told(lambda: socket.socket(socket.AF_INET, 10, 0x0300)))
for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_NETLINK):
    kind = socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM
    print('socket', told(lambda: socket.socket(family, kind)))
print('clone3', call('syscall', 435, buffer, 64))
print('io_uring', call('syscall', 425, 8, buffer))
print('mem', told(lambda: os.open('/proc/1/mem', os.O_RDWR)) != 'done')
print('child', os.waitstatus_to_exitcode(os.system('true')))
"#;
    let ran = python("", code).script("print(actions.t.a({}))");
    let expected = "ptrace EPERM\nreadv EPERM\nwritev EPERM\n".to_owned()
        + &"unshare EPERM\n".repeat(5)
        + "files done\nsetns EPERM\nmount EPERM\nlease EPERM\npacket EPERM\nraw EPERM\nold EPERM\n"
        + &"socket done\n".repeat(3)
        + "clone3 ENOSYS\nio_uring EPERM\nmem True\nchild 0\n";
    assert_eq!(ran.exits(0).stdout.trim_end(), expected.trim_end());
}

/// Removes from pid 1 of the namespace what ties it to the host, as a debugger could.
#[cfg(target_arch = "x86_64")]
const UNTIE: &str = r#"
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
registers = (ctypes.c_ulonglong * 32)()
def ptrace(request): return libc.ptrace(request, 1, None, ctypes.cast(registers, ctypes.c_void_p))
if libc.ptrace(0x4206, 1, None, None) == 0:
    libc.ptrace(0x4207, 1, None, None)
    os.waitpid(1, 0x40000000)
    ptrace(12)
    old = list(registers)
    rax, orig_rax, rsi, rdi, rip = 10, 15, 13, 14, 16
    registers[rip] -= 2
    registers[rax], registers[orig_rax], registers[rdi], registers[rsi] = 157, 2**64 - 1, 1, 0
    ptrace(13)
    libc.ptrace(9, 1, None, None)
    os.waitpid(1, 0x40000000)
    for at, value in enumerate(old): registers[at] = value
    ptrace(13)
    libc.ptrace(17, 1, None, None)
os.execvp('sleep', ['sleep', '4817.1'])
"#;

#[cfg(target_arch = "x86_64")]
#[test]
fn an_action_cannot_survive_a_killed_host() {
    if !needs(&[Need::Namespace, Need::Seccomp]) {
        return;
    }
    let session = python("timeout = 60", UNTIE)
        .file("script.lua", "actions.t.a({})")
        .words(&["run", "script.lua"]);
    let mut host = session.start();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !alive("4817.1") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(alive("4817.1"), "the action began");
    host.kill().expect("it is killed");
    host.wait().expect("it ends");
    assert!(gone("4817.1"));
}

#[test]
fn shared_ipc_ends_with_the_call_and_is_bounded() {
    if !needs(&[Need::Namespace, Need::Seccomp]) {
        return;
    }
    let code = r#"
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) >= 0: return 'done'
    return errno.errorcode[ctypes.get_errno()]
libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
print(call('shmget', 481, 40 << 20, 0o1600), call('shmget', 0, 40 << 20, 0o1600))
print(call('msgget', 481, 0o1600), call('semget', 481, 1, 0o1600), call('semget', 0, 32000, 0o1600))
"#;
    let script = "for _ = 1, 2 do print(actions.t.a({})) end";
    let ran = python("limits = { memory = '64MiB' }", code).script(script);
    let lines: Vec<&str> = ran
        .exits(0)
        .stdout
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    // Some kernels let only the machine's root set the bounds of a namespace. Then no such object
    // can be made at all.
    let bounded = ["done ENOSPC", "done done EINVAL"];
    let refused = ["EPERM EPERM", "EPERM EPERM EPERM"];
    assert!(
        lines == [bounded, bounded].concat() || lines == [refused, refused].concat(),
        "{lines:?}"
    );
    let left = Command::new("ipcs").args(["-m", "-q", "-s"]).output();
    let left = String::from_utf8_lossy(&left.expect("ipcs").stdout).into_owned();
    assert!(!left.contains("0x000001e1"), "{left}");
}

/// A host as root of a user namespace with this many mount namespaces, one of which is in use.
fn with_mount_namespaces(most: u32) -> Ran {
    let session = Kael::new().file("file", "");
    let file = session.path().join("file").display().to_string();
    let session = session
        .shell(
            "a",
            "",
            &format!("chmod 600 '{file}' 2>/dev/null && exit 3; echo 1"),
        )
        .file("script.lua", "print(actions.t.a({}))");
    session.write_repo();
    let host = Program::get().host.display().to_string();
    let inside = format!(
        "unshare -m sleep 20 & sleep 0.5; echo {most} > /proc/sys/user/max_mnt_namespaces
         \"{host}\" --actions actions run --timeout 15s script.lua; code=$?; kill $!; exit $code"
    );
    let mut command = session.command();
    let env: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = Command::new("unshare");
    let output = command
        .args(["-U", "-r", "sh", "-c", &inside])
        .current_dir(session.path())
        .envs(env)
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    let ran = Ran::new(output, tempfile::tempdir().expect("a folder"));
    drop(session);
    ran
}

#[test]
fn where_namespaces_are_used_up_no_action_runs_with_less() {
    let may = Command::new("unshare").args(["-U", "-r", "true"]).status();
    if !needs(&[Need::Namespace]) {
        return;
    }
    if !may.is_ok_and(|status| status.success()) {
        return lacks("namespaces of users");
    }
    with_mount_namespaces(1)
        .exits(6)
        .says("there may be no more namespaces");
    let ran = with_mount_namespaces(50);
    assert_eq!(ran.exits(0).stdout, "1\n");
}

#[test]
fn processes_of_npm_end_with_a_killed_host_for_any_user() {
    let can = Command::new("setpriv").arg("--version").output().is_ok();
    if !needs(&[Need::Namespace]) {
        return;
    }
    if is_root() && !can {
        return lacks("setpriv");
    }
    let manifest = r#"{ "name": "n", "version": "1.0.0", "scripts": { "preinstall": "(setsid sleep 4817.2 &) ; sleep 4817.2" } }"#;
    let session = Kael::new()
        .file("node/package.json", manifest)
        .file("node/n.js", "console.log(1)")
        .file("home/.keep", "")
        .define(
            "n",
            "source = '../node', entrypoint = 'n.js', executor = 'native'",
        );
    session.write_repo();
    let envyr = session.path().join("envyr");
    fs::copy(&Program::get().envyr, &envyr).expect("a copy");
    // Another user without user namespaces gets no namespaces.
    let (mut doctor, host) = as_another(session.path());
    let found = doctor.arg(&host).arg("doctor").output().expect("doctor");
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    if !found
        .lines()
        .any(|line| line.starts_with("ok") && line.contains(" namespace "))
    {
        return lacks("namespaces of users for another user");
    }
    let (mut command, host) = as_another(session.path());
    let mut host = command
        .arg(format!("KAEL_ENVYR={}", envyr.display()))
        .arg(host)
        .args(["--actions", "actions", "run", "-e", "actions.t.n({})"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the host");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !alive("4817.2") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(alive("4817.2"), "npm began");
    // `setpriv` and `env` have executed the host.
    host.kill().expect("it is killed");
    host.wait().expect("it ends");
    assert!(gone("4817.2"));
}

#[test]
fn locks_that_actions_take_hold_up_no_other_run() {
    let manifest = |version: u32| {
        let own = r#"{ "own": "file:./own" }"#;
        format!(r#"{{ "name": "n", "version": "1.0.{version}", "dependencies": {own} }}"#)
    };
    let session = Kael::new()
        .file(
            "node/own/package.json",
            r#"{ "name": "own", "version": "1.0.0" }"#,
        )
        .file("node/package.json", manifest(0))
        .file("node/n.js", "console.log(1)")
        .define(
            "n",
            "source = '../node', entrypoint = 'n.js', executor = 'native'",
        );
    let locks = session.path().join("data/locks").display().to_string();
    // Takes every kind of lock that a reader can have, on all existing and future files.
    let code = format!(
        "import fcntl, glob, time\nheld = []\nover = time.time() + 30\nwhile time.time() < over:\n  for name in glob.glob('{locks}/*'):\n    try:\n      file = open(name)\n      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n      fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)\n      held.append(file)\n    except OSError: pass\n  open('/dev/null'); time.sleep(0.01)\n  held = held[:100]\n"
    );
    let session = session.program("impl/h.py", &code).shell(
        "h",
        "timeout = 60",
        "exec python3 \"$(dirname \"$0\")/h.py\" 4817.3",
    );
    session.write_repo();
    let run = |script: &str| {
        let mut command = session.command();
        command.args(["run", "--timeout", "20s", "-e", script]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("the host")
    };
    let first = run("print(actions.t.n({}))")
        .wait_with_output()
        .expect("it ends");
    assert_eq!(String::from_utf8_lossy(&first.stdout), "1\n");
    let mut holder = run("actions.t.h({})");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !alive("4817.3") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    for version in 1..4 {
        fs::write(session.path().join("node/package.json"), manifest(version)).expect("a file");
        let ran = run("print(actions.t.n({}))")
            .wait_with_output()
            .expect("it ends");
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(String::from_utf8_lossy(&ran.stdout), "1\n", "{told}");
    }
    holder.kill().ok();
    holder.wait().expect("it ends");
    assert!(gone("4817.3"));
}

/// The children of a process, including those not yet reaped.
fn children(of: u32) -> usize {
    let stat = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("stat")).ok();
    let parent = |stat: String| -> Option<u32> {
        let rest = &stat[stat.rfind(')')? + 2..];
        rest.split(' ').nth(1)?.parse().ok()
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(stat)
        .filter(|stat| parent(stat.clone()) == Some(of))
        .count()
}

#[test]
fn calls_that_are_cancelled_count_until_they_are_gone() {
    let script = "while true do
        local fs = {} for i = 1, 20 do fs[i] = function() actions.t.nap({}) end end
        fs[21] = function() return pcall(actions.t.strict, { a = 'x' }) end
        race(fs)
    end";
    let session = Kael::new()
        .shell("nap", "timeout = 60", "sleep 4817.4")
        .shell("strict", "params = { a = 'integer' }", "echo 1")
        .file("script.lua", script)
        .run_with(&["--max-parallel", "6", "--timeout", "5s", "script.lua"]);
    let mut host = session.start();
    let (mut most, mut folders, mut open) = (0, 0, 0);
    while host.try_wait().expect("it can be asked").is_none() {
        most = most.max(children(host.id()));
        let hosts = fs::read_dir(session.path().join("data/tmp"));
        let hosts = hosts.into_iter().flatten().flatten();
        folders = folders.max(hosts.map(|host| count(&host.path())).sum::<usize>());
        open = open.max(count(&PathBuf::from(format!("/proc/{}/fd", host.id()))));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(most <= 6, "{most} processes");
    assert!(folders <= 8, "{folders} folders");
    assert!(open <= 140, "{open} descriptors");
    assert!(gone("4817.4"));
}

/// Entries of a folder.
fn count(folder: &Path) -> usize {
    fs::read_dir(folder).into_iter().flatten().count()
}

#[test]
fn where_descriptors_are_few_calls_wait_for_one_another() {
    let script = "local fs = {} for i = 1, 60 do fs[i] = function() return actions.t.a({}) end end
        print(#parallel(fs))";
    let session = Kael::new()
        .shell("a", "", "sleep 0.05; echo 1")
        .file("script.lua", script);
    session.write_repo();
    let host = Program::get().host.display().to_string();
    let env: Vec<_> = session
        .command()
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let inside =
        format!("ulimit -n 160; exec '{host}' --actions actions run --max-parallel 60 script.lua");
    let output = Command::new("bash")
        .args(["-c", &inside])
        .current_dir(session.path())
        .envs(env)
        .stdin(Stdio::null())
        .output()
        .expect("sh");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "60\n", "{told}");
}

#[test]
fn limits_that_are_too_small_to_begin_are_no_bug() {
    let command = |limit: &str, words: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut command, host) = as_another(folder.path());
        let host = host.display().to_string();
        let inside = format!("ulimit {limit}; exec '{host}' {words}");
        let output = command
            .args(["bash", "-c", &inside])
            .output()
            .expect("it starts");
        Ran::new(output, folder)
    };
    let run = |limit: &str| command(limit, "run -e 'print(1)'");
    let all = [
        "-u 1",
        "-u 2",
        "-u 3",
        "-u 4",
        "-n 8",
        "-n 12",
        "-n 20",
        "-v 300000",
        "-v 800000",
    ];
    let others = [
        command("-n 12", "run --journal -e 'print(1)'"),
        command("-v 300000", "run --journal -e 'print(1)'"),
        command("-v 800000", "serve --listen 127.0.0.1:0"),
        command("-n 20", "serve --listen 127.0.0.1:0"),
    ];
    for ran in all.map(run).into_iter().chain(others) {
        ran.exits(3)
            .says("hint: raise the limits of the process: ulimit -u (threads), -n (open files), -v (addresses)");
        assert!(
            !ran.stderr.contains("bug") && !ran.stderr.contains("panicked"),
            "{}",
            ran.stderr
        );
    }
    for enough in ["-n 64", "-s 64", "-s 1024"] {
        assert_eq!(run(enough).exits(0).stdout, "1\n", "{enough}");
    }
}
