//! The runtime that a server runs best on. It runs on any other too.

use std::{io, thread::available_parallelism};

use tokio::runtime::{Builder, Runtime};

use crate::hub::flush_before_sleep;

/// Makes the runtime of the `signalpost` command: as many threads as there are processors, or the caller's alone where
/// there is one. What connections say is sent in batches, behind a few of their turns: that takes up to a tenth less
/// where many speak at once, and where few do, nothing waits.
///
/// What runs beside the server on it must neither keep a thread busy for long nor use
/// [`block_in_place`](tokio::task::block_in_place): messages of connections on that thread would wait.
///
/// # Errors
/// Where the system has no more threads or files.
pub fn runtime() -> io::Result<Runtime> {
    let mut builder = match available_parallelism() {
        Ok(processors) if processors.get() == 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().on_thread_park(flush_before_sleep).build()
}
