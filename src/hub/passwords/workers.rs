//! A few threads that do what takes long, in the order of the queue. They come when there is something to do, and go
//! when nothing is left, with the memory that they took.

use std::{fmt, io, sync::Arc, thread};

use parking_lot::Mutex;
use rustix::process::setpriority_process;

use super::{Asker, queue::Queue};

/// Something to do that takes a thread for long.
pub(super) trait Job: Send + 'static {
    /// What one needs while it is done, and leaves to the next one.
    type Memory: Default;

    /// Whether anybody still waits for it.
    fn is_wanted(&self) -> bool;

    /// Does it.
    fn run(self, memory: &mut Self::Memory);
}

/// See the module. What waits when this is dropped is done nevertheless, if it is wanted.
pub(super) struct Workers<J>(Arc<Shared<J>>);

struct Shared<J> {
    most: usize,
    state: Mutex<State<J>>,
}

struct State<J> {
    queue: Queue<J>,
    threads: usize,
}

impl<J: Job> Workers<J> {
    /// At most so many threads.
    pub(super) fn new(most: usize, queue: Queue<J>) -> Self {
        Self(Arc::new(Shared { most, state: Mutex::new(State { queue, threads: 0 }) }))
    }

    /// Has the job done in its turn. Drops it, or another one, where too many wait.
    pub(super) fn enqueue(&self, asker: Asker, job: J) {
        let mut state = self.0.state.lock();
        if state.queue.is_full_for(asker) {
            state.queue.retain(J::is_wanted);
        }
        let displaced = state.queue.push(asker, job).err();
        let begins = displaced.is_none() && state.threads < self.0.most;
        state.threads += usize::from(begins);
        drop(state);
        drop(displaced);
        if begins && let Err(error) = self.begin() {
            self.0.give_up(&error);
        }
    }

    fn begin(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("passwords".to_owned());
        thread
            .spawn(move || {
                give_way();
                Place(shared).work();
            })
            .map(drop)
    }
}

/// A thread's place among them. Should a job panic, it is another's.
struct Place<J: Job>(Arc<Shared<J>>);

impl<J: Job> Place<J> {
    fn work(self) {
        let mut memory = J::Memory::default();
        while let Some(job) = self.0.next() {
            if job.is_wanted() {
                job.run(&mut memory);
            }
        }
    }
}

impl<J: Job> Drop for Place<J> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.one_less();
        }
    }
}

impl<J: Job> Shared<J> {
    /// The next job; with none, the thread counts no more.
    fn next(&self) -> Option<J> {
        let mut state = self.state.lock();
        let job = state.queue.pop();
        state.threads -= usize::from(job.is_none());
        job
    }

    /// There is no thread to be had.
    fn give_up(&self, error: &io::Error) {
        tracing::warn!(%error, "no thread to hash passwords with: those who wait are told to come back");
        self.one_less();
    }

    /// A thread is gone before the work is done. Nothing waits for one that may never come.
    fn one_less(&self) {
        let mut state = self.state.lock();
        state.threads -= 1;
        let is_last = state.threads == 0;
        let abandoned: Vec<_> =
            std::iter::from_fn(|| if is_last { state.queue.pop() } else { None }).collect();
        drop(state);
        drop(abandoned);
    }
}

impl<J> fmt::Debug for Workers<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.0.state.lock().threads;
        f.debug_struct("Workers").field("threads", &threads).finish_non_exhaustive()
    }
}

/// Has the calling thread run when no other wants to: whoever relays is then not kept waiting for a slice of its time.
/// Elsewhere than on Linux it would be the whole process.
fn give_way() {
    const LEAST: i32 = 19;
    if cfg!(target_os = "linux")
        && let Err(error) = setpriority_process(None, LEAST)
    {
        tracing::debug!(%error, "passwords are hashed at the usual priority");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use tokio::sync::oneshot;

    use super::*;

    /// Waits for its word, and counts how often its thread's memory was used.
    struct Held {
        begun: mpsc::Sender<usize>,
        go_on: Arc<Mutex<mpsc::Receiver<()>>>,
        at_once: Arc<AtomicUsize>,
        asker: oneshot::Sender<usize>,
    }

    impl Job for Held {
        type Memory = usize;

        fn is_wanted(&self) -> bool {
            !self.asker.is_closed()
        }

        fn run(self, memory: &mut usize) {
            *memory += 1;
            self.begun.send(self.at_once.fetch_add(1, Ordering::SeqCst) + 1).unwrap();
            self.go_on.lock().recv().unwrap();
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let _ = self.asker.send(*memory);
        }
    }

    struct Bench {
        workers: Workers<Held>,
        begins: mpsc::Receiver<usize>,
        begun: mpsc::Sender<usize>,
        go_on: mpsc::Sender<()>,
        held: Arc<Mutex<mpsc::Receiver<()>>>,
        at_once: Arc<AtomicUsize>,
    }

    impl Bench {
        fn new(most: usize, waiting: usize) -> Self {
            let ((begun, begins), (go_on, held)) = (mpsc::channel(), mpsc::channel());
            let workers = Workers::new(most, Queue::new(waiting, waiting));
            let held = Arc::new(Mutex::new(held));
            Self { workers, begins, begun, go_on, held, at_once: Arc::default() }
        }

        fn ask(&self) -> oneshot::Receiver<usize> {
            let (asker, answer) = oneshot::channel();
            let (begun, go_on) = (self.begun.clone(), Arc::clone(&self.held));
            let at_once = Arc::clone(&self.at_once);
            self.workers.enqueue(Asker::Administrator, Held { begun, go_on, at_once, asker });
            answer
        }

        fn threads(&self) -> usize {
            self.workers.0.state.lock().threads
        }
    }

    #[tokio::test]
    async fn so_many_are_done_at_once_and_memory_is_used_again_while_there_is_work() {
        let bench = Bench::new(2, 100);
        let mut answers: Vec<_> = (0..10).map(|_| bench.ask()).collect();
        let mut most = bench.begins.recv().unwrap().max(bench.begins.recv().unwrap());
        assert_eq!((bench.threads(), most), (2, 2));
        for _ in 2..10 {
            bench.go_on.send(()).unwrap();
            most = most.max(bench.begins.recv().unwrap());
        }
        assert_eq!(most, 2);
        (0..2).for_each(|_| bench.go_on.send(()).unwrap());
        let mut uses = 0;
        for answer in &mut answers {
            uses += usize::from(answer.await.unwrap() == 1);
        }
        assert_eq!(uses, 2, "each of two threads took memory once");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_done_and_takes_no_place() {
        let bench = Bench::new(1, 3);
        let first = bench.ask();
        bench.begins.recv().unwrap();
        let gone = [bench.ask(), bench.ask(), bench.ask()];
        assert!(bench.ask().await.is_err(), "too many wait");
        drop(gone);
        let last = bench.ask();
        (0..2).for_each(|_| bench.go_on.send(()).unwrap());
        assert_eq!((first.await, last.await), (Ok(1), Ok(2)));
        assert_eq!(bench.begins.try_iter().count(), 1);
    }

    #[tokio::test]
    async fn threads_end_with_their_work_and_come_again() {
        let bench = Bench::new(1, 3);
        for _ in 0..3 {
            let answer = bench.ask();
            bench.go_on.send(()).unwrap();
            answer.await.unwrap();
        }
        let shared = Arc::downgrade(&bench.workers.0);
        drop(bench);
        // The last thread has nothing left to do but to go.
        while shared.upgrade().is_some() {
            thread::yield_now();
        }
    }
    struct Panics(Option<oneshot::Sender<()>>);

    impl Job for Panics {
        type Memory = ();

        fn is_wanted(&self) -> bool {
            true
        }

        fn run(mut self, (): &mut ()) {
            let asker = self.0.take().expect("a job that panics");
            let _ = asker.send(());
        }
    }

    #[tokio::test]
    async fn a_job_that_panics_leaves_its_place_to_others() {
        let workers = Workers::new(1, Queue::new(3, 3));
        workers.enqueue(Asker::Administrator, Panics(None));
        while workers.0.state.lock().threads > 0 {
            thread::yield_now();
        }
        let (asker, answer) = oneshot::channel();
        workers.enqueue(Asker::Administrator, Panics(Some(asker)));
        assert_eq!(answer.await, Ok(()));
    }
}
