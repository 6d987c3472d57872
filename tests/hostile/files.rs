//! More connections than the process may have files.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use signalpost::admin::pb::{ListRoomsRequest, admin_service_client::AdminServiceClient};
use tokio::{io::AsyncReadExt, task::spawn_blocking, time::interval};

use crate::{
    attack::{connect, have_many_files, websocket},
    beside::{IN_TIME, SLACK},
    running::Running,
    support::within,
};

/// Connections beyond what fits.
const MANY: usize = 3000;

/// A server with so few files.
fn with_files(files: u32) -> Running {
    let script =
        format!("ulimit -n {files}; exec \"$0\" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0");
    Running::start(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_signalpost")]))
}

#[tokio::test]
async fn what_does_not_fit_is_refused_at_once_and_said_once_a_second() {
    have_many_files();
    let server = with_files(64);
    let began = Instant::now();
    // One address has but a share.
    let mut fit = Vec::new();
    for nth in 0..60 {
        let begun = Instant::now();
        if let Ok(stream) = websocket(server.http(), from(nth), None).await {
            fit.push(stream);
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(1), "the {nth}th waited for {took:?}");
    }
    assert_eq!(fit.len(), 16, "as documented");

    let admin = format!("http://{}", server.admin());
    let begun = Instant::now();
    let mut admin = within(AdminServiceClient::connect(admin)).await.unwrap();
    within(admin.list_rooms(ListRoomsRequest::default())).await.unwrap();
    let took = begun.elapsed();
    assert!(took < SLACK * IN_TIME, "the administrator waited for {took:?}");

    // A thousand a second; nobody waits for what it is told.
    let mut ticks = interval(Duration::from_millis(1));
    for nth in 0..MANY {
        ticks.tick().await;
        drop(connect(server.http(), from(nth), None).await);
    }
    // As it was, for those who are in.
    let begun = Instant::now();
    let refused = websocket(server.http(), 9, None).await;
    assert!(refused.is_err() && begun.elapsed() < Duration::from_secs(1), "{refused:?}");
    let mut welcome = [0; 20];
    within(fit[0].read_exact(&mut welcome)).await.unwrap();

    drop((admin, fit));
    let log = spawn_blocking(move || server.stop()).await.unwrap();
    let seconds = began.elapsed().as_secs() + 1;
    let refusals: Vec<_> = log.iter().filter(|line| line.contains(" times=")).collect();
    for what in ["connections were refused", "connections were closed", "could not be accepted"] {
        assert!(
            log.iter().all(|line| !line.contains(what) || line.contains(" times=")),
            "{log:#?}"
        );
    }
    let reasons = ["as many as fit", "too many new ones", "without a word", "not be accepted"];
    for why in reasons {
        let said = refusals.iter().filter(|line| line.contains(why)).count();
        assert!(said as u64 <= seconds, "{why}: {said} lines in {seconds} s");
    }
    let times = |line: &&String| line.split("times=").nth(1).unwrap().parse::<usize>().unwrap();
    let counted: usize = refusals.iter().map(times).sum();
    println!("{} lines in {seconds} s: {counted} refusals", refusals.len());
    // What was refused in the last second may not be said any more.
    assert!(counted > MANY / 2, "{counted} were counted");
}

/// Of many addresses in turn.
fn from(nth: usize) -> u8 {
    2 + u8::try_from(nth % 6).unwrap()
}
