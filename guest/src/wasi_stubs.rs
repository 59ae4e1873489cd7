//! Defines the WASI functions that the C library imports, so that the component imports none of
//! them.
//!
//! There are no files, sockets, arguments or variables, so these functions fail. The clock uses the
//! gate. Signatures are those of `wasi_snapshot_preview1` in wasi-libc. Errno 8 is `badf`, 52 is
//! `nosys`.
#![expect(
    unsafe_code,
    reason = "C functions are defined by their symbol and take raw pointers"
)]

const OK: i32 = 0;
const BADF: i32 = 8;
const NOSYS: i32 = 52;

macro_rules! refuse {
    ($($name:ident($($arg:ty),*) = $errno:expr;)*) => {
        $(#[unsafe(no_mangle)] extern "C" fn $name($(_: $arg),*) -> i32 { $errno })*
    };
}

refuse! {
    __imported_wasi_snapshot_preview1_args_get(i32, i32) = OK;
    __imported_wasi_snapshot_preview1_environ_get(i32, i32) = OK;
    __imported_wasi_snapshot_preview1_clock_res_get(i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_advise(i32, i64, i64, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_allocate(i32, i64, i64) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_close(i32) = BADF;
    __imported_wasi_snapshot_preview1_fd_datasync(i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_fdstat_get(i32, i32) = BADF;
    __imported_wasi_snapshot_preview1_fd_fdstat_set_flags(i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_fdstat_set_rights(i32, i64, i64) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_filestat_get(i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_filestat_set_size(i32, i64) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_filestat_set_times(i32, i64, i64, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_pread(i32, i32, i32, i64, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_prestat_dir_name(i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_prestat_get(i32, i32) = BADF;
    __imported_wasi_snapshot_preview1_fd_pwrite(i32, i32, i32, i64, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_read(i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_readdir(i32, i32, i32, i64, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_renumber(i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_seek(i32, i64, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_sync(i32) = NOSYS;
    __imported_wasi_snapshot_preview1_fd_tell(i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_create_directory(i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_filestat_get(i32, i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_filestat_set_times(i32, i32, i32, i32, i64, i64, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_link(i32, i32, i32, i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_open(i32, i32, i32, i32, i32, i64, i64, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_readlink(i32, i32, i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_remove_directory(i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_rename(i32, i32, i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_symlink(i32, i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_path_unlink_file(i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_poll_oneoff(i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_sched_yield() = OK;
    __imported_wasi_snapshot_preview1_sock_accept(i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_sock_recv(i32, i32, i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_sock_send(i32, i32, i32, i32, i32) = NOSYS;
    __imported_wasi_snapshot_preview1_sock_shutdown(i32, i32) = NOSYS;
}

macro_rules! empty {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name(count: *mut u32, size: *mut u32) -> i32 {
                // SAFETY: the C library passes the addresses of two of its locals.
                unsafe {
                    *count = 0;
                    *size = 0;
                }
                OK
            }
        )*
    };
}

empty! { __imported_wasi_snapshot_preview1_args_sizes_get __imported_wasi_snapshot_preview1_environ_sizes_get }

/// All clocks of C (`os.time`, `os.date`) return the wall clock of `kael.clock`, in nanoseconds.
#[unsafe(no_mangle)]
extern "C" fn __imported_wasi_snapshot_preview1_clock_time_get(
    _clock: i32,
    _precision: i64,
    time: *mut u64,
) -> i32 {
    let (wall, _cpu) = crate::gate::clock();
    // SAFETY: the C library passes the address of one of its locals.
    unsafe { *time = (wall * 1e9) as u64 };
    OK
}

/// Seeds hash maps. Random numbers of scripts come from `kael.seed`.
#[unsafe(no_mangle)]
extern "C" fn __imported_wasi_snapshot_preview1_random_get(buffer: *mut u8, length: usize) -> i32 {
    // SAFETY: the C library passes a buffer of `length` bytes.
    unsafe { core::ptr::write_bytes(buffer, 0x5a, length) };
    OK
}

/// Drops the output of C's stdio. `print` uses the gate.
#[unsafe(no_mangle)]
extern "C" fn __imported_wasi_snapshot_preview1_fd_write(
    _fd: i32,
    vectors: *const [usize; 2],
    count: usize,
    written: *mut usize,
) -> i32 {
    // SAFETY: the C library passes `count` pairs of address and length, and the address of one of
    // its locals.
    unsafe { *written = (0..count).map(|i| (*vectors.add(i))[1]).sum() };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn __imported_wasi_snapshot_preview1_proc_exit(_code: i32) -> ! {
    core::arch::wasm32::unreachable()
}

/// The C library's own `close` imports WASI's function. `os.tmpname`, which scripts do not have,
/// refers to it.
#[unsafe(no_mangle)]
extern "C" fn close(_fd: i32) -> i32 {
    -1
}
