//! What the types that hold secrets show of them where somebody prints them.

use std::{fmt::Debug, fs, path::Path};

use clap::Parser;
use serde_json::json;
use signalpost::{
    admin::{TokenFile, pb},
    auth::{Authority, Signer},
    config::{Config, IceServer, Secret},
    gen_token,
    password::Password,
    protocol::{Reply, ReturnToken, parse},
    room::{PasswordHash, Proof, Settings},
    server::Server,
    turn::{Credentials, IceServers},
};

use crate::{
    issuer::{Issuer, SECRET},
    keys::Known,
    planted::Planted,
};

#[tokio::test]
async fn who_prints_what_holds_a_secret_sees_none() {
    let (planted, issuer, folder) =
        (Planted::default(), Issuer::new(), tempfile::tempdir().unwrap());
    let shown =
        |what: &str, value: &dyn Debug| planted.absent_from(what, &format!("{value:?} {value:#?}"));
    let known = Known::new("ops", "admin");
    let token = planted.plant("token", issuer.token("ann", json!({})));
    let password = planted.plant("password", "pl4nted-password");
    let shared = planted.plant("TURN secret", "9c1185a5c5e9fc54612808977ee8f548b2258d31");
    let static_secret = planted.plant("ICE server's secret", "pl4nted-in-a-list");
    let returning = planted.plant("return token", "pl4nted-return-token");
    planted.plant("administrator's token", &*known.token);
    planted.plant("secret for tokens", SECRET);

    for request in [
        json!({"type": "register", "token": token}),
        json!({"type": "join", "roomId": "r", "password": password, "returnToken": returning}),
        json!({"type": "update-room", "password": password}),
        json!({"type": "join", "roomId": "r", "password": [password]}),
    ] {
        shown("a request", &parse(&request.to_string()));
    }
    shown("a return token", &ReturnToken::shown(&returning).unwrap());
    let password_type: Password = password.parse().unwrap();
    shown("a password", &password_type);
    let hash = || PasswordHash::new("$argon2id$v=19$planted");
    shown("a hash", &(Proof::New(hash()), hash()));
    shown("settings", &Settings { password: Some(hash()), ..Settings::open(2) });

    let secret = Secret::of(shared.as_bytes()).unwrap();
    let made = Credentials::of(&secret, &"ann", std::time::SystemTime::now());
    planted.plant("TURN credential", &*made.credential);
    let server: IceServer = "turn:turn.example.org".parse().unwrap();
    let server = server.with_credentials(made.username.clone(), made.credential.clone());
    shown("TURN credentials", &(&secret, &made, &server));
    shown("a reply", &Reply::IceServers { ice_servers: &[server] });

    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let list = format!("turn:turn.example.org turn:ann:{static_secret}@other.example.org");
    let (list, turn, admins) =
        (file("list", &list), file("turn", &shared), file("admins", &known.line));
    let flags = format!(
        "signalpost --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 {} --turn-secret-file {turn} \
         --ice-server-file {list} --admin-token-file {admins}",
        issuer.flags()
    );
    let config = Config::try_parse_from(flags.split_whitespace()).unwrap();
    shown("the settings", &config);
    shown("the authority", &Authority::of(&config.auth_flags).unwrap());
    shown("ICE servers", &IceServers::of(&config).unwrap());
    shown("administrators", &TokenFile::of(&config).unwrap());
    shown("a signer", &Signer::with_secret(Path::new(&issuer.file)).unwrap());
    shown("the server", &Server::bind(config).unwrap());

    let words = ["admin", "eve", "--role", "admin"].map(Into::into);
    let made = gen_token::Options::from_words(words).unwrap().make().unwrap();
    planted.plant("new token", made.text.lines().next().unwrap());
    shown("what was made", &made);
    let room = pb::Room { password, ..Default::default() };
    let create = pb::CreateRoomRequest { room: Some(room.clone()), ..Default::default() };
    let update = pb::UpdateRoomRequest { room: Some(room), ..Default::default() };
    shown("an administrator's requests", &(&create, &update));
    shown("a call", &tonic::Request::new(create));
}
