//! A rule: a predicate over events, in an instance of its own that keeps its state.

use std::time::Duration;

use super::Runtime;
use crate::limits::Limits;
use crate::sandbox::{
    Ending, EventBatch, InstanceOptions, Output, RuleCode, RuleFunctions, RuleInstance, Verdicts,
};
use crate::units::ByteSize;

/// A rule that has been loaded.
pub struct Rule(RuleInstance);

impl Runtime {
    /// Loads a rule: compiles it, runs its chunk and calls `pred_init` within `time` of computing. A
    /// rule calls no action. Of the limits, memory, wall time and output hold for it.
    ///
    /// # Errors
    /// How that ended.
    pub async fn rule(
        &self,
        code: &RuleCode,
        limits: &Limits,
        output: Output,
        time: Duration,
    ) -> Result<Rule, Ending<()>> {
        let options = InstanceOptions::internal(limits.clone(), output);
        let sandbox = &self.inner.sandbox;
        RuleInstance::open(sandbox, code, options, time)
            .await
            .map(Rule)
    }
}

impl Rule {
    /// Which of the optional functions it has.
    #[must_use]
    pub fn functions(&self) -> RuleFunctions {
        self.0.has()
    }

    /// Whether a limit or a fault has ended the instance: then its state is gone.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// The most memory that the instance had.
    #[must_use]
    pub fn memory(&self) -> ByteSize {
        self.0.memory()
    }

    /// What the predicate says of each event, within `time` of computing.
    ///
    /// # Errors
    /// How the instance ended.
    pub async fn evaluate(
        &mut self,
        batch: &EventBatch,
        time: Duration,
    ) -> Result<Verdicts, Ending<()>> {
        self.0.evaluate(batch, time).await
    }

    /// What `pred_save` returned; none without one.
    ///
    /// # Errors
    /// The error of `pred_save`, or how the instance ended.
    pub async fn save(&mut self, time: Duration) -> Result<Option<Vec<u8>>, Ending<()>> {
        self.0.save(time).await
    }

    /// Gives `pred_restore` what `pred_save` returned once.
    ///
    /// # Errors
    /// The error of `pred_restore`, or how the instance ended.
    pub async fn restore(&mut self, saved: &[u8], time: Duration) -> Result<(), Ending<()>> {
        self.0.restore(saved, time).await
    }
}
