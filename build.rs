//! Compiles `proto/` to Rust without `protoc`: protox reads the files, tonic-prost-build writes the code.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["signalpost/admin/v1/admin.proto"], ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_server(false)
        .skip_debug(["signalpost.admin.v1.Room"])
        .compile_fds(descriptors.clone())?;
    // Between the nodes of a fleet only: no part of what is described to administrators.
    let stored = protox::compile(
        ["signalpost/cluster/v1/stored.proto", "signalpost/cluster/v1/letter.proto"],
        ["proto"],
    )?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .skip_debug(["."])
        .compile_fds(stored)?;
    // What WatchEvents answers is written by hand, so that an event is encoded once for all who watch.
    let served = out.join("served");
    fs::create_dir_all(&served)?;
    tonic_prost_build::configure()
        .build_client(false)
        .extern_path(".signalpost.admin.v1", "crate::admin::pb")
        .extern_path(".signalpost.admin.v1.WatchEventsResponse", "crate::admin::watch::Response")
        .out_dir(served)
        .compile_fds(descriptors)?;
    Ok(())
}
