//! Bounds the memory of one instance: the sum of all that its store allocates.

use wasmtime::ResourceLimiter;

use crate::units::ByteSize;

/// What a table's element takes of the host's memory, in bytes.
const ELEMENT: usize = 8;

/// Counts memories, tables and the exception heap together.
pub struct Limiter {
    allowed: u64,
    used: u64,
    peak: u64,
    /// The sum that was last refused. The guest collects its garbage then and asks again; it traps when that was in vain.
    refused: Option<u64>,
}

impl Limiter {
    /// A limiter for an instance that may have so much memory.
    #[must_use]
    pub fn new(allowed: ByteSize) -> Self {
        Self {
            allowed: allowed.bytes(),
            used: 0,
            peak: 0,
            refused: None,
        }
    }

    /// The most that was ever in use.
    #[must_use]
    pub fn peak(&self) -> ByteSize {
        ByteSize::new(self.peak)
    }

    /// The sum that was last refused, if one was.
    #[must_use]
    pub fn refused(&self) -> Option<ByteSize> {
        self.refused.map(ByteSize::new)
    }

    /// What was refused before is no reason for what comes.
    pub fn forget_refusal(&mut self) {
        self.refused = None;
    }

    /// Whether something may grow from `current` to `desired` units, and never past `maximum`.
    fn grow(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
        unit: usize,
    ) -> bool {
        let more = desired.saturating_sub(current).saturating_mul(unit);
        let wanted = self.used.saturating_add(more as u64);
        if wanted > self.allowed || maximum.is_some_and(|maximum| desired > maximum) {
            // A guest that gives up asks for what no memory can hold; what it really asked for is worth more to a reader.
            if more < u32::MAX as usize - (1 << 20) || self.refused.is_none() {
                self.refused = Some(wanted);
            }
            return false;
        }
        self.used = wanted;
        self.peak = self.peak.max(wanted);
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, 1))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, ELEMENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_bounded() {
        let mut limiter = Limiter::new(ByteSize::new(1000));
        assert!(limiter.memory_growing(0, 600, None).expect("no error"));
        assert!(limiter.table_growing(0, 50, None).expect("no error"));
        assert!(!limiter.memory_growing(600, 700, None).expect("no error"));
        assert_eq!(limiter.refused(), Some(ByteSize::new(1100)));
        assert_eq!(limiter.peak(), ByteSize::new(1000));
    }
}
