//! Administrators with a role, and calls made as one of them.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::{fs, path::Path, process::Command};

use hyper::http::uri::PathAndQuery;
use signalpost::admin::pb::admin_service_client::AdminServiceClient;
use tonic::{
    Request, Status, Streaming, client::Grpc, metadata::MetadataValue,
    service::interceptor::InterceptedService, transport::Channel,
};
use tonic_prost::ProstCodec;

use super::support::within;

/// Somebody with a role: what it shows, and the server's line for it.
pub struct Known {
    pub token: String,
    pub line: String,
}

impl Known {
    /// Made by the command.
    pub fn new(name: &str, role: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signalpost"));
        let output = command.args(["gen-token", "admin", name, "--role", role]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let (token, line) = said.trim_end().split_once('\n').unwrap();
        Self { token: token.to_owned(), line: line.to_owned() }
    }

    /// What it says in its calls.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

type Interceptor = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;

/// All calls as one administrator.
pub fn client(
    channel: Channel,
    known: &Known,
) -> AdminServiceClient<InterceptedService<Channel, Interceptor>> {
    let bearer = known.bearer().parse::<MetadataValue<_>>().unwrap();
    let interceptor = Box::new(move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    });
    AdminServiceClient::with_interceptor(channel, interceptor as Interceptor)
}

pub fn write(file: &Path, known: &[&Known]) {
    let lines: Vec<_> = known.iter().map(|known| &*known.line).collect();
    fs::write(file, lines.join("\n")).unwrap();
}

/// Calls any method with an empty request, and these values of `authorization`.
pub async fn call(
    channel: &Channel,
    path: &str,
    credentials: &[&str],
) -> Result<Streaming<()>, Status> {
    let mut request = Request::new(());
    for credential in credentials {
        request.metadata_mut().append("authorization", credential.parse().unwrap());
    }
    let mut grpc = Grpc::new(channel.clone());
    within(grpc.ready()).await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::try_from(path).unwrap();
    let answer = within(grpc.server_streaming(request, path, ProstCodec::<(), ()>::default()));
    answer.await.map(tonic::Response::into_inner)
}
