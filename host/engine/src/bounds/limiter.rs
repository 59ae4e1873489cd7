//! Bounds the memory of one instance: the sum of all allocations of its store.

use wasmtime::ResourceLimiter;

use crate::units::ByteSize;

/// Bytes of host memory per table element.
const ELEMENT: usize = 8;

/// Counts memories, tables and the exception heap together.
pub struct Limiter {
    allowed: u64,
    used: u64,
    peak: u64,
    /// The last sum that was refused. The guest then collects garbage and tries again; it traps if
    /// that fails.
    refused: Option<u64>,
}

impl Limiter {
    /// A limiter for this much memory.
    #[must_use]
    pub fn new(allowed: ByteSize) -> Self {
        Self {
            allowed: allowed.bytes(),
            used: 0,
            peak: 0,
            refused: None,
        }
    }

    /// The peak of the sum.
    #[must_use]
    pub fn peak(&self) -> ByteSize {
        ByteSize::new(self.peak)
    }

    /// The last sum that was refused, if any.
    #[must_use]
    pub fn refused(&self) -> Option<ByteSize> {
        self.refused.map(ByteSize::new)
    }

    /// Forgets an earlier refusal, so that it is not given as the reason of a later failure.
    pub fn forget_refusal(&mut self) {
        self.refused = None;
    }

    /// Whether an allocation may grow from `current` to `desired` units, but not beyond `maximum`.
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
            // A guest that gives up asks for more than any memory can hold. The size it needed
            // before is more useful.
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
