//! Several pictures at once, their results in order.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

/// Hands `jobs` to `workers` as these get free, and what they make of them to `done`, in the order of the jobs.
///
/// At most one job for each worker is taken and not done.
pub fn in_order<J, D: Send>(
    jobs: impl Iterator<Item = J> + Send,
    workers: Vec<impl FnMut(J) -> D + Send>,
    mut done: impl FnMut(D),
) {
    let jobs = Mutex::new(jobs.enumerate());
    let (sender, receiver) = mpsc::channel();
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
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (index, result) in receiver {
            early.insert(index, result);
            while let Some(result) = early.remove(&next) {
                done(result);
                next += 1;
            }
        }
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
    fn no_jobs_are_fine() {
        in_order(std::iter::empty::<u8>(), vec![|job: u8| job; 2], |_| panic!("nothing was to do"));
    }
}
