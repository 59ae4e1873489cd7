//! The compiled guest, ready to be instantiated: loaded once, shared by every run.

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::mm::MprotectFlags;
use rustix::process::{Resource, getrlimit};
use thiserror::Error;
use wasmtime::component::{Component, HasData, Linker};
use wasmtime::{
    CustomCodeMemory, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};

use super::admission::Admission;
use super::bindings::{Guest, GuestPre};
use super::state::InstanceState;
use crate::bounds::Ticker;
use crate::catalog::Library;
use kael_guest_aot::{engine_config, machine_code};

/// Bytes of a memory or a table that stay in place from one run to the next, set back to what they were.
const KEEP_RESIDENT: usize = 1 << 20;

/// The one interface that the guest may import.
const IMPORT: &str = "kael:engine/actions@0.1.0";

/// Lets wasmtime run code where it is, which saves each start a copy of some megabytes.
struct InPlace;

/// Per process, because wasmtime may know an address of machine code once: the first sandbox runs the code in place, and
/// any other a copy. The two behave alike.
static TAKEN: AtomicBool = AtomicBool::new(false);

impl CustomCodeMemory for InPlace {
    fn required_alignment(&self) -> usize {
        rustix::param::page_size()
    }

    #[expect(
        unsafe_code,
        reason = "changes what a part of the address space allows"
    )]
    fn publish_executable(&self, start: *const u8, length: usize) -> wasmtime::Result<()> {
        // SAFETY: the range is that of the code within `machine_code`, whole pages that hold nothing else; it stays readable,
        // and was never writable.
        unsafe {
            rustix::mm::mprotect(
                start.cast_mut().cast(),
                length,
                MprotectFlags::READ | MprotectFlags::EXEC,
            )?;
        }
        Ok(())
    }

    fn unpublish_executable(&self, _: *const u8, _: usize) -> wasmtime::Result<()> {
        // The machine code stays as it is until the process ends.
        Ok(())
    }
}

/// The machine cannot run the guest.
#[derive(Debug, Error)]
pub enum EngineError {
    /// wasmtime refused.
    #[error("the sandbox cannot be set up on this machine: {0:#}")]
    Wasmtime(wasmtime::Error),
    /// The system gave less memory, threads or descriptors than a sandbox takes.
    #[error("the sandbox cannot be set up within the limits of this process: {0:#}")]
    Short(wasmtime::Error),
    /// The guest that was compiled in is not the one it should be.
    #[error("the guest imports {0:?} instead of the one interface it may")]
    Imports(Vec<String>),
}

/// Makes instances of the guest.
pub(crate) struct Sandbox {
    pub(super) engine: Engine,
    pub(super) guest: GuestPre<InstanceState>,
    pub(super) ticker: Ticker,
    pub(super) admission: Admission,
    /// The Lua that the host brings.
    pub(super) library: Option<Arc<Library>>,
}

struct Own;

impl HasData for Own {
    type Data<'a> = &'a mut InstanceState;
}

impl Sandbox {
    /// Sets up for at most `instances` at the same time. A run needs one, loading a repo needs one, and a session keeps one.
    /// More of them wait until one is given back, up to `max_waiting`; those that come then are refused with
    /// [`Busy`](super::Busy).
    ///
    /// # Errors
    /// When the address space or the system does not allow it.
    pub(crate) fn new(instances: u32, max_waiting: usize) -> Result<Self, EngineError> {
        let set_up = enough_descriptors().and_then(|()| Self::set_up(instances, max_waiting));
        set_up
            .map_err(|error| match is_short(&error) {
                true => EngineError::Short(error),
                false => EngineError::Wasmtime(error),
            })?
            .checked()
    }

    /// The same with Lua that the host brings.
    pub(crate) fn with_library(self, library: Option<Arc<Library>>) -> Self {
        Self { library, ..self }
    }

    #[expect(unsafe_code, reason = "machine code can only be loaded on trust")]
    fn set_up(instances: u32, max_waiting: usize) -> wasmtime::Result<(Self, Vec<String>)> {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(instances)
            .total_core_instances(instances.saturating_mul(8))
            // The heap for exceptions is a memory of the pool, too, from the first error on.
            .total_memories(instances.saturating_mul(2))
            .total_tables(instances.saturating_mul(8))
            .total_stacks(instances)
            .total_gc_heaps(instances)
            .max_memory_size(4 << 30)
            // A slot is set back by copying the few pages that its last run wrote, and keeps them: new ones cost a fault.
            .pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
            .async_stack_keep_resident(64 << 10);
        let mut config = engine_config();
        // A trap keeps hold of the memory, for `lua_backtrace`.
        config.coredump_on_trap(true);
        // Another crate may bring a compiler into wasmtime, for actions. Scripts never meet it.
        let first = !TAKEN.swap(true, Ordering::Relaxed);
        if first {
            config.with_custom_code_memory(Some(Arc::new(InPlace)));
        }
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        // SAFETY: the bytes are those of `kael-guest-aot`'s build script, compiled by the same wasmtime, which checks version
        // and settings once more. They are a static, which lives as long as any component and is never written to.
        let component = unsafe {
            if first {
                Component::deserialize_raw(&engine, NonNull::from(machine_code()))?
            } else {
                Component::deserialize(&engine, machine_code())?
            }
        };
        let imports = component
            .component_type()
            .imports(&engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let mut linker = Linker::<InstanceState>::new(&engine);
        Guest::add_to_linker::<InstanceState, Own>(&mut linker, |state| state)?;
        let guest = GuestPre::new(linker.instantiate_pre(&component)?)?;
        let ticker = Ticker::start(&engine)?;
        Ok((
            Self {
                engine,
                guest,
                ticker,
                admission: Admission::new(instances, max_waiting),
                library: None,
            },
            imports,
        ))
    }
}

/// Descriptors without which no instance can be made, nor anything be read.
const DESCRIPTORS: u64 = 32;

fn enough_descriptors() -> wasmtime::Result<()> {
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < DESCRIPTORS => {
            let needed = format!("{allowed} open files are allowed, and it needs {DESCRIPTORS}");
            Err(wasmtime::Error::from(io::Error::from(Errno::MFILE)).context(needed))
        }
        _ => Ok(()),
    }
}

/// Whether an error says that the system gives no more of something.
fn is_short(error: &wasmtime::Error) -> bool {
    let short = |errno: Errno| {
        matches!(
            errno,
            Errno::NOMEM | Errno::AGAIN | Errno::MFILE | Errno::NFILE
        )
    };
    error.chain().any(|cause| {
        let by_number = cause.downcast_ref::<Errno>().copied();
        let by_error = || Errno::from_io_error(cause.downcast_ref::<io::Error>()?);
        by_number.or_else(by_error).is_some_and(short)
    })
}

trait Checked {
    fn checked(self) -> Result<Sandbox, EngineError>;
}

impl Checked for (Sandbox, Vec<String>) {
    fn checked(self) -> Result<Sandbox, EngineError> {
        if self.1 == [IMPORT] {
            Ok(self.0)
        } else {
            Err(EngineError::Imports(self.1))
        }
    }
}
