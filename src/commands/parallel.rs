//! Several jobs at once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

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
