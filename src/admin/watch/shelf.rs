//! What is large and lies there until its callers have taken it: so many of them at a time. One that its caller lets
//! lie is taken away while another caller waits.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    select,
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::config::limits;

/// See the module.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    taken: Mutex<Vec<Arc<Mutex<Lying<T>>>>>,
    freed: Notify,
}

/// A place on the shelf, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place<T> {
    shelf: Arc<Shelf<T>>,
    lying: Arc<Mutex<Lying<T>>>,
}

#[derive(Debug)]
struct Lying<T> {
    /// None: it was taken away.
    what: Option<T>,
    touched: Instant,
}

/// It lay there for too long, and somebody waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot was not taken in time, and others waited: take another one")]
pub(super) struct TakenAway;

impl<T: Default> Shelf<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), freed: Notify::new() })
    }

    /// A place, as soon as there is one.
    pub(super) async fn place(self: &Arc<Self>) -> Place<T> {
        loop {
            match self.try_place(Instant::now()) {
                Ok(place) => return place,
                // No timer of its own would tell: a stream that is not taken is not polled.
                Err(until) => select! {
                    () = self.freed.notified() => {}
                    () = sleep_until(until) => {}
                },
            }
        }
    }

    /// A place, or when there may be one at the latest.
    fn try_place(self: &Arc<Self>, now: Instant) -> Result<Place<T>, Instant> {
        // Dropped after the lock: what is large takes its time.
        let mut _taken_away = None;
        let mut taken = self.taken.lock();
        if taken.len() >= limits::SNAPSHOTS {
            let times = taken.iter().map(|lying| due(lying, now)).enumerate();
            let (nth, due) = times.min_by_key(|(_, due)| *due).expect("there are some");
            if due > now {
                return Err(due);
            }
            _taken_away = taken.swap_remove(nth).lock().what.take();
        }
        let lying = Arc::new(Mutex::new(Lying { what: Some(T::default()), touched: now }));
        taken.push(Arc::clone(&lying));
        if taken.len() < limits::SNAPSHOTS {
            // Two that were freed at once may have woken one.
            self.freed.notify_one();
        }
        Ok(Place { shelf: Arc::clone(self), lying })
    }
}

/// When it may be taken away.
fn due<T>(lying: &Mutex<Lying<T>>, now: Instant) -> Instant {
    let touched = lying.try_lock().map_or(now, |lying| lying.touched);
    touched + limits::SNAPSHOT_LEFT
}

impl<T> Place<T> {
    /// Does something with what lies there.
    ///
    /// # Errors
    /// [`TakenAway`].
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> Result<R, TakenAway> {
        let mut lying = self.lying.lock();
        let done = act(lying.what.as_mut().ok_or(TakenAway)?);
        lying.touched = Instant::now();
        Ok(done)
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        self.shelf.taken.lock().retain(|lying| !Arc::ptr_eq(lying, &self.lying));
        self.shelf.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_lying_is_taken_away_once_somebody_waits() {
        let shelf = Shelf::<u8>::new();
        let mut places = Vec::new();
        for _ in 0..limits::SNAPSHOTS {
            places.push(shelf.place().await);
        }
        advance(10 * limits::SNAPSHOT_LEFT).await;
        for place in &places {
            place.with(|number| *number += 1).expect("nobody waited");
        }
        advance(limits::SNAPSHOT_LEFT / 2).await;
        for (nth, place) in places.iter().enumerate().filter(|(nth, _)| *nth != 1) {
            place.with(|_| ()).unwrap_or_else(|taken| panic!("{nth}: {taken}"));
        }
        let begun = Instant::now();
        let one_more = shelf.place().await;
        assert_eq!(begun.elapsed(), limits::SNAPSHOT_LEFT / 2);
        assert_eq!(places[1].with(|_| ()), Err(TakenAway));
        assert_eq!(one_more.with(|number| *number), Ok(0));

        // The place of what was taken away is another's by now.
        drop(places.remove(1));
        assert!(shelf.place().now_or_never().is_none());
        drop(places);
        for _ in 0..limits::SNAPSHOTS - 1 {
            std::mem::forget(shelf.place().now_or_never().unwrap());
        }
        assert!(shelf.place().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_have_their_turn() {
        let shelf = Shelf::<u8>::new();
        let mut places = Vec::new();
        for _ in 0..limits::SNAPSHOTS {
            places.push(shelf.place().await);
        }
        let waiting = [(); 3 * limits::SNAPSHOTS].map(|()| {
            let shelf = Arc::clone(&shelf);
            tokio::spawn(async move { drop(shelf.place().await) })
        });
        tokio::task::yield_now().await;
        let begun = Instant::now();
        drop(places);
        for one in waiting {
            one.await.unwrap();
        }
        assert_eq!(begun.elapsed(), std::time::Duration::ZERO);
    }
}
