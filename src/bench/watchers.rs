//! `WatchEvents` calls that are held open while the clients are at work, to see what watching costs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::runtime::Runtime;

use super::{Fault, Options};
use crate::admin::pb::{
    WatchEventsRequest, admin_service_client::AdminServiceClient, watch_events_response::What,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Watchers {
    runtime: Runtime,
    events: Arc<AtomicU64>,
}

/// None are wanted by default. Each has a connection of its own, as separate programs would.
pub(super) fn attach(options: &Options) -> Result<Option<Watchers>, Fault> {
    if options.watchers == 0 {
        return Ok(None);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let events = Arc::new(AtomicU64::new(0));
    let fault = |error: String| Fault::Watch { address: options.admin.clone(), error };
    for _ in 0..options.watchers {
        let url = format!("http://{}", options.admin);
        let mut stream = runtime
            .block_on(async {
                let mut client =
                    AdminServiceClient::connect(url).await.map_err(|error| error.to_string())?;
                let answer = client.watch_events(WatchEventsRequest::default()).await;
                answer.map_err(|status| status.message().to_owned())
            })
            .map_err(fault)?
            .into_inner();
        let events = Arc::clone(&events);
        runtime.spawn(async move {
            while let Ok(Some(message)) = stream.message().await {
                if let Some(What::Event(_)) = message.what {
                    events.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    Ok(Some(Watchers { runtime, events }))
}

impl Watchers {
    /// Hangs up, and counts what was heard.
    pub(super) fn end(self) -> u64 {
        self.runtime.shutdown_background();
        self.events.load(Ordering::Relaxed)
    }
}
