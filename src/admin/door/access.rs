//! What each call asks of its caller. A call that is not listed asks for the most.

use crate::admin::credentials::Role;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum Access {
    /// Everybody.
    Open,
    /// Administrators with this role, or one that may do more.
    For(Role),
}

use Access::{For, Open};
use Role::{Admin, Viewer};

/// Whoever may only view changes nothing: what needs [`Role::Admin`] is what is audited.
const CALLS: [(&str, Access); 28] = [
    ("/signalpost.admin.v1.AdminService/ListRooms", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/GetRoom", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/CreateRoom", For(Admin)),
    ("/signalpost.admin.v1.AdminService/UpdateRoom", For(Admin)),
    ("/signalpost.admin.v1.AdminService/LockRoom", For(Admin)),
    ("/signalpost.admin.v1.AdminService/DeleteRoom", For(Admin)),
    ("/signalpost.admin.v1.AdminService/ListClients", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/GetClient", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/DisconnectClient", For(Admin)),
    ("/signalpost.admin.v1.AdminService/RemoveClient", For(Admin)),
    ("/signalpost.admin.v1.AdminService/ListWaiting", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/AdmitClient", For(Admin)),
    ("/signalpost.admin.v1.AdminService/DenyClient", For(Admin)),
    ("/signalpost.admin.v1.AdminService/SetRole", For(Admin)),
    ("/signalpost.admin.v1.AdminService/ListBans", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/GetBan", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/CreateBan", For(Admin)),
    ("/signalpost.admin.v1.AdminService/DeleteBan", For(Admin)),
    ("/signalpost.admin.v1.AdminService/Broadcast", For(Admin)),
    ("/signalpost.admin.v1.AdminService/WatchEvents", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/GetServerInfo", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/ListNodes", For(Viewer)),
    ("/signalpost.admin.v1.AdminService/Drain", For(Admin)),
    ("/signalpost.admin.v1.AdminService/CancelDrain", For(Admin)),
    ("/grpc.health.v1.Health/Check", Open),
    ("/grpc.health.v1.Health/Watch", Open),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", For(Viewer)),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", For(Viewer)),
];

/// What the call at this path asks for.
pub(in crate::admin) fn of(path: &str) -> Access {
    let listed = CALLS.iter().find(|(call, _)| *call == path);
    listed.map_or(For(Admin), |(_, access)| *access)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::admin::DESCRIPTORS;

    #[test]
    fn every_rpc_has_a_role_and_nothing_else_has() {
        let mut rpcs = BTreeSet::new();
        for set in [
            DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ] {
            for file in FileDescriptorSet::decode(set).unwrap().file {
                for service in &file.service {
                    let rpc = |name| format!("/{}.{}/{name}", file.package(), service.name());
                    rpcs.extend(service.method.iter().map(|method| rpc(method.name())));
                }
            }
        }
        let listed: BTreeSet<_> = CALLS.iter().map(|(call, _)| (*call).to_owned()).collect();
        assert_eq!(listed, rpcs, "give each rpc a role in CALLS");
        assert_eq!(of("/signalpost.admin.v1.AdminService/Later"), For(Admin));
    }

    #[test]
    fn a_viewer_reads_and_never_writes() {
        for (call, access) in CALLS {
            let (_, name) = call.rsplit_once('/').unwrap();
            let reads = ["List", "Get", "Watch", "Check", "ServerReflectionInfo"];
            let reads = reads.iter().any(|verb| name.starts_with(verb));
            assert_eq!(reads, access != For(Admin), "{call}");
        }
    }
}
