//! Changed pictures on several threads.

use std::{
    iter,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use crate::{error::Result, model::Model};

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

    /// How many there are.
    pub(super) fn threads(&self) -> usize {
        self.models.len()
    }

    /// Hands each of `jobs` to `work` as threads get free, and returns the results in the order of the jobs. `done` sees each
    /// as soon as it is there. `state`: what a thread has for itself; tensors can't be shared.
    ///
    /// # Errors
    /// The first of `work` or `done`, which ends it.
    pub fn run<J: Send, S: Send, R: Send>(
        &mut self,
        jobs: Vec<J>,
        state: impl Fn() -> S,
        work: impl Fn(&Model, &S, J) -> Result<R> + Sync,
        mut done: impl FnMut(&R) -> Result<()>,
    ) -> Result<Vec<R>> {
        let mut seen = |result: Result<R>| {
            let result = result?;
            done(&result)?;
            Ok(result)
        };
        if let [model] = self.models.as_slice() {
            let state = state();
            return jobs.into_iter().map(|job| seen(work(model, &state, job))).collect();
        }
        let jobs = Mutex::new(jobs.into_iter().enumerate());
        let (jobs, work) = (&jobs, &work);
        let mut results = thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for model in &mut self.models {
                let (state, sender) = (state(), sender.clone());
                scope.spawn(move || {
                    tch::set_num_threads(1);
                    let mut own = iter::from_fn(|| jobs.lock().unwrap_or_else(PoisonError::into_inner).next());
                    // Nobody receives any more once an error has ended it.
                    own.try_for_each(|(index, job)| sender.send((index, work(model, &state, job)))).ok();
                });
            }
            drop(sender);
            receiver.into_iter().map(|(index, result)| Ok((index, seen(result)?))).collect::<Result<Vec<_>>>()
        })?;
        results.sort_unstable_by_key(|&(index, _)| index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}
