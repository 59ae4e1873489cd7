//! Allocates small blocks from pages of equal blocks, so that short-lived and long-lived blocks of
//! different sizes do not mix.
//!
//! Nearly all of Lua's blocks are small and short-lived. A page lists its free blocks, so
//! allocating and freeing take a few instructions. Pages come from chunks of the C library's
//! `malloc`. An empty page can serve any size, and a chunk whose pages are all empty is freed.
#![expect(unsafe_code, reason = "an allocator speaks in raw pointers")]

use std::alloc::{GlobalAlloc as _, Layout, System};
use std::ptr::null_mut;

/// Bytes of the largest block.
pub(crate) const LARGEST: usize = 256;

/// Blocks are multiples of this, and aligned to it.
pub(crate) const STEP: usize = 16;
const CLASSES: usize = LARGEST / STEP + 1;

/// Bytes of a page, and its alignment.
const PAGE: usize = 4 << 10;

/// Bytes of a chunk: an eighth of all chunks, within these bounds.
const CHUNKS: [usize; 2] = [64 << 10, 1 << 20];

/// All chunks and pages. Its methods accept only their own blocks.
pub(crate) struct Slabs {
    /// Per size class, the pages with free blocks. The first page is used until it is full. No
    /// other is empty.
    pages: [*mut Page; CLASSES],
    /// The chunks with an empty page.
    chunks: *mut Chunk,
    /// Bytes of all chunks.
    held: usize,
}

/// The header of a page.
#[repr(C, align(16))]
struct Page {
    /// Blocks that were freed.
    free: *mut Block,
    /// The offset of the first block that was never used.
    fresh: usize,
    /// How many blocks are in use.
    used: usize,
    /// Bytes of a block.
    size: usize,
    /// In the list of its class if it has free blocks; in the list of its chunk if it is empty.
    next: *mut Page,
    previous: *mut Page,
    chunk: *mut Chunk,
    full: bool,
}

struct Block {
    next: *mut Block,
}

/// The header of a chunk.
struct Chunk {
    bytes: usize,
    /// Empty pages.
    pages: *mut Page,
    /// The first page that was never used.
    fresh: *mut u8,
    /// How many pages were never used.
    left: usize,
    used: usize,
    next: *mut Chunk,
    previous: *mut Chunk,
}

/// Whether two sizes belong to the same class.
pub(crate) fn same_size(one: usize, other: usize) -> bool {
    one.div_ceil(STEP) == other.div_ceil(STEP)
}

/// An element of a doubly linked list.
trait Linked {
    fn next(&mut self) -> &mut *mut Self;
    fn previous(&mut self) -> &mut *mut Self;
}

impl Linked for Page {
    fn next(&mut self) -> &mut *mut Self {
        &mut self.next
    }
    fn previous(&mut self) -> &mut *mut Self {
        &mut self.previous
    }
}

impl Linked for Chunk {
    fn next(&mut self) -> &mut *mut Self {
        &mut self.next
    }
    fn previous(&mut self) -> &mut *mut Self {
        &mut self.previous
    }
}

/// # Safety
/// `head` begins a list of live elements; `new` is live and in no list.
unsafe fn push<T: Linked>(head: &mut *mut T, new: *mut T) {
    // SAFETY: the caller guarantees it.
    unsafe {
        *(*new).next() = *head;
        *(*new).previous() = null_mut();
        if !head.is_null() {
            *(**head).previous() = new;
        }
    }
    *head = new;
}

/// # Safety
/// `head` begins a list of live elements, and `old` is in it.
unsafe fn unlink<T: Linked>(head: &mut *mut T, old: *mut T) {
    // SAFETY: the caller guarantees it.
    unsafe {
        let (next, previous) = (*(*old).next(), *(*old).previous());
        if previous.is_null() {
            *head = next;
        } else {
            *(*previous).next() = next;
        }
        if !next.is_null() {
            *(*next).previous() = previous;
        }
    }
}

/// A freed block of the page. Null if there is none.
///
/// # Safety
/// The page is live.
#[inline]
unsafe fn given_back(page: *mut Page) -> *mut u8 {
    // SAFETY: the caller guarantees it. Free blocks lie within the page and are not in use.
    unsafe {
        let block = (*page).free;
        if !block.is_null() {
            (*page).free = (*block).next;
            (*page).used += 1;
        }
        block.cast()
    }
}

impl Slabs {
    pub(crate) const fn new() -> Self {
        Self {
            pages: [null_mut(); CLASSES],
            chunks: null_mut(),
            held: 0,
        }
    }

    /// A block of at least this many bytes, at most `LARGEST`. Null if there is no memory.
    #[inline]
    pub(crate) fn give(&mut self, bytes: usize) -> *mut u8 {
        let class = bytes.div_ceil(STEP);
        let page = self.pages[class];
        if !page.is_null() {
            // SAFETY: a page in the list is live.
            let block = unsafe { given_back(page) };
            if !block.is_null() {
                return block;
            }
        }
        self.give_fresh(class)
    }

    /// A block of another page, or one that was never used.
    fn give_fresh(&mut self, class: usize) -> *mut u8 {
        loop {
            let page = self.pages[class];
            if page.is_null() {
                let page = self.empty_page();
                if page.is_null() {
                    return null_mut();
                }
                // SAFETY: the page is live and in no list.
                unsafe {
                    (*page).free = null_mut();
                    (*page).fresh = size_of::<Page>();
                    (*page).used = 0;
                    (*page).size = class.max(1) * STEP;
                    (*page).full = false;
                    push(&mut self.pages[class], page);
                }
                continue;
            }
            // SAFETY: a page in the list is live; a fresh block ends within it.
            unsafe {
                let block = given_back(page);
                if !block.is_null() {
                    return block;
                }
                if (*page).fresh + (*page).size <= PAGE {
                    let block = page.cast::<u8>().add((*page).fresh);
                    (*page).fresh += (*page).size;
                    (*page).used += 1;
                    return block;
                }
                (*page).full = true;
                unlink(&mut self.pages[class], page);
            }
        }
    }

    /// Frees a block.
    ///
    /// # Safety
    /// `give` returned it for this size, and it is not used any more.
    #[inline]
    pub(crate) unsafe fn take(&mut self, block: *mut u8, bytes: usize) {
        let page: *mut Page = block.map_addr(|at| at & !(PAGE - 1)).cast();
        let block: *mut Block = block.cast();
        // SAFETY: blocks lie in pages, which are aligned to their size; the block is large enough
        // for a pointer.
        unsafe {
            (*block).next = (*page).free;
            (*page).free = block;
            (*page).used -= 1;
            if (*page).used == 0 || (*page).full {
                self.settle(page, bytes.div_ceil(STEP));
            }
        }
    }

    /// Updates the lists after a block was freed in a page that was full, or that is empty now.
    ///
    /// # Safety
    /// It is a live page of the class.
    #[cold]
    unsafe fn settle(&mut self, page: *mut Page, class: usize) {
        // SAFETY: the caller guarantees it. A full page is in no list; any other is in the list of
        // its class.
        unsafe {
            if (*page).full {
                (*page).full = false;
                let first = self.pages[class];
                if first.is_null() {
                    push(&mut self.pages[class], page);
                } else {
                    // After the first page, which is used until it is full.
                    (*page).previous = first;
                    (*page).next = (*first).next;
                    if !(*first).next.is_null() {
                        (*(*first).next).previous = page;
                    }
                    (*first).next = page;
                }
            }
            if (*page).used == 0 && page != self.pages[class] {
                unlink(&mut self.pages[class], page);
                self.put_page(page);
            }
        }
    }

    /// Returns an empty page to its chunk.
    ///
    /// # Safety
    /// It is live and in no list.
    unsafe fn put_page(&mut self, page: *mut Page) {
        // SAFETY: the caller guarantees it. A chunk lives as long as one of its pages is in use.
        unsafe {
            let chunk = (*page).chunk;
            if (*chunk).pages.is_null() && (*chunk).left == 0 {
                push(&mut self.chunks, chunk);
            }
            push(&mut (*chunk).pages, page);
            (*chunk).used -= 1;
            // The last chunk with empty pages stays, so that one page does not allocate and free a
            // chunk again and again.
            let alone = (*chunk).next.is_null() && (*chunk).previous.is_null();
            if (*chunk).used == 0 && !alone {
                unlink(&mut self.chunks, chunk);
                self.held -= (*chunk).bytes;
                System.dealloc(chunk.cast(), layout((*chunk).bytes));
            }
        }
    }

    /// An empty page. Null if there is no memory.
    fn empty_page(&mut self) -> *mut Page {
        if self.chunks.is_null() && !self.add_chunk() {
            return null_mut();
        }
        let chunk = self.chunks;
        // SAFETY: the chunk is live, and has an empty page, or one that was never used and lies
        // within it.
        unsafe {
            let mut page = (*chunk).pages;
            if page.is_null() {
                page = (*chunk).fresh.cast();
                (*chunk).fresh = (*chunk).fresh.add(PAGE);
                (*chunk).left -= 1;
                (*page).chunk = chunk;
            } else {
                unlink(&mut (*chunk).pages, page);
            }
            (*chunk).used += 1;
            if (*chunk).pages.is_null() && (*chunk).left == 0 {
                unlink(&mut self.chunks, chunk);
            }
            page
        }
    }

    fn add_chunk(&mut self) -> bool {
        let mut bytes = (self.held / 8).clamp(CHUNKS[0], CHUNKS[1]);
        // SAFETY: neither size is zero.
        let mut start = unsafe { System.alloc(layout(bytes)) };
        if start.is_null() {
            bytes = CHUNKS[0];
            // SAFETY: as above.
            start = unsafe { System.alloc(layout(bytes)) };
        }
        if start.is_null() {
            return false;
        }
        let chunk: *mut Chunk = start.cast();
        let first = (start.addr() + size_of::<Chunk>()).next_multiple_of(PAGE) - start.addr();
        // SAFETY: the header and the pages lie within the bytes.
        unsafe {
            chunk.write(Chunk {
                bytes,
                pages: null_mut(),
                fresh: start.add(first),
                left: (bytes - first) / PAGE,
                used: 0,
                next: null_mut(),
                previous: null_mut(),
            });
            push(&mut self.chunks, chunk);
        }
        self.held += bytes;
        true
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, align_of::<Chunk>()).expect("a size that is bounded")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks in use, each filled with its own byte.
    struct Held {
        slabs: Slabs,
        blocks: Vec<(*mut u8, usize, u8)>,
        seed: u64,
    }

    impl Held {
        fn next(&mut self, below: usize) -> usize {
            self.seed ^= self.seed << 13;
            self.seed ^= self.seed >> 7;
            self.seed ^= self.seed << 17;
            (self.seed >> 16) as usize % below
        }

        fn give(&mut self, bytes: usize) {
            let block = self.slabs.give(bytes);
            assert!(!block.is_null() && block.addr().is_multiple_of(STEP));
            let mark = self.next(256) as u8;
            // SAFETY: the block has so many bytes.
            unsafe { block.write_bytes(mark, bytes) };
            self.blocks.push((block, bytes, mark));
        }

        fn take(&mut self, at: usize) {
            let (block, bytes, mark) = self.blocks.swap_remove(at);
            // SAFETY: as above, and it is removed from the list now.
            unsafe {
                let held = std::slice::from_raw_parts(block, bytes);
                assert!(
                    held.iter().all(|byte| *byte == mark),
                    "somebody wrote to it"
                );
                self.slabs.take(block, bytes);
            }
        }
    }

    #[test]
    fn no_block_is_given_twice_and_all_memory_comes_back() {
        let mut held = Held {
            slabs: Slabs::new(),
            blocks: Vec::new(),
            seed: 0x9e37_79b9_7f4a_7c15,
        };
        let mut most = 0;
        for round in 0..100 {
            let many = if round == 50 { 500_000 } else { 2_000 };
            for _ in 0..many {
                let bytes = held.next(LARGEST) + 1;
                held.give(bytes);
            }
            most = most.max(held.slabs.held);
            let keep = if round == 99 { 0 } else { held.next(3_000) };
            while held.blocks.len() > keep {
                let at = held.next(held.blocks.len());
                held.take(at);
            }
        }
        // The first page of each class keeps its chunk, and so does the last chunk with an empty
        // page.
        let stays = (CLASSES + 1) * CHUNKS[1];
        assert!(most > 3 * stays, "many chunks were needed: {most}");
        assert!(held.slabs.held <= stays, "{} of {most}", held.slabs.held);
    }

    #[test]
    fn blocks_come_in_steps() {
        assert!(same_size(1, STEP) && same_size(LARGEST, LARGEST - STEP + 1));
        assert!(!same_size(STEP, STEP + 1) && !same_size(0, 1));
    }

    #[test]
    fn an_empty_page_serves_blocks_of_another_size() {
        let mut held = Held {
            slabs: Slabs::new(),
            blocks: Vec::new(),
            seed: 1,
        };
        for bytes in (1..=LARGEST).rev() {
            for _ in 0..1_000 {
                held.give(bytes);
            }
            while !held.blocks.is_empty() {
                held.take(0);
            }
        }
        assert!(held.slabs.held <= CHUNKS[1], "{}", held.slabs.held);
    }
}
