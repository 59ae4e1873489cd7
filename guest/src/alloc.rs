//! Where memory comes from, and what happens when there is no more: Lua collects its garbage, then the run ends.
//!
//! The host refuses to let the memory grow past the run's limit. Lua answers a refused allocation by collecting all
//! garbage and asking once more; a second refusal would be an error that `pcall` catches. It traps here instead, so
//! that the limit ends the run and nothing can outlive it.
#![expect(unsafe_code, reason = "allocators speak in raw pointers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use mlua::{Lua, ffi};

use crate::slabs::{self, LARGEST, Slabs};

/// `malloc` of the C library aligns to this.
const ALIGN: usize = 8;

/// The last request of Lua that was refused, as its block and its new size.
static REFUSED_BLOCK: AtomicUsize = AtomicUsize::new(0);
static REFUSED_SIZE: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn allocate(
    _: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: Lua passes a block that this function returned, with the size it was last given, or null.
    unsafe {
        let got = resize(block, old, new);
        if !got.is_null() {
            // What was refused before was there after all, once the garbage was gone.
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

/// Resizes a block as Lua asks for it.
///
/// # Safety
/// `block` is null or came from here with the size `old`.
unsafe fn resize(block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    let block: *mut u8 = block.cast();
    // SAFETY: the caller's promise.
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

/// The one allocator of the instance.
struct Shared(UnsafeCell<Slabs>);

// SAFETY: an instance has one thread.
unsafe impl Sync for Shared {}

static SLABS: Shared = Shared(UnsafeCell::new(Slabs::new()));

/// Whether the slabs serve it; what is larger, or asks for more, is the C library's.
fn is_small(bytes: usize, align: usize) -> bool {
    bytes <= LARGEST && align <= slabs::STEP
}

/// A block of memory; null when there is none.
#[inline]
fn give(bytes: usize, align: usize) -> *mut u8 {
    if bytes > isize::MAX as usize - align {
        return null_mut();
    }
    // SAFETY: nothing of the slabs calls back here, so they are borrowed once; the size was looked at, and whoever asks
    // has an alignment that is one.
    unsafe {
        if is_small(bytes, align) {
            (*SLABS.0.get()).give(bytes)
        } else {
            System.alloc(Layout::from_size_align_unchecked(bytes, align))
        }
    }
}

/// # Safety
/// The block came from `give` or `change` with this size and alignment, and nobody uses it any more.
#[inline]
unsafe fn take(block: *mut u8, bytes: usize, align: usize) {
    // SAFETY: the caller's promise; the slabs as in `give`.
    unsafe {
        if is_small(bytes, align) {
            (*SLABS.0.get()).take(block, bytes);
        } else {
            System.dealloc(block, Layout::from_size_align_unchecked(bytes, align));
        }
    }
}

/// # Safety
/// As for `take`, unless it answers with null.
unsafe fn change(block: *mut u8, old: usize, align: usize, new: usize) -> *mut u8 {
    // SAFETY: the caller's promise; both blocks hold the bytes that are copied.
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

/// Ends the run. The host knows that it is for want of memory by what it refused last; a request that no memory could
/// ever hold was not put to it yet.
fn give_up() -> ! {
    core::arch::wasm32::memory_grow(0, 65_535);
    core::arch::wasm32::unreachable()
}

/// What the C library's string buffers (`string.rep`, `table.concat`) allocate with: they do not ask twice, and raise an
/// error that `pcall` catches. So the garbage is collected here, and a second refusal traps.
unsafe extern "C" fn allocate_box(
    state: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: as for `resize`; `state` is the state that asked, inside a C function of its own, where a collection is
    // allowed. It does not move or free the block, which Lua knows as a live userdata.
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

/// The builder links every use of `lua_getallocf` to this (`--wrap`): the string buffers are the only one.
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
    // SAFETY: the state is alive, and mlua's allocator is Rust's, which is this file's, too: blocks that it has given out
    // so far are resized and freed by the size that Lua knows.
    unsafe {
        lua.exec_raw_lua(|raw| {
            ffi::lua_setallocf(raw.state(), allocate, std::ptr::null_mut());
            STATE.store(raw.state(), Relaxed);
        });
    }
}

/// Runs what may not be disturbed by finalisers: a request of Rust's that is refused meanwhile fails at once.
pub(crate) fn without_collecting<T>(work: impl FnOnce() -> T) -> T {
    let before = COLLECTING.swap(true, Relaxed);
    let answer = work();
    COLLECTING.store(before, Relaxed);
    answer
}

/// Rust's own allocator: a refused request makes Lua collect its garbage, too.
struct Collecting;

#[global_allocator]
static GLOBAL: Collecting = Collecting;

impl Collecting {
    fn collect(&self) {
        let state = STATE.load(Relaxed);
        if state.is_null() || COLLECTING.swap(true, Relaxed) {
            return;
        }
        // SAFETY: the state lives as long as the instance, there is one thread, and a full collection is allowed
        // wherever Rust code runs: Lua's own code allocates through `allocate`.
        unsafe { ffi::lua_gc(state, ffi::LUA_GCCOLLECT) };
        COLLECTING.store(false, Relaxed);
    }
}

// SAFETY: every block comes from `give` or `change`, and goes back to `take` with its size and alignment.
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
        // SAFETY: the caller's promise is passed on.
        unsafe { take(block, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on; what was refused is as it was.
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
