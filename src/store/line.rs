//! A connection to one server of Redis that all commands share, made anew when it breaks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, PushInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout, timeout_at},
};

use super::{
    fault::Fault,
    wire::{self, Wire},
};

/// Commands that may wait to be written, before whoever gives one more has to wait.
const QUEUED: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    server: ConnectionInfo,
    open: Mutex<Option<Open>>,
}

#[derive(Debug, Clone)]
struct Open {
    connection: MultiplexedConnection,
    is_broken: Arc<AtomicBool>,
}

/// A connection for one who waits: its reads may block, and hold up nobody else's commands.
#[derive(Debug)]
pub(crate) struct Dedicated {
    connection: Connection,
    timeout: Duration,
}

#[derive(Debug)]
enum Connection {
    ToServer(MultiplexedConnection),
    Over(Arc<dyn Wire>),
}

impl Line {
    pub(super) fn new(server: ConnectionInfo) -> Self {
        Self { server, open: Mutex::new(None) }
    }

    /// The server's answer by `deadline`. `asking` is for a slot that is about to move there.
    pub(super) async fn ask(
        &self,
        deadline: Instant,
        command: &Cmd,
        asking: bool,
    ) -> Result<Value, Fault> {
        let open = timeout_at(deadline, self.open()).await;
        let Open { mut connection, is_broken } =
            open.unwrap_or_else(|_| Err(Fault::NotSent("it cannot be reached in time".into())))?;
        let answer = timeout_at(deadline, send(&mut connection, command, asking)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(Fault::Lost("it did not answer in time".into())));
        // An answer that is late, on a connection that looks alive, may be late for ever.
        if matches!(answer, Err(Fault::Lost(_))) {
            is_broken.store(true, Ordering::Relaxed);
        }
        answer
    }

    async fn open(&self) -> Result<Open, Fault> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref().filter(|open| !open.is_broken.load(Ordering::Relaxed)) {
            return Ok(open.clone());
        }
        *open = None;
        let is_broken = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_broken);
        // Told of the end at once, nothing is sent into a connection that is gone, whose fate nobody would know.
        let settings = settings().set_push_sender(move |push: PushInfo| {
            if push.kind == redis::PushKind::Disconnection {
                seen.store(true, Ordering::Relaxed);
            }
            Ok::<(), redis::aio::SendError>(())
        });
        let connection = connect(&self.server, &settings).await?;
        Ok(open.insert(Open { connection, is_broken }).clone())
    }
}

impl Dedicated {
    pub(super) async fn connect(server: &ConnectionInfo, within: Duration) -> Result<Self, Fault> {
        let connection = timeout(within, connect(server, &settings())).await;
        let late = |_| Err(Fault::NotSent("it cannot be reached in time".into()));
        let connection = connection.unwrap_or_else(late)?;
        Ok(Self { connection: Connection::ToServer(connection), timeout: within })
    }

    pub(super) fn over(wire: &Arc<dyn Wire>, timeout: Duration) -> Self {
        Self { connection: Connection::Over(Arc::clone(wire)), timeout }
    }

    /// The server's answer to a command that may take `blocks` to begin with. After any fault the connection is of no
    /// more use.
    pub(super) async fn ask(&mut self, command: &Cmd, blocks: Duration) -> Result<Value, Fault> {
        let connection = match &mut self.connection {
            Connection::ToServer(connection) => connection,
            Connection::Over(wire) => return wire::ask(&**wire, command).await,
        };
        let answer = send(connection, command, false);
        let answer = timeout(blocks + self.timeout, answer).await;
        answer.unwrap_or_else(|_| Err(Fault::Lost("it did not answer in time".into())))
    }
}

/// The library's own deadlines would not tell what was sent from what was not.
fn settings() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUED)
}

async fn connect(
    server: &ConnectionInfo,
    settings: &AsyncConnectionConfig,
) -> Result<MultiplexedConnection, Fault> {
    let connection = async {
        let client = Client::open(server.clone())?;
        client.get_multiplexed_async_connection_with_config(settings).await
    };
    connection.await.map_err(|error| match fault(error) {
        Fault::Lost(why) => Fault::NotSent(why),
        known @ (Fault::NotSent(_) | Fault::Refused(_)) => known,
    })
}

async fn send(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
    asking: bool,
) -> Result<Value, Fault> {
    let answer = if asking {
        let mut both = redis::pipe();
        both.cmd("ASKING").add_command(command.clone());
        let answers = connection.send_packed_commands(&both, 1, 1).await;
        answers.map(|mut answers| answers.pop().unwrap_or(Value::Nil))
    } else {
        connection.send_packed_command(command).await
    };
    answer.and_then(Value::extract_error).map_err(fault)
}

fn fault(error: RedisError) -> Fault {
    let of_server = matches!(
        error.kind(),
        ErrorKind::Server(_)
            | ErrorKind::Extension
            | ErrorKind::AuthenticationFailed
            | ErrorKind::RESP3NotSupported
    );
    if of_server { Fault::Refused(error) } else { Fault::Lost(error.to_string()) }
}
