//! A connection to one server of Redis that all commands share, made anew when it breaks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, PushInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    attempt::Attempt,
    fault::Fault,
    wire::{self, Wire},
};

/// Commands that may wait to be written, before whoever gives one more has to wait.
const QUEUED: usize = 1024;

/// See the module.
pub(super) struct Line {
    server: ConnectionInfo,
    /// How long an attempt to connect may take.
    timeout: Duration,
    open: Mutex<Option<Attempt<Result<Open, Fault>>>>,
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
    pub(super) fn new(server: ConnectionInfo, timeout: Duration) -> Self {
        Self { server, timeout, open: Mutex::new(None) }
    }

    /// The server's answer by `deadline`. `asking` is for a slot that is about to move there.
    pub(super) async fn ask(
        &self,
        deadline: Instant,
        command: &Cmd,
        asking: bool,
    ) -> Result<Value, Fault> {
        let open = timeout_at(deadline, self.open().done()).await;
        let late = |_| Err(Fault::NotSent("it cannot be reached in time".into()));
        let Open { mut connection, is_broken } = open.unwrap_or_else(late)?;
        let asked_at = Instant::now();
        let answer = timeout_at(deadline, send(&mut connection, command, asking)).await;
        // An answer that is late, on a connection that looks alive, may be late for ever, if it had some time.
        let is_late = answer.is_err();
        let answer =
            answer.unwrap_or_else(|_| Err(Fault::Lost("it did not answer in time".into())));
        if matches!(answer, Err(Fault::Lost(_)))
            && (!is_late || asked_at.elapsed() >= self.timeout / 2)
        {
            is_broken.store(true, Ordering::Relaxed);
        }
        answer
    }

    fn open(&self) -> Attempt<Result<Open, Fault>> {
        let mut open = self.open.lock();
        let is_of_use = |attempt: &&Attempt<Result<Open, Fault>>| match attempt.result() {
            None => attempt.is_under_way(),
            Some(Ok(open)) => !open.is_broken.load(Ordering::Relaxed),
            Some(Err(_)) => false,
        };
        if let Some(attempt) = open.as_ref().filter(is_of_use) {
            return attempt.clone();
        }
        let (server, within) = (self.server.clone(), self.timeout);
        let attempt = Attempt::begin(within, async move { Open::to(&server, within).await });
        open.insert(attempt).clone()
    }
}

impl Open {
    async fn to(server: &ConnectionInfo, within: Duration) -> Result<Self, Fault> {
        let is_broken = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_broken);
        // Told of the end at once, nothing is sent into a connection that is gone, whose fate nobody would know.
        let settings = settings().set_push_sender(move |push: PushInfo| {
            if push.kind == redis::PushKind::Disconnection {
                seen.store(true, Ordering::Relaxed);
            }
            Ok::<(), redis::aio::SendError>(())
        });
        Ok(Self { connection: connect(server, &settings, within).await?, is_broken })
    }
}

impl Dedicated {
    pub(super) async fn connect(server: &ConnectionInfo, within: Duration) -> Result<Self, Fault> {
        let connection = connect(server, &settings(), within).await?;
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
    within: Duration,
) -> Result<MultiplexedConnection, Fault> {
    let connection = async {
        let client = Client::open(server.clone())?;
        client.get_multiplexed_async_connection_with_config(settings).await
    };
    let late = |_| Fault::NotSent("it cannot be reached in time".into());
    timeout(within, connection).await.map_err(late)?.map_err(|error| match fault(error) {
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
