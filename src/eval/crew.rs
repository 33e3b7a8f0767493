//! Changed pictures on several threads.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{error::Result, model::Model, parallel::in_order};

/// Handles of one model, one for each thread that runs it.
///
/// One alone takes libtorch's threads as they are. Of several, each runs on a single thread: that is as fast, and the
/// results are the same, bit for bit, for any number of them.
pub struct Crew {
    models: Vec<Model>,
}

impl Crew {
    /// `threads`: how many; at least 1. On a GPU more than one gains nothing.
    ///
    /// # Errors
    /// [`crate::Error::Libtorch`] if there is not enough memory.
    pub fn new(model: &Model, threads: usize) -> Result<Self> {
        Ok(Self { models: (0..threads.max(1)).map(|_| model.share()).collect::<Result<_>>()? })
    }

    /// One of the handles, for what a single thread does.
    pub fn model(&self) -> &Model {
        &self.models[0]
    }

    /// Hands each of `jobs` to `work` as threads get free, and the results to `done`, in the order of the jobs. The first
    /// error ends it. `state`: what a thread has for itself; tensors can't be shared.
    pub(super) fn run<J: Send, S: Send, R: Send>(
        &mut self,
        jobs: Vec<J>,
        state: impl Fn() -> S,
        work: impl Fn(&Model, &S, J) -> Result<R> + Sync,
        mut done: impl FnMut(R) -> Result<()>,
    ) -> Result<()> {
        if let [model] = self.models.as_slice() {
            let state = state();
            return jobs.into_iter().try_for_each(|job| done(work(model, &state, job)?));
        }
        let work = &work;
        let workers = self.models.iter_mut().map(|model| {
            let state = state();
            move |job| {
                tch::set_num_threads(1);
                work(model, &state, job)
            }
        });
        let workers = workers.collect();
        let is_over = AtomicBool::new(false);
        let mut outcome = Ok(());
        in_order(jobs.into_iter().take_while(|_| !is_over.load(Ordering::Relaxed)), workers, |result: Result<R>| {
            if outcome.is_ok() {
                outcome = result.and_then(&mut done);
                is_over.store(outcome.is_err(), Ordering::Relaxed);
            }
        });
        outcome
    }
}
