//! The guest's allocator. When memory runs out, it collects Lua's garbage, and then ends the run.
//!
//! The host refuses to grow the memory past the run's limit. After a refusal Lua collects all
//! garbage and asks once more. A second refusal would be an error that `pcall` catches. This
//! allocator traps instead, so that the limit ends the run.
#![expect(unsafe_code, reason = "allocators speak in raw pointers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use mlua::{Lua, ffi};

use crate::slabs::{self, LARGEST, Slabs};

/// The alignment of the C library's `malloc`.
const ALIGN: usize = 8;

/// Lua's last refused request: the block and the new size.
static REFUSED_BLOCK: AtomicUsize = AtomicUsize::new(0);
static REFUSED_SIZE: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn allocate(
    _: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: Lua passes null, or a block from this function with its current size.
    unsafe {
        let got = resize(block, old, new);
        if !got.is_null() {
            // The second attempt succeeded after the garbage was collected.
            REFUSED_SIZE.store(0, Relaxed);
        } else if new > 0 {
            let same = REFUSED_SIZE.swap(new, Relaxed) == new;
            if REFUSED_BLOCK.swap(block.addr(), Relaxed) == block.addr() && same {
                give_up();
            }
        }
        got
    }
}

/// Resizes a block for Lua.
///
/// # Safety
/// `block` is null, or came from here with the size `old`.
unsafe fn resize(block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    let block: *mut u8 = block.cast();
    // SAFETY: the caller guarantees it.
    unsafe {
        let got = match (block.is_null(), new) {
            (true, 0) => null_mut(),
            (true, _) => give(new, ALIGN),
            (false, 0) => {
                take(block, old, ALIGN);
                null_mut()
            }
            (false, _) => change(block, old, ALIGN, new),
        };
        got.cast()
    }
}

/// The instance's only allocator.
struct Shared(UnsafeCell<Slabs>);

// SAFETY: an instance has one thread.
unsafe impl Sync for Shared {}

static SLABS: Shared = Shared(UnsafeCell::new(Slabs::new()));

/// Whether the slabs serve the request. The C library serves larger sizes and alignments.
fn is_small(bytes: usize, align: usize) -> bool {
    bytes <= LARGEST && align <= slabs::STEP
}

/// Allocates a block. Null if there is no memory.
#[inline]
fn give(bytes: usize, align: usize) -> *mut u8 {
    if bytes > isize::MAX as usize - align {
        return null_mut();
    }
    // SAFETY: the slabs call nothing that calls back, so they are borrowed once. The size was
    // checked, and callers pass valid alignments.
    unsafe {
        if is_small(bytes, align) {
            (*SLABS.0.get()).give(bytes)
        } else {
            System.alloc(Layout::from_size_align_unchecked(bytes, align))
        }
    }
}

/// # Safety
/// The block came from `give` or `change` with this size and alignment, and is not used any more.
#[inline]
unsafe fn take(block: *mut u8, bytes: usize, align: usize) {
    // SAFETY: the caller guarantees it; the slabs as in `give`.
    unsafe {
        if is_small(bytes, align) {
            (*SLABS.0.get()).take(block, bytes);
        } else {
            System.dealloc(block, Layout::from_size_align_unchecked(bytes, align));
        }
    }
}

/// # Safety
/// As for `take`, unless it returns null.
unsafe fn change(block: *mut u8, old: usize, align: usize, new: usize) -> *mut u8 {
    // SAFETY: the caller guarantees it; both blocks are large enough for the copied bytes.
    unsafe {
        match (is_small(old, align), is_small(new, align)) {
            (true, true) if slabs::same_size(old, new) => block,
            (false, false) if new <= isize::MAX as usize - align => {
                System.realloc(block, Layout::from_size_align_unchecked(old, align), new)
            }
            _ => {
                let other = give(new, align);
                if !other.is_null() {
                    other.copy_from_nonoverlapping(block, old.min(new));
                    take(block, old, align);
                }
                other
            }
        }
    }
}

/// Ends the run. The host sees from its last refusal that memory was the cause, so a request that
/// no memory could hold is made once here.
fn give_up() -> ! {
    core::arch::wasm32::memory_grow(0, 65_535);
    core::arch::wasm32::unreachable()
}

/// Allocates for the C library's string buffers (`string.rep`, `table.concat`). They ask only once,
/// and then raise an error that `pcall` catches. So this collects the garbage and tries again, and
/// traps on a second refusal.
unsafe extern "C" fn allocate_box(
    state: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: as for `resize`. `state` asks inside one of its C functions, where a collection is
    // allowed. The collection does not move or free the block, which is a live userdata.
    unsafe {
        let got = resize(block, old, new);
        if !got.is_null() || new == 0 {
            return got;
        }
        ffi::lua_gc(state.cast(), ffi::LUA_GCCOLLECT);
        let got = resize(block, old, new);
        if got.is_null() {
            give_up();
        }
        got
    }
}

/// The builder links every use of `lua_getallocf` to this (`--wrap`). Only the string buffers use
/// it.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_lua_getallocf(
    state: *mut ffi::lua_State,
    data: *mut *mut c_void,
) -> ffi::lua_Alloc {
    if !data.is_null() {
        // SAFETY: Lua's callers pass the address of a local, or null.
        unsafe { *data = state.cast() };
    }
    allocate_box
}

static STATE: AtomicPtr<ffi::lua_State> = AtomicPtr::new(std::ptr::null_mut());
static COLLECTING: AtomicBool = AtomicBool::new(false);

/// Makes Lua allocate through this file.
pub(crate) fn adopt(lua: &Lua) {
    // SAFETY: the state is alive. mlua's allocator is Rust's, which is this file, too, so earlier
    // blocks can be resized and freed by the size that Lua knows.
    unsafe {
        lua.exec_raw_lua(|raw| {
            ffi::lua_setallocf(raw.state(), allocate, std::ptr::null_mut());
            STATE.store(raw.state(), Relaxed);
        });
    }
}

/// Runs work during which no finaliser may run: a refused request of Rust fails at once.
pub(crate) fn without_collecting<T>(work: impl FnOnce() -> T) -> T {
    let before = COLLECTING.swap(true, Relaxed);
    let answer = work();
    COLLECTING.store(before, Relaxed);
    answer
}

/// Rust's allocator. It also collects Lua's garbage after a refusal.
struct Collecting;

#[global_allocator]
static GLOBAL: Collecting = Collecting;

impl Collecting {
    fn collect(&self) {
        let state = STATE.load(Relaxed);
        if state.is_null() || COLLECTING.swap(true, Relaxed) {
            return;
        }
        // SAFETY: the state lives as long as the instance, there is one thread, and Rust code may
        // run a full collection anywhere, because Lua's own code allocates through `allocate`.
        unsafe { ffi::lua_gc(state, ffi::LUA_GCCOLLECT) };
        COLLECTING.store(false, Relaxed);
    }
}

// SAFETY: every block comes from `give` or `change`, and returns to `take` with its size and
// alignment.
unsafe impl GlobalAlloc for Collecting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let got = give(layout.size(), layout.align());
        if !got.is_null() {
            return got;
        }
        self.collect();
        give(layout.size(), layout.align())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller guarantees it.
        unsafe { take(block, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        // SAFETY: the caller guarantees it; a refused block stays as it was.
        unsafe {
            let got = change(block, layout.size(), layout.align(), new);
            if !got.is_null() {
                return got;
            }
            self.collect();
            change(block, layout.size(), layout.align(), new)
        }
    }
}
