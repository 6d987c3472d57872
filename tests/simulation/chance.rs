//! Chance and the time of day by a seed, for all that runs in a thread: who asks the system for either is answered from
//! here.

#![allow(unsafe_code, reason = "stands in for functions of the C library")]

use std::{
    cell::{Cell, RefCell},
    slice,
    time::Duration,
};

use fastrand::Rng;
use libc::{CLOCK_REALTIME, c_int, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};
use tokio::time::Instant;

/// In seconds since 1970; the model of Redis has a clock of its own.
const START: u64 = 1_763_990_000;

thread_local! {
    static CHANCE: RefCell<Option<Rng>> = const { RefCell::new(None) };
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// From here on what is drawn in this thread, which must not have drawn anything yet, is by this seed.
pub(crate) fn seed(seed: u64) {
    fastrand::seed(seed);
    CHANCE.set(Some(Rng::with_seed(seed)));
}

/// From here on the time of day goes by tokio's clock in this thread.
pub(crate) fn start_clock() {
    SINCE.set(Some(Instant::now()));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    let seeded = CHANCE.with_borrow_mut(|chance| {
        let chance = chance.as_mut()?;
        if length > 0 {
            // SAFETY: whoever calls it gives so many bytes.
            unsafe { slice::from_raw_parts_mut(buffer.cast(), length) }.fill_with(|| chance.u8(..));
        }
        ssize_t::try_from(length).ok()
    });
    // SAFETY: it is handed on as it came.
    let theirs = || unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
    seeded.unwrap_or_else(|| ssize_t::try_from(theirs()).unwrap_or(-1))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, into: *mut timespec) -> c_int {
    match SINCE.get().filter(|_| clock == CLOCK_REALTIME) {
        Some(since) => {
            let now = Duration::from_secs(START) + since.elapsed();
            let (tv_sec, tv_nsec) = (now.as_secs().cast_signed(), now.subsec_nanos().into());
            // SAFETY: whoever calls it has a place for it.
            unsafe { into.write(timespec { tv_sec, tv_nsec }) };
            0
        }
        None => {
            // SAFETY: it is handed on as it came.
            let theirs = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, into) };
            c_int::try_from(theirs).unwrap_or(-1)
        }
    }
}
