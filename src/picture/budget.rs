//! What all pictures in memory may take together.

use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes for all pictures that are in memory at the same time. A thread takes a share for each picture that it works on,
/// and waits while too little is left; the share comes back when it is dropped.
///
/// A thread that has a share must not ask for another: it might wait for itself.
///
/// ```
/// use yolo_cam::{limits::Limits, picture};
///
/// static PICTURES: picture::Budget = picture::Budget::new(Limits::PICTURE_BYTES);
/// let (dog, share) = picture::read_within("images/dog.jpg", &PICTURES)?;
/// assert_eq!(dog.dimensions(), (768, 576));
/// drop((dog, share)); // Now another thread may take as much.
/// # Ok::<(), yolo_cam::Error>(())
/// ```
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
    ///
    /// [`read_within`](super::read_within) does so by itself. It is for pictures that are read in other ways, such as an
    /// [`Animation`](super::Animation), which tells how many bytes it takes.
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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    use super::*;

    #[test]
    fn a_budget_is_never_overdrawn_and_what_never_fits_is_refused() {
        let budget = Budget::new(10);
        let taken = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        let take = |bytes: usize| {
            let share = budget.take(bytes as u64);
            let is_taken = share.is_some();
            if is_taken {
                most.fetch_max(taken.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
                thread::sleep(Duration::from_micros(300));
                taken.fetch_sub(bytes, Ordering::SeqCst);
            }
            assert_eq!(is_taken, bytes <= 10, "{bytes}");
        };
        thread::scope(|scope| {
            for first in 0..4 {
                scope.spawn(move || (0..25).for_each(|turn| take((first + 4 * turn) % 12)));
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 10, "{most:?}");
    }
}
