//! So much of something and no more: taken in shares, each given back when it is dropped.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use prost::Message;

use super::problem::{Problem, Reason};
use crate::config::limits;

/// See the module.
#[derive(Debug)]
pub(super) struct Quota {
    taken: AtomicUsize,
    most: usize,
}

/// What was taken of a quota.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Quota>,
    amount: usize,
}

impl Quota {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { taken: AtomicUsize::new(0), most })
    }

    /// How much is taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// None, if less than `amount` is left.
    pub(super) fn take(self: &Arc<Self>, amount: usize) -> Option<Share> {
        let mut share = Share { of: Arc::clone(self), amount: 0 };
        share.grow(amount).then_some(share)
    }
}

impl Quota {
    /// A share of the bytes of all answers, for one that may be long.
    ///
    /// # Errors
    /// [`Reason::TooManyBytes`].
    pub(super) fn for_answer(self: &Arc<Self>, answer: &impl Message) -> Result<Share, Problem> {
        let counted = answer.encoded_len().saturating_sub(limits::ADMIN_FREE_BYTES);
        let text = "too many bytes of answers are on their way";
        self.take(counted).ok_or_else(|| Problem::new(Reason::TooManyBytes, text))
    }
}

impl Share {
    /// Takes so much more, if it is left.
    pub(super) fn grow(&mut self, amount: usize) -> bool {
        let free = |taken: usize| taken.checked_add(amount).filter(|sum| *sum <= self.of.most);
        let grown = self.of.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_ok();
        if grown {
            self.amount += amount;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is_and_all_is_given_back() {
        let quota = Quota::new(10);
        let mut one = quota.take(6).unwrap();
        assert!(quota.take(5).is_none() && !one.grow(5) && !one.grow(usize::MAX));
        let other = quota.take(3).unwrap();
        assert!(one.grow(1) && !one.grow(1));
        drop(one);
        assert!(quota.take(8).is_none());
        drop(other);
        assert!(quota.take(10).is_some());
    }
}
