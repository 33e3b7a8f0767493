//! Several jobs at once.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, PoisonError, mpsc},
    thread,
};

/// So many bytes, of which several threads take their share and give it back: who finds too few left waits.
///
/// A thread that has a share must not ask for another: it might wait for itself.
#[derive(Debug)]
pub struct Budget {
    bytes: u64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// A share of a [`Budget`], given back when it is dropped.
#[derive(Debug)]
#[must_use = "it is given back at once"]
pub struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    /// A budget of `bytes`.
    pub const fn new(bytes: u64) -> Self {
        Self { bytes, taken: Mutex::new(0), given_back: Condvar::new() }
    }

    /// Waits until there are `bytes` and takes them; `None` if there never will be as many.
    pub fn take(&self, bytes: u64) -> Option<Share<'_>> {
        let most_before = self.bytes.checked_sub(bytes)?;
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.given_back.wait_while(taken, |taken| *taken > most_before);
        *waited.unwrap_or_else(PoisonError::into_inner) += bytes;
        Some(Share { budget: self, bytes })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.given_back.notify_all();
    }
}

/// Hands `jobs` to `workers` as these get free, and what they make of them to `done`, in the order of the jobs: what is
/// early waits for those before it.
///
/// At most one job for each worker is under way.
pub fn in_order<J, D: Send>(
    jobs: impl Iterator<Item = J> + Send,
    workers: Vec<impl FnMut(J) -> D + Send>,
    mut done: impl FnMut(D),
) {
    let mut early = BTreeMap::new();
    let mut next = 0;
    numbered(jobs, workers, |index, result| {
        early.insert(index, result);
        while let Some(result) = early.remove(&next) {
            done(result);
            next += 1;
        }
    });
}

/// The same in the order in which they are done: nothing waits.
pub fn as_done<J, D: Send>(
    jobs: impl Iterator<Item = J> + Send,
    workers: Vec<impl FnMut(J) -> D + Send>,
    mut done: impl FnMut(D),
) {
    numbered(jobs, workers, |_, result| done(result));
}

fn numbered<J, D: Send>(
    jobs: impl Iterator<Item = J> + Send,
    workers: Vec<impl FnMut(J) -> D + Send>,
    mut done: impl FnMut(usize, D),
) {
    let jobs = Mutex::new(jobs.enumerate());
    let (sender, receiver) = mpsc::sync_channel(workers.len());
    thread::scope(|scope| {
        for mut work in workers {
            let (jobs, sender) = (&jobs, sender.clone());
            scope.spawn(move || {
                loop {
                    // Not in the loop's head, where the lock would be held during the work.
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, job)) = job else { return };
                    if sender.send((index, work(job))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver.into_iter().for_each(|(index, result)| done(index, result));
    });
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    #[test]
    fn a_budget_is_never_overdrawn_and_what_never_fits_is_refused() {
        let budget = Budget::new(10);
        let taken = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        let worker = |bytes: usize| {
            let share = budget.take(bytes as u64);
            let is_taken = share.is_some();
            if is_taken {
                most.fetch_max(taken.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
                thread::sleep(Duration::from_micros(300));
                taken.fetch_sub(bytes, Ordering::SeqCst);
            }
            is_taken
        };
        let mut results = Vec::new();
        in_order((0..100).map(|job| job % 12), vec![worker; 4], |is_taken| results.push(is_taken));
        assert_eq!(results, (0..100).map(|job| job % 12 <= 10).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= 10, "{most:?}");
    }

    #[test]
    fn results_come_in_order_and_few_jobs_are_under_way() {
        let (taken, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let most = AtomicUsize::new(0);
        let jobs = (0..200u64).inspect(|_| {
            let under_way = taken.fetch_add(1, Ordering::SeqCst) + 1 - done.load(Ordering::SeqCst);
            most.fetch_max(under_way, Ordering::SeqCst);
        });
        let worker = |job: u64| {
            // Earlier jobs tend to take longer.
            thread::sleep(Duration::from_micros(500 - 2 * job + job % 3 * 300));
            done.fetch_add(1, Ordering::SeqCst);
            job
        };
        let mut results = Vec::new();
        in_order(jobs, vec![worker; 4], |result| results.push(result));
        assert_eq!(results, (0..200).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= 4, "{most:?}");
    }

    #[test]
    fn nothing_waits_for_a_slow_job() {
        let handed_over = AtomicUsize::new(0);
        let worker = |job: usize| {
            // The first job is done when all others have been handed over.
            while job == 0 && handed_over.load(Ordering::SeqCst) < 50 {
                thread::yield_now();
            }
            job
        };
        let mut results = Vec::new();
        as_done(0..51, vec![worker; 2], |result| {
            results.push(result);
            handed_over.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(results.last(), Some(&0));
        results.sort_unstable();
        assert_eq!(results, (0..51).collect::<Vec<_>>());
    }

    #[test]
    fn no_jobs_are_fine() {
        in_order(std::iter::empty::<u8>(), vec![|job: u8| job; 2], |_| panic!("nothing was to do"));
    }
}
